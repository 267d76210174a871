import { fault } from '../kernel/fault.ts'
import { isKind, kindOf } from '../resource/kind.ts'
import { isSignedIn, viewerOf } from '../identity/principal.ts'
import { atLeast, highest } from '../kernel/level.ts'
import { gistHeld } from './gist.ts'
import { heldAmong, heldOn } from './held.ts'
import { parseReference } from './reference.ts'
import { pullRequestAt, pullRequestLevel } from './pull-request.ts'
import { resourceAt } from './row.ts'
import { holdsSystem } from './system.ts'
import type { ResourceRow, RunRow, ScheduleRow, UserRow } from '../../ports/store/rows.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'
import type { WebhookRow } from '../../ports/store/webhooks.ts'
import type { WorkflowTriggerRow } from '../../ports/store/workflows.ts'
import type { Ctx } from '../operation/context.ts'
import type { Found, RowOf } from '../operation/operation.ts'
import type { Level } from '../kernel/level.ts'
import type { Reference } from './reference.ts'

type Need = { readonly kind: string; readonly need: Level; readonly extra?: string; readonly member?: string }

type Holding = {
  readonly row: UserRow | RunRow | ScheduleRow | PullRequestRow | WebhookRow | WorkflowTriggerRow | ResourceRow
  readonly level: Level
  readonly extras: readonly string[]
  readonly name: string
  /** It was deleted, and the caller could see it before. */
  readonly gone?: true
}

/**
 * The thing that a reference names, if the caller holds what is needed on it. Looking it up is the authorisation: there is no other way to a row.
 *
 * Errors: `not_found` when there is none or the caller may not know of it (which of the two, only the fault's private context says);
 * `forbidden` when the caller may see it but holds too little; `unauthenticated` instead of `forbidden` for callers without credentials.
 */
async function find<Kind extends string>(
  ctx: Ctx,
  need: Need & { readonly kind: Kind },
  reference: string,
  operation = 'this',
): Promise<Found<Kind>> {
  return judge(ctx, need, reference, operation, await hold(ctx, parseReference(reference, [need.kind])))
}

// What a caller holds on what a reference names, or why it may not go on.
function judge<Kind extends string>(
  ctx: Ctx,
  need: Need & { readonly kind: Kind },
  reference: string,
  operation: string,
  holding: Holding | null,
): Found<Kind> {
  const member = need.member ?? need.kind
  if (!holding || holding.level === 'none') {
    const absence = holding && !holding.gone ? 'hidden' : 'missing'
    const name = holding ? { path: holding.name } : {}
    const context = { absence, kind: need.kind, reference, member, ...name, ...(holding?.gone ? { note: 'gone' } : {}) } as const
    throw fault('not_found', { kind: title(need.kind), reference }, { private: context })
  }
  if (!atLeast(holding.level, need.need) || (need.extra && !hasExtra(holding, need.extra))) {
    if (!isSignedIn(ctx.principal)) throw fault('unauthenticated', {}, { private: { kind: need.kind, reference, member } })
    const wanted = need.extra && atLeast(holding.level, need.need) ? need.extra : need.need
    throw fault(
      'forbidden',
      { operation, need: wanted, subject: `${need.kind}:${holding.name}` },
      { private: { kind: need.kind, reference, member } },
    )
  }
  // The finder of a kind gives rows of that kind: `hold` is chosen by it.
  return { kind: need.kind, row: holding.row as RowOf<Kind>, level: holding.level, extras: holding.extras }
}

/** As `find`, but null where `find` would say `not_found`. */
async function findOrNull<Kind extends string>(ctx: Ctx, need: Need & { readonly kind: Kind }, reference: string): Promise<Found<Kind> | null> {
  const holding = await hold(ctx, parseReference(reference, [need.kind]))
  if (!holding || holding.level === 'none') return null
  return judge(ctx, need, reference, 'this', holding)
}

/** What the caller holds on a resource that a core function has in hand already. */
async function holds(ctx: Ctx, resource: ResourceRow): Promise<Level> {
  const { level } = await heldOn(ctx.db, resource, viewerOf(ctx.principal))
  return level
}

function hasExtra(holding: Holding, extra: string): boolean {
  return holding.level === 'admin' || holding.extras.includes(extra)
}

async function hold(ctx: Ctx, reference: Reference): Promise<Holding | null> {
  if (ctx.principal.closed) return null
  if (reference.kind === 'user') return holdUser(ctx, reference)
  if (reference.kind === 'run') return holdRun(ctx, reference)
  if (reference.kind === 'schedule') return holdSchedule(ctx, reference)
  if (reference.kind === 'pull-request') return holdPullRequest(ctx, reference)
  if (reference.kind === 'webhook') return holdWebhook(ctx, reference)
  if (reference.kind === 'trigger') return holdTrigger(ctx, reference)
  if (reference.kind === 'gist') return holdGist(ctx, reference)
  return holdResource(ctx, reference)
}

