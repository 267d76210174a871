import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { viewerOf } from '../identity/principal.ts'
import { heldAmong } from '../access/held.ts'
import { branchRef } from '../repository/branch-name.ts'
import { storageOf } from '../repository/code.ts'
import { statuses, statusOf } from './status.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { CommentRow, PullRequestRow } from '../../ports/store/reviews.ts'

const UserName = Closed({ id: Type.String(), name: Type.String() })

const Review = Closed({
  by: Type.String(),
  by_id: Type.String(),
  status: OneOf(statuses),
  at: Time,
  head: Nullable(Type.String({ description: 'The commit that was looked at. Another one may have been pushed since.' })),
})

/** A pull request as callers see it. */
const PullRequest = Closed({
  id: Type.String(),
  serial: Type.Integer({ description: 'Its number, the same for ever.' }),
  state: OneOf(['open', 'closed', 'merged']),
  title: Type.String(),
  description: Type.String(),
  author: Type.String(),
  author_id: Type.String(),
  repository: Nullable(Type.String({ description: 'The path of the repository that it is to go into, if the caller may read that.' })),
  repository_id: Type.String(),
  repository_serial: Nullable(Type.Integer({ description: 'The number of that repository: `_<number>` stands for its path.' })),
  target_branch: Type.String(),
  source_repository: Nullable(Type.String({ description: 'The path of the repository that it comes from, while there is one.' })),
  source_repository_id: Type.String(),
  source_branch: Type.String(),
  head: Type.String({ description: 'The commit at the end of the source branch: while it is open as it is now, else as it was then.' }),
  base: Nullable(Type.String({ description: 'The commit that both branches have in common. In lists as it was at the last change.' })),
  reviewers: Type.Array(UserName),
  reviews: Type.Array(Review, { description: 'The last vote of each who gave one.' }),
  merge: Nullable(
    Closed({
      strategy: OneOf(['merge', 'fast-forward', 'none'], { description: 'none: it was part of the target already.' }),
      commit: Type.String({ description: 'What the target branch pointed at then.' }),
      by: Type.String(),
      by_id: Type.String(),
    }),
  ),
  created_at: Time,
  updated_at: Time,
  closed_at: Nullable(Time),
})
type PullRequestView = Static<typeof PullRequest>
type MergeRecord = NonNullable<PullRequestView['merge']>

/** A remark or a vote as callers see it. */
const Comment = Closed({
  id: Type.String(),
  serial: Type.Integer(),
  pull_request: Type.Integer({ description: 'The number of the pull request that it is on.' }),
  pull_request_id: Type.String(),
  by: Type.String(),
  by_id: Type.String(),
  at: Time,
  text: Type.String(),
  status: Nullable(OneOf(statuses)),
  head: Nullable(Type.String({ description: 'The commit that was voted on.' })),
  commits: Type.Array(Type.String(), { description: 'Of a vote: the commits that it counts for, oldest first, a thousand at most.' }),
})
type CommentView = Static<typeof Comment>

/** Pull requests as the caller may see them. Reads what all of them need at once. */
async function viewPullRequests(ctx: Ctx, rows: readonly PullRequestRow[]): Promise<PullRequestView[]> {
  if (rows.length === 0) return []
  const { db } = ctx
  const paths = await readablePaths(
    ctx,
    rows.flatMap(({ target_id, source_id }) => [target_id, source_id]),
  )
  // A number tells nothing but that there is one, which the pull request says already.
  const serials = new Map((await db.resources.byIds(rows.map(({ target_id }) => target_id))).map(({ id, serial }) => [id, serial]))
  const votes = await db.comments.votes(rows.map(({ id }) => id))
  const ids = new Set([...rows.flatMap(({ author_id, reviewers }) => [author_id, ...reviewers]), ...votes.map(({ author_id }) => author_id)])
  const names = new Map((await db.users.byIds([...ids])).map(({ id, name }) => [id, name]))
  return rows.map((row) => ({
    id: row.id,
    serial: row.serial,
    state: row.state,
    title: row.title,
    description: row.description,
    author: names.get(row.author_id) ?? row.author,
    author_id: row.author_id,
    repository: paths.get(row.target_id) ?? null,
    repository_id: row.target_id,
    repository_serial: serials.get(row.target_id) ?? null,
    target_branch: row.target_branch,
    source_repository: paths.get(row.source_id) ?? null,
    source_repository_id: row.source_id,
    source_branch: row.source_branch,
    head: row.head,
    base: row.base,
    reviewers: row.reviewers.flatMap((id) => (names.has(id) ? { id, name: names.get(id) ?? '' } : [])),
    reviews: votes.filter(({ subject_id }) => subject_id === row.id).map((vote) => viewReview(vote, names)),
    // Written by merge.ts as a record of this form only.
    merge: row.merge as MergeRecord | null,
    created_at: time(row.created_at),
    updated_at: time(row.updated_at),
    closed_at: timestamp(row.closed_at),
  }))
}

