import { atLeast } from '../kernel/level.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { PullRequestMember, pullRequestSubject } from './inputs.ts'
import { broughtCommits, endsOf, tipsOf } from './ends.ts'
import { stillOpen, tell } from './state.ts'
import { statuses } from './status.ts'
import { Comment, viewComments } from './view.ts'
import type { Ctx } from '../operation/context.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'

const mostComments = 10_000

const commentPullRequest = defineOperation({
  name: 'pull-request.comment',
  summary: 'Adds a comment, a vote or both to an open pull request, closes it if that is asked for, and gives the comment.',
  description:
    'Needs read on its source. Votes are for its reviewers, its author and whoever may write the target; each counts for the commits that it brought then. Its author and whoever may write the target may close it.',
  input: Closed({
    pull_request: PullRequestMember,
    text: Type.Optional(Type.String({ maxLength: 20_000 })),
    status: Type.Optional(OneOf(statuses)),
    close: Type.Optional(Type.Boolean({ description: 'Close it without merging it.' })),
  }),
  output: Comment,
  access: 'signed-in',
  subjects: pullRequestSubject('read'),
  effect: 'act',
  audit: {
    subject: (input, output) => `pull-request:${output?.pull_request ?? input.pull_request}`,
    subjectId: (_, output) => output?.pull_request_id ?? null,
    detail: ({ status, close }, output) => ({
      ...(close ? { closed: true } : {}),
      ...(status === undefined ? {} : { status }),
      ...(output ? { comment: output.serial } : {}),
    }),
  },
  example: { pull_request: '5', text: 'Looks good', status: 'approved' },
  async run(ctx, input, { pullRequest }) {
    const { row, level } = pullRequest
    const { id: author_id, name: author } = ctx.principal
    if (input.status !== undefined && !atLeast(level, 'execute') && !row.reviewers.includes(author_id)) {
      throw mayNot(row, 'to be a reviewer', 'status')
    }
    if (input.close && !atLeast(level, 'execute')) throw mayNot(row, 'execute', 'close')
    await stillOpen(ctx.db, row)
    const { head, commits } = input.status === undefined ? { head: row.head, commits: [] } : await votedOn(ctx, row)
    const view = await ctx.write(async (inside) => {
      await stillOpen(inside.db, row)
      if ((await inside.db.comments.count(row.id)) >= mostComments) {
        throw fault('quota_exceeded', { scope: `The pull request "${row.serial}"`, limit: `${mostComments} comments` })
      }
      const at = inside.clock.now()
      const comment = await inside.db.comments.insert({
        id: inside.ids.record(),
        subject_id: row.id,
        author_id,
        author,
        at,
        status: input.status ?? null,
        head: input.status === undefined ? null : head,
        text: input.text ?? '',
      })
      if (input.status !== undefined) await inside.db.comments.addVoted(comment.id, row.source_id, commits)
      await inside.db.pullRequests.update(row.id, { updated_at: at, ...(input.close ? { state: 'closed', closed_at: at } : {}) })
      const [made] = await viewComments(inside, row, [comment])
      if (!made) throw new Error('A view of one row is one view')
      return made
    })
    tell(ctx, row, 'commented')
    if (input.close) tell(ctx, row, 'closed')
    return view
  },
})

/** What a vote given now counts for. When its ends cannot be read, what was its head. */
async function votedOn(ctx: Ctx, row: PullRequestRow): Promise<{ head: string; commits: readonly string[] }> {
  try {
    const ends = await endsOf(ctx, row)
    const tips = await tipsOf(ctx, ends)
    return { head: tips.head, commits: await broughtCommits(ctx, ends, tips) }
  } catch (error) {
    ctx.log.warn('pull_request.head_not_read', { pull_request: row.id, error })
    return { head: row.head, commits: [row.head] }
  }
}

function mayNot(row: PullRequestRow, need: string, member: string) {
  return fault(
    'forbidden',
    { operation: 'pull-request.comment', need, subject: `pull-request:${row.serial}` },
    { private: { kind: 'pull-request', reference: String(row.serial), member } },
  )
}

export { commentPullRequest }
