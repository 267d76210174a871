import { isSignedIn, viewerOf } from '../identity/principal.ts'
import { atLeast, highest } from '../kernel/level.ts'
import { heldOn } from './held.ts'
import type { Level } from '../kernel/level.ts'
import type { Ctx } from '../operation/context.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Viewer } from '../../ports/store/tables.ts'
import type { Reference } from './reference.ts'

/** The pull request of a reference. Its number is its name: it has no other, so digits cannot be mistaken for something else. */
async function pullRequestAt(ctx: Ctx, { id, name }: Reference): Promise<PullRequestRow | null> {
  if (id) return ctx.db.pullRequests.byId(id)
  return /^[1-9][0-9]{0,14}$/.test(name ?? '') ? ctx.db.pullRequests.bySerial(Number(name)) : null
}

/**
 * What the caller holds on a pull request (Kallithea contract §15 D30): who may read its source may read it. Beyond that its author may change and close
 * it (*execute*), and whoever may write the target may merge it (*write*).
 */
async function pullRequestLevel(ctx: Ctx, row: PullRequestRow): Promise<Level> {
  const target = await repositoryAt(ctx, row.target_id)
  if (!target) return 'none'
  const viewer = viewerOf(ctx.principal)
  if (!(await mayReadPullRequest(ctx, row, viewer))) return 'none'
  const own: Level = row.author_id === ctx.principal.id && isSignedIn(ctx.principal) ? 'execute' : 'read'
  const held = await levelOn(ctx, target, viewer)
  return highest([own, atLeast(held, 'write') ? held : 'read'])
}

/** Whether a user may read a pull request. One whose source is gone is its target's when it was merged, and else administrators' only. */
async function mayReadPullRequest(ctx: Ctx, row: Pick<PullRequestRow, 'source_id' | 'target_id' | 'state'>, viewer: Viewer): Promise<boolean> {
  if (viewer.administrator) return true
  const source = await repositoryAt(ctx, row.source_id)
  const through = source ?? (row.state === 'merged' ? await repositoryAt(ctx, row.target_id) : null)
  return through !== null && atLeast(await levelOn(ctx, through, viewer), 'read')
}

async function repositoryAt(ctx: Ctx, id: string): Promise<ResourceRow | null> {
  const row = await ctx.db.resources.byId(id)
  return row?.deleted_at === null ? row : null
}

async function levelOn(ctx: Ctx, row: ResourceRow, viewer: Viewer): Promise<Level> {
  return (await heldOn(ctx.db, row, viewer)).level
}

export { pullRequestAt, pullRequestLevel, mayReadPullRequest }
