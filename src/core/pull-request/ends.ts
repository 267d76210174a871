import { fault, problemsFault } from '../kernel/fault.ts'
import { branchName, branchRef } from '../repository/branch-name.ts'
import { storageOf } from '../repository/code.ts'
import { onStorage } from '../repository/on-storage.ts'
import { specOf } from '../repository/spec.ts'
import type { Ctx } from '../operation/context.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** Where a pull request comes from and where it is to go. Branches are full ref names. */
type Ends = { readonly target: ResourceRow; readonly targetBranch: string; readonly source: ResourceRow; readonly sourceBranch: string }

/** The commits at both ends, and the one that they have in common. */
type Tips = { readonly ours: string; readonly head: string; readonly base: string | null }

const deepestFork = 50
const mostBrought = 1000

/** Refuses ends between which there can be no pull request: `invalid_input`. */
async function checkEnds(ctx: Ctx, { target, targetBranch, source, sourceBranch }: Ends): Promise<void> {
  if (target.id === source.id && targetBranch === sourceBranch) throw wrong('/source_branch', 'is the target branch itself')
  if (target.id !== source.id && (await origin(ctx.db, target)) !== (await origin(ctx.db, source)))
    throw wrong('/source_repository', 'is no fork of the repository, nor the other way round')
}

function wrong(path: string, message: string) {
  return problemsFault('invalid_input', 'pull-request.create', [{ path, code: 'ends', message }])
}

// Ids only: forks stay relatives when the repository that they come from is gone.
async function origin(db: Tables, row: ResourceRow): Promise<string> {
  let id = row.id
  let parent = specOf(row).fork_of
  for (let depth = 0; parent !== null && depth < deepestFork; depth++) {
    id = parent
    const above = await db.resources.byId(parent)
    parent = above ? specOf(above).fork_of : null
  }
  return id
}

/** The ends of a pull request that is there. A source that is gone: `state_conflict`. */
async function endsOf(ctx: Ctx, row: PullRequestRow): Promise<Ends> {
  const [target, source] = await Promise.all([row.target_id, row.source_id].map((id) => ctx.db.resources.byId(id)))
  if (!target || target.deleted_at !== null || !source || source.deleted_at !== null) {
    throw fault('state_conflict', {
      what: `The pull request "${row.serial}"`,
      state: 'without its source repository',
      next: 'Close it, and make another one.',
    })
  }
  return { target, targetBranch: branchRef(row.target_branch), source, sourceBranch: branchRef(row.source_branch) }
}

/** The commits at both ends as they are now. A branch that is not there: `not_found`; nothing in common: `state_conflict`. */
async function tipsOf(ctx: Ctx, ends: Ends): Promise<Tips & { base: string }> {
  const { target, source } = ends
  const storage = storageOf(ctx.services, target)
  const ours = await onStorage(ctx, target, () => storage.resolve(target.id, ends.targetBranch))
  if (ours === null) throw noBranch(ends.targetBranch, 'target_branch')
  const head = await onStorage(ctx, source, () => storage.resolve(source.id, ends.sourceBranch))
  if (head === null) throw noBranch(ends.sourceBranch, 'source_branch')
  const base = await onStorage(ctx, target, () => storage.mergeBase(target.id, ours, head, { source: source.id }))
  if (base === null) {
    throw fault('state_conflict', {
      what: `The branch "${branchName(ends.sourceBranch)}"`,
      state: `without a commit in common with "${branchName(ends.targetBranch)}"`,
      next: 'Begin it from the target branch.',
    })
  }
  return { ours, head, base }
}

/** The commits that a pull request brings, oldest first; of very many the newest thousand. */
async function broughtCommits(ctx: Ctx, { source }: Pick<Ends, 'source'>, { head, base }: Pick<Tips, 'head' | 'base'>): Promise<string[]> {
  const range = { limit: mostBrought, skip: 0, ...(base === null ? {} : { without: base }) }
  const commits = await onStorage(ctx, source, () => storageOf(ctx.services, source).log(source.id, head, range))
  return commits.map(({ id }) => id).reverse()
}

/** As `tipsOf`, and refuses what is part of the target already: `state_conflict`. */
async function newCommits(ctx: Ctx, ends: Ends): Promise<Tips & { base: string }> {
  const tips = await tipsOf(ctx, ends)
  if (tips.base !== tips.head) return tips
  throw fault('state_conflict', {
    what: `The branch "${branchName(ends.sourceBranch)}"`,
    state: `part of "${branchName(ends.targetBranch)}" already, with nothing left to merge`,
    next: 'Push commits to it first.',
  })
}

function noBranch(ref: string, member: string) {
  const reference = branchName(ref)
  return fault('not_found', { kind: 'branch', reference }, { private: { absence: 'missing', kind: 'branch', reference, member } })
}

/** Refuses while another open pull request has the same ends: `name_taken`, with its number. */
async function refuseSecond(db: Tables, ends: Ends): Promise<void> {
  const other = await db.pullRequests.open({
    target_id: ends.target.id,
    target_branch: branchName(ends.targetBranch),
    source_id: ends.source.id,
    source_branch: branchName(ends.sourceBranch),
  })
  if (!other) return
  throw fault(
    'name_taken',
    { kind: 'pull request', name: String(other.serial) },
    {
      details: { serial: other.serial, id: other.id },
      private: { kind: 'pull-request', reference: String(other.serial), member: 'source_branch' },
    },
  )
}

export type { Ends, Tips }
export { checkEnds, endsOf, tipsOf, broughtCommits, newCommits, refuseSecond }
