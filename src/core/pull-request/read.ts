import { fault } from '../kernel/fault.ts'
import { viewerOf } from '../identity/principal.ts'
import { pageOf, pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, OneOf, PageOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { Commit, viewCommit } from '../repository/commits.ts'
import { RepositoryMember } from '../repository/inputs.ts'
import { storageOf } from '../repository/code.ts'
import { onStorage } from '../repository/on-storage.ts'
import { approvalsOf } from './approval.ts'
import { endsOf, tipsOf } from './ends.ts'
import { PullRequestMember, pullRequestSubject } from './inputs.ts'
import { stillOpen } from './state.ts'
import { Comment, PullRequest, viewComments, viewPullRequest, viewPullRequests, withHeads } from './view.ts'
import type { Ctx } from '../operation/context.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const getPullRequest = defineOperation({
  name: 'pull-request.get',
  summary: 'Gives one pull request.',
  input: Closed({ pull_request: PullRequestMember }),
  output: PullRequest,
  access: 'anyone',
  subjects: pullRequestSubject('read'),
  effect: 'read',
  audit: 'none',
  example: { pull_request: '5' },
  run: async (ctx, _, { pullRequest }) => viewPullRequest(ctx, await asItIsNow(ctx, pullRequest.row)),
})

const listPullRequests = defineOperation({
  name: 'pull-request.list',
  summary: 'Lists the pull requests that the caller may read, newest first.',
  description: 'What a caller may read is decided by the source of each, so a list of one repository may leave out those of private forks.',
  input: Closed({
    repository: Type.Optional(RepositoryMember),
    source_repository: Type.Optional(Type.String({ maxLength: 2000, description: 'Only those that come from this repository.' })),
    state: Type.Optional(OneOf(['open', 'closed', 'merged'])),
    ...listMembers,
  }),
  output: PageOf(PullRequest),
  access: 'anyone',
  subjects: { target: subject('repository', 'read', 'repository'), source: subject('repository', 'read', 'source_repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather', state: 'open' },
  async run(ctx, input, { target, source }) {
    const filter = {
      ...(input.repository === undefined ? {} : { targetId: target.row.id }),
      ...(input.source_repository === undefined ? {} : { sourceId: source.row.id }),
      ...(input.state === undefined ? {} : { state: input.state }),
    }
    const page = await ctx.db.pullRequests.page(filter, viewerOf(ctx.principal), pageRequest(input))
    return { items: await viewPullRequests(ctx, await withHeads(ctx, page.items)), next: page.next }
  },
})

const listPullRequestCommits = defineOperation({
  name: 'pull-request.list-commits',
  summary: 'Lists the commits that a pull request brings, newest first.',
  description: 'The pages of one list belong to the commits that were there at the first, whatever is pushed meanwhile.',
  input: Closed({ pull_request: PullRequestMember, ...listMembers }),
  output: PageOf(Commit),
  access: 'anyone',
  subjects: pullRequestSubject('read'),
  effect: 'read',
  audit: 'none',
  example: { pull_request: '5' },
  async run(ctx, input, { pullRequest }) {
    const { row } = pullRequest
    const { limit, after } = pageRequest(input)
    const [from, to, skip] = position(after) ?? [...(await span(ctx, row)), 0]
    const place = await placeOf(ctx, row)
    const commits = await onStorage(ctx, place, () =>
      storageOf(ctx.services, place).log(place.id, to, { limit: limit + 1, skip, ...(from === '' ? {} : { without: from }) }),
    )
    const page = pageOf(commits, limit, () => [from, to, skip + limit])
    return { items: page.items.map(viewCommit), next: page.next }
  },
})

const listPullRequestComments = defineOperation({
  name: 'pull-request.list-comments',
  summary: 'Lists the comments and votes on a pull request, in the order in which they were made.',
  description: 'The first one is without words: it says who made the pull request, and when.',
  input: Closed({ pull_request: PullRequestMember, ...listMembers }),
  output: PageOf(Comment),
  access: 'anyone',
  subjects: pullRequestSubject('read'),
  effect: 'read',
  audit: 'none',
  example: { pull_request: '5' },
  async run(ctx, input, { pullRequest }) {
    const page = await ctx.db.comments.page(pullRequest.row.id, pageRequest(input))
    return { items: await viewComments(ctx, pullRequest.row, page.items), next: page.next }
  },
})

const checkPullRequest = defineOperation({
  name: 'pull-request.check',
  summary: 'Tells whether an open pull request could be merged just now, and if not, which files are in the way or how many approvals are missing.',
  input: Closed({ pull_request: PullRequestMember }),
  output: Closed({
    mergeable: Type.Boolean(),
    fast_forward: Type.Boolean({ description: 'Whether the target branch could simply move to its head.' }),
    merged: Type.Boolean({ description: 'Whether its head is part of the target branch already.' }),
    conflicts: Type.Array(Type.String(), { description: 'Paths of files, a thousand at most.' }),
    head: Type.String(),
    approvals: Type.Integer({ description: 'How many of those who may write the target approved its head.' }),
    approvals_needed: Type.Integer({ description: '0 while the target branch is not protected.' }),
  }),
  access: 'signed-in',
  subjects: pullRequestSubject('read'),
  effect: 'read',
  audit: 'none',
  example: { pull_request: '5' },
  async run(ctx, _, { pullRequest }) {
    const row = await stillOpen(ctx.db, pullRequest.row)
    const ends = await endsOf(ctx, row)
    const { ours, head, base } = await tipsOf(ctx, ends)
    const { target, source } = ends
    const { given: approvals, needed: approvals_needed } = await approvalsOf(ctx, row, target, head)
    const about = { merged: false, conflicts: [], head, approvals, approvals_needed }
    const approved = approvals >= approvals_needed
    if (base === head) return { ...about, mergeable: false, fast_forward: false, merged: true }
    if (base === ours) return { ...about, mergeable: approved, fast_forward: true }
    const tried = await onStorage(ctx, target, () =>
      storageOf(ctx.services, target).tryMerge(target.id, ours, head, { source: source.id, signal: ctx.signal }),
    )
    const conflicts = 'conflicts' in tried ? [...tried.conflicts] : []
    return { ...about, mergeable: approved && conflicts.length === 0, fast_forward: false, conflicts }
  },
})

// While it is open both ends may move on. What cannot be read now is shown as it was.
async function asItIsNow(ctx: Ctx, row: PullRequestRow): Promise<PullRequestRow> {
  if (row.state !== 'open') return row
  try {
    const { head, base } = await tipsOf(ctx, await endsOf(ctx, row))
    return { ...row, head, base: base === head ? row.base : base }
  } catch (error) {
    ctx.log.debug('pull_request.not_refreshed', { pull_request: row.id, error })
    return row
  }
}

async function span(ctx: Ctx, row: PullRequestRow): Promise<[from: string, to: string]> {
  const { base, head } = await asItIsNow(ctx, row)
  return [base ?? '', head]
}

function position(after: readonly (string | number)[] | null): [from: string, to: string, skip: number] | null {
  if (after === null) return null
  const [from, to, skip] = after
  const isCommit = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{40}$/.test(value)
  if ((from === '' || isCommit(from)) && isCommit(to) && typeof skip === 'number' && Number.isSafeInteger(skip) && skip >= 0) return [from, to, skip]
  throw fault('invalid_input', { operation: 'pull-request.list-commits', count: 1, first: '/cursor is not a cursor of this list' })
}

// Always the repository through which the caller may read the pull request: a cursor could name commits of the other one.
async function placeOf(ctx: Ctx, row: PullRequestRow): Promise<Pick<ResourceRow, 'id' | 'name' | 'spec'>> {
  const source = await ctx.db.resources.byId(row.source_id)
  if (source && (source.deleted_at === null || row.state !== 'merged')) return source
  const target = await ctx.db.resources.byId(row.target_id)
  return target ?? { id: row.source_id, name: '', spec: {} }
}

export { getPullRequest, listPullRequests, listPullRequestCommits, listPullRequestComments, checkPullRequest }
