import { asIs, BadArgument, flag, optional, required, text, whole } from '../argument.ts'
import { encodeChangeset, encodeComment, encodeInlineComments, encodeStatus, encodeWholeChangeset } from '../changeset-view.ts'
import { absent, hidden, missing } from '../errors.ts'
import { referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import type { CommitCommentView } from '../../../core/repository/commit-comment.ts'
import type { CommitView } from '../../../core/repository/history.ts'
import type { RepositoryView } from '../../../core/repository/view.ts'
import type { Json } from '../../../core/kernel/json.ts'
import type { AnyMethod, MethodCall } from '../method.ts'

// The few places where the contract tells a hidden repository from a missing one.
const repositoryErrors = [
  hidden('repository', (path) => `Access denied to repo ${path}`),
  absent('repository', 'repository `{repoid}` does not exist'),
] as const

const largestPage = 1000

/** A revision as it is asked for: a number or digits are its number here. Null when none is. */
function revision(value: Json): string | null {
  if (value === null || value === '') return null
  if (typeof value === 'string') return value
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new BadArgument()
  return String(value)
}

/** A moment as `YYYY-MM-DDTHH:MM:SS` (contract §2.4). */
function moment(value: Json): string {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(value)) throw new BadArgument()
  const at = Date.parse(`${value}Z`)
  // A day that a month does not have would be read as one of the next.
  if (Number.isNaN(at) || !new Date(at).toISOString().startsWith(value)) throw new BadArgument()
  return `${value}Z`
}

const getChangesets = defineMethod({
  name: 'get_changesets',
  args: {
    repoid: required(asIs),
    start: optional(revision, null),
    end: optional(revision, null),
    start_date: optional(moment, null),
    end_date: optional(moment, null),
    branch_name: optional(text, null),
    reverse: optional(flag, false),
    with_file_list: optional(flag, false),
    max_revisions: optional(whole, null),
  },
  caller: 'anybody',
  operations: ['repository.get', 'repository.list-history'],
  errors: repositoryErrors,
  async run(call, args) {
    const { id, kind } = await call.invoke<RepositoryView>('repository.get', { repository: referenceOf('repository', args.repoid) })
    const { max_revisions, branch_name, start, end, start_date, end_date } = args
    const most = max_revisions !== null && max_revisions > 0 ? max_revisions : null
    // Of git the newest are kept, of Mercurial the oldest.
    const order = most !== null && kind === 'git' ? 'newest' : 'oldest'
    const found = await commits(call, most, {
      repository: id,
      order,
      files: args.with_file_list,
      ...(start === null ? {} : { start }),
      ...(end === null ? {} : { end }),
      ...(start_date === null ? {} : { since: start_date }),
      ...(end_date === null ? {} : { until: end_date }),
      ...(branch_name === null || branch_name === '' ? {} : { branch: branch_name }),
    })
    if (args.reverse !== (order === 'newest')) found.reverse()
    return found.map(encodeChangeset)
  },
})

type History = { readonly items: readonly CommitView[]; readonly next: string | null; readonly count: number }

async function commits(call: MethodCall, most: number | null, input: Readonly<Record<string, unknown>>): Promise<CommitView[]> {
  const found: CommitView[] = []
  for (let cursor: string | undefined; ; ) {
    const limit = Math.min(largestPage, (most ?? Number.POSITIVE_INFINITY) - found.length)
    const page: History = await call.invoke('repository.list-history', { ...input, limit, ...(cursor === undefined ? {} : { cursor }) })
    if (page.count === 0) call.refuse('Repository is empty')
    found.push(...page.items)
    if (page.next === null || found.length === most) return found
    cursor = page.next
  }
}

type Comments = {
  readonly items: CommitCommentView[]
  readonly next: string | null
  readonly vote: { status: string; at: string; by: string } | null
}

const getChangeset = defineMethod({
  name: 'get_changeset',
  args: {
    repoid: required(asIs),
    raw_id: required(asIs),
    with_reviews: optional(flag, false),
    with_comments: optional(flag, false),
    with_inline_comments: optional(flag, false),
  },
  caller: 'anybody',
  operations: ['repository.get', 'repository.get-commit', 'repository.list-commit-comments'],
  errors: [...repositoryErrors, missing('revision', 'Changeset {raw_id} does not exist')],
  async run(call, args) {
    const { id } = await call.invoke<RepositoryView>('repository.get', { repository: referenceOf('repository', args.repoid) })
    const wanted = args.raw_id === null ? null : revision(args.raw_id)
    if (wanted === null) call.refuse('Changeset {raw_id} does not exist')
    const commit = await call.invoke<CommitView>('repository.get-commit', { repository: id, revision: wanted })
    const on = { repository: id, revision: commit.id }
    const { with_reviews, with_comments, with_inline_comments } = args
    const comments = with_comments || with_inline_comments ? await call.all<CommitCommentView>('repository.list-commit-comments', on) : []
    const last = with_reviews ? await call.invoke<Comments>('repository.list-commit-comments', { ...on, limit: 1 }) : null
    return {
      ...encodeWholeChangeset(commit),
      ...(last ? { reviews: last.vote ? [encodeStatus(last.vote)] : [] } : {}),
      ...(with_comments ? { comments: comments.filter(({ file }) => file === null).map(encodeComment) } : {}),
      ...(with_inline_comments ? { inline_comments: encodeInlineComments(comments) } : {}),
    }
  },
})

/** Contract §10. */
const changesetMethods: readonly AnyMethod[] = [getChangesets, getChangeset]

export { changesetMethods }