/** One pull request as the caller may see it. */
async function viewPullRequest(ctx: Ctx, row: PullRequestRow): Promise<PullRequestView> {
  const [view] = await viewPullRequests(ctx, [row])
  if (!view) throw new Error('A view of one row is one view')
  return view
}

/** Comments on a pull request as callers see them. */
async function viewComments(ctx: Ctx, on: PullRequestRow, rows: readonly CommentRow[]): Promise<CommentView[]> {
  const votes = rows.filter(({ status }) => status !== null)
  const voted = votes.length > 0 ? await ctx.db.comments.voted(votes.map(({ id }) => id)) : new Map<string, readonly string[]>()
  const users = rows.length > 0 ? await ctx.db.users.byIds([...new Set(rows.map(({ author_id }) => author_id))]) : []
  const names = new Map(users.map(({ id, name }) => [id, name]))
  return rows.map((row) => ({
    id: row.id,
    serial: row.serial,
    pull_request: on.serial,
    pull_request_id: on.id,
    by: names.get(row.author_id) ?? row.author,
    by_id: row.author_id,
    at: time(row.at),
    text: row.text,
    status: statusOf(row),
    head: row.head,
    // Votes of long ago were kept with their head only.
    commits: [...(voted.get(row.id) ?? (row.status !== null && row.head !== null ? [row.head] : []))],
  }))
}

/** The rows with the heads that open ones have now. What cannot be read now stays as it was. */
async function withHeads(ctx: Ctx, rows: readonly PullRequestRow[]): Promise<PullRequestRow[]> {
  const sources = new Map((await ctx.db.resources.byIds(rows.map(({ source_id }) => source_id))).map((source) => [source.id, source]))
  return Promise.all(
    rows.map(async (row) => {
      const source = sources.get(row.source_id)
      if (row.state !== 'open' || !source) return row
      const head = await storageOf(ctx.services, source)
        .resolve(row.source_id, branchRef(row.source_branch))
        .catch((error: unknown) => {
          ctx.log.warn('pull_request.head_not_read', { pull_request: row.id, error })
          return null
        })
      return head === null ? row : { ...row, head }
    }),
  )
}

function viewReview(vote: CommentRow, names: ReadonlyMap<string, string>) {
  const by = names.get(vote.author_id) ?? vote.author
  return { by, by_id: vote.author_id, status: statusOf(vote) ?? 'not_reviewed', at: time(vote.at), head: vote.head }
}

function time(ms: number): string {
  return timestamp(ms)
}

// The path of a repository that the caller may not read would tell of it.
async function readablePaths(ctx: Ctx, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const seen = await heldAmong(ctx.db, { kind: 'repository', ids: [...new Set(ids)] }, viewerOf(ctx.principal))
  const rows = await ctx.db.resources.byIds([...seen])
  return new Map(rows.map(({ id, name }) => [id, name]))
}

export type { PullRequestView, CommentView, MergeRecord }
export { PullRequest, Comment, viewPullRequests, viewPullRequest, viewComments, withHeads }
