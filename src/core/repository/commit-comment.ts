import { timestamp } from '../kernel/clock.ts'
import { fault, problemsFault } from '../kernel/fault.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { statuses, statusOf } from '../pull-request/status.ts'
import { NumberedRevision } from './history.ts'
import { RepositoryMember } from './inputs.ts'
import { numberedCommit } from './numbers.ts'
import { onStorage } from './on-storage.ts'
import { stillThere } from './place.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { CommentRow } from '../../ports/store/reviews.ts'

const commentName = 'repository.comment-commit'
const mostComments = 10_000

const CommitComment = Closed({
  id: Type.String(),
  serial: Type.Integer(),
  repository_id: Type.String(),
  commit: Type.String(),
  by: Type.String(),
  by_id: Type.String(),
  at: Time,
  text: Type.String(),
  status: Nullable(OneOf(statuses)),
  file: Nullable(Type.String({ description: 'The file that it is about; null: the commit as a whole.' })),
  line: Nullable(Type.Integer()),
  side: Nullable(OneOf(['new', 'old'], { description: 'Whether the line is one of the file after the commit or before it.' })),
})
type CommitCommentView = Static<typeof CommitComment>

const Vote = Closed({ by: Type.String(), by_id: Type.String(), at: Time, status: OneOf(statuses) })

const commentCommit = defineOperation({
  name: commentName,
  summary: 'Adds a comment, a vote or both to a commit, or a comment to a line of a file in it, and gives it.',
  input: Closed({
    repository: RepositoryMember,
    revision: NumberedRevision,
    text: Type.Optional(Type.String({ maxLength: 20_000 })),
    status: Type.Optional(OneOf(statuses)),
    file: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    line: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000_000 })),
    side: Type.Optional(OneOf(['new', 'old'], { description: 'new when left out.' })),
  }),
  output: CommitComment,
  access: 'signed-in',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'act',
  audit: {
    subject: ({ repository }) => `repository:${repository}`,
    subjectId: (_, output) => output?.repository_id ?? null,
    detail: ({ status }, output) => ({
      ...(output ? { commit: output.commit, comment: output.serial } : {}),
      ...(status === undefined ? {} : { status }),
    }),
  },
  example: { repository: 'lab/weather', revision: 'main', text: 'Looks good', status: 'approved' },
  async run(ctx, input, { repository: { row } }) {
    if ((input.file === undefined) !== (input.line === undefined)) throw wrong('/line', 'goes with a file, and a file with a line')
    if (input.file !== undefined && input.status !== undefined) throw wrong('/status', 'is about the commit as a whole')
    const { id: commit } = await onStorage(ctx, row, () => numberedCommit(ctx, row, input.revision))
    const subjectId = `${row.id}/${commit}`
    const view = await ctx.write(async (inside) => {
      await stillThere(inside.db, row, 'repository')
      if ((await inside.db.comments.count(subjectId)) >= mostComments) {
        throw fault('quota_exceeded', { scope: `The commit "${commit}"`, limit: `${mostComments} comments` })
      }
      const comment = await inside.db.comments.insert({
        id: inside.ids.record(),
        subject_id: subjectId,
        author_id: inside.principal.id,
        author: inside.principal.name,
        at: inside.clock.now(),
        status: input.status ?? null,
        head: input.status === undefined ? null : commit,
        text: input.text ?? '',
        file: input.file ?? null,
        line: input.line ?? null,
        side: input.line === undefined ? null : (input.side ?? 'new'),
      })
      if (input.status !== undefined) await inside.db.comments.addVoted(comment.id, row.id, [commit])
      return viewComment(comment, row.id, commit, comment.author)
    })
    ctx.emit({ kind: 'repository', id: row.id, name: row.name, state: 'commented', resource_id: row.id, data: { commit } })
    return view
  },
})

const listCommitComments = defineOperation({
  name: 'repository.list-commit-comments',
  summary: 'Lists the comments on a commit in the order in which they were made, and gives the vote that counts for it.',
  description: 'A vote on a pull request counts for the commits that it brought then.',
  input: Closed({ repository: RepositoryMember, revision: NumberedRevision, ...listMembers }),
  output: Closed({ items: Type.Array(CommitComment), next: Nullable(Type.String()), vote: Nullable(Vote) }),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather', revision: 'main' },
  async run(ctx, input, { repository: { row } }) {
    const { id: commit } = await onStorage(ctx, row, () => numberedCommit(ctx, row, input.revision))
    const page = await ctx.db.comments.page(`${row.id}/${commit}`, pageRequest(input))
    const last = await ctx.db.comments.lastVote(row.id, commit)
    const names = await authorNames(ctx, last ? [...page.items, last] : page.items)
    const by = (comment: CommentRow) => names.get(comment.author_id) ?? comment.author
    const status = last && statusOf(last)
    return {
      items: page.items.map((comment) => viewComment(comment, row.id, commit, by(comment))),
      next: page.next,
      vote: last && status ? { by: by(last), by_id: last.author_id, at: timestamp(last.at), status } : null,
    }
  },
})

async function authorNames(ctx: Ctx, comments: readonly CommentRow[]): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(comments.map(({ author_id }) => author_id))]
  const users = ids.length > 0 ? await ctx.db.users.byIds(ids) : []
  return new Map(users.map(({ id, name }) => [id, name]))
}

function viewComment(comment: CommentRow, repositoryId: string, commit: string, by: string): CommitCommentView {
  const { id, serial, author_id, at, text, file, line, side } = comment
  const place = { file, line, side: side === 'old' ? ('old' as const) : line === null ? null : ('new' as const) }
  return { id, serial, repository_id: repositoryId, commit, by, by_id: author_id, at: timestamp(at), text, status: statusOf(comment), ...place }
}

function wrong(path: string, message: string) {
  return problemsFault('invalid_input', commentName, [{ path, code: 'place', message }])
}

export type { CommitCommentView }
export { commentCommit, listCommitComments }