// A user holds `admin` on itself, administrators on everybody, and managers of users on all but administrators, whom they may look at; nobody else knows of a user.
async function holdUser(ctx: Ctx, reference: Reference): Promise<Holding | null> {
  const { users } = ctx.db
  const row = reference.id ? await users.byId(reference.id) : await users.byLogin(reference.name ?? '')
  if (!row) return null
  const self = row.id === ctx.principal.id && isSignedIn(ctx.principal)
  if (self || ctx.principal.administrator) return { row, level: 'admin', extras: [], name: row.name }
  const manages = row.kind !== 'builtin' && isSignedIn(ctx.principal) && (await holdsSystem(ctx, 'user.manage'))
  return { row, level: !manages ? 'none' : row.administrator ? 'read' : 'admin', extras: [], name: row.name }
}

// Who started a run may do to it what somebody with `execute` on its resource may.
async function holdRun(ctx: Ctx, reference: Reference): Promise<Holding | null> {
  const row = reference.id ? await ctx.db.runs.byId(reference.id) : null
  if (!row) return null
  const own: Level = row.started_by === ctx.principal.id && isSignedIn(ctx.principal) ? 'execute' : 'none'
  return { row, ...(await holdThrough(ctx, row.resource_id, own)), name: row.id }
}

async function holdSchedule(ctx: Ctx, reference: Reference): Promise<Holding | null> {
  const row = reference.id ? await ctx.db.schedules.byId(reference.id) : await scheduleNamed(ctx, reference.name ?? '')
  if (!row || row.deleted_at !== null) return null
  return { row, ...(await holdThrough(ctx, row.resource_id, 'none')), name: `${row.namespace}/${row.name}` }
}

// A cron job is called by its namespace and its name.
async function scheduleNamed(ctx: Ctx, name: string): Promise<ScheduleRow | null> {
  const slash = name.indexOf('/')
  return slash < 0 ? null : ctx.db.schedules.byName('task', name.slice(0, slash), name.slice(slash + 1))
}

async function holdPullRequest(ctx: Ctx, reference: Reference): Promise<Holding | null> {
  const row = await pullRequestAt(ctx, reference)
  if (!row) return null
  return { row, level: await pullRequestLevel(ctx, row), extras: [], name: String(row.serial) }
}

// Who administers a repository administers its webhooks; those of everything are for administrators.
async function holdWebhook(ctx: Ctx, reference: Reference): Promise<Holding | null> {
  const row = reference.id ? await ctx.db.webhooks.byId(reference.id) : null
  if (!row) return null
  return { row, ...(await holdThrough(ctx, row.resource_id, 'none')), name: row.id }
}

async function holdGist(ctx: Ctx, reference: Reference): Promise<Holding | null> {
  const held = await gistHeld(ctx, reference)
  return held && { ...held, name: held.row.name }
}

async function holdTrigger(ctx: Ctx, reference: Reference): Promise<Holding | null> {
  const row = reference.id ? await ctx.db.workflowTriggers.byId(reference.id) : null
  return row && { row, level: await triggerLevel(ctx, row), extras: [], name: row.name }
}

/** What the caller holds on a trigger: its owner everything; who may read a workflow that it starts reads it too. */
async function triggerLevel(ctx: Ctx, row: WorkflowTriggerRow): Promise<Level> {
  if (ctx.principal.administrator || (row.owner_id === ctx.principal.id && isSignedIn(ctx.principal))) return 'admin'
  const ids = await ctx.db.workflowTriggers.boundTo(row.id)
  const seen = await heldAmong(ctx.db, { kind: 'workflow', ids }, viewerOf(ctx.principal))
  return seen.size > 0 ? 'read' : 'none'
}

async function holdThrough(ctx: Ctx, resourceId: string | null, own: Level): Promise<{ level: Level; extras: readonly string[] }> {
  if (ctx.principal.administrator) return { level: 'admin', extras: [] }
  const row = resourceId ? await ctx.db.resources.byId(resourceId) : null
  if (!row) return { level: own, extras: [] }
  // Jobs stay readable when their workflow is deleted, for who could read it.
  const resource = row.kind === 'workflow' ? { ...row, deleted_at: null } : row
  const access = await heldOn(ctx.db, resource, viewerOf(ctx.principal))
  return { level: highest([access.level, own]), extras: access.extras }
}

async function holdResource(ctx: Ctx, reference: Reference): Promise<Holding | null> {
  const row = await resourceAt(ctx.db, reference)
  if (!row) return holdDeleted(ctx, reference)
  const access = await heldOn(ctx.db, row, viewerOf(ctx.principal))
  return { row, level: access.level, extras: access.extras, name: row.name }
}

// Of workflows alone a deleted one is told apart from one that never was (Komand contract §4), to those who could see it.
async function holdDeleted(ctx: Ctx, { kind, id }: Reference): Promise<Holding | null> {
  const row = kind === 'workflow' && id !== null ? await ctx.db.resources.byId(id) : null
  if (row?.kind !== kind || !row || row.deleted_at === null) return null
  const { level } = await heldOn(ctx.db, { ...row, deleted_at: null }, viewerOf(ctx.principal))
  return level === 'none' ? null : { row, level: 'none', extras: [], name: row.name, gone: true }
}

function title(kind: string): string {
  return isKind(kind) ? kindOf(kind).title : kind.replaceAll('-', ' ')
}

/** The word for what a broken rule of uniqueness was about. */
function missingKind(key: string): string {
  return key.startsWith('users.') ? 'user' : key.split('.')[0] || 'thing'
}

export type { Need }
export { find, findOrNull, holds, triggerLevel, missingKind }
