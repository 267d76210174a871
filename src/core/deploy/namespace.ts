import { find, findOrNull } from '../access/find.ts'
import { atLeast } from '../kernel/level.ts'
import { isSystemNamespace, reservedState } from '../access/namespace.ts'
import { holdsSystem } from '../access/system.ts'
import { auditRow } from '../audit/audit.ts'
import { isSignedIn, viewerOf } from '../identity/principal.ts'
import { fault } from '../kernel/fault.ts'
import { DuplicateKey } from '../../ports/store/store.ts'
import type { Level } from '../kernel/level.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Tables, Viewer } from '../../ports/store/tables.ts'

/**
 * Where a namespace stands.
 *
 * - `reserved`: made ahead of its first use, by a grant or by `namespace.create`. Only its grants count, and lists do not show it.
 * - `active`: something was deployed into it. It stays so when it is empty again.
 */
const namespaceStates = [reservedState, 'active'] as const
type NamespaceState = (typeof namespaceStates)[number]

/** Refuses the platform's own namespaces to everybody: `forbidden`. */
function refuseSystemNamespace(name: string, operation: string): void {
  if (!isSystemNamespace(name)) return
  const context = { kind: 'namespace', reference: name, member: 'namespace' } as const
  throw fault('forbidden', { operation, need: 'another namespace than the platform’s own', subject: `namespace:${name}` }, { private: context })
}

/**
 * The namespace when it exists and the caller may write it; null when nobody has used it yet. Somebody else's namespace is `forbidden` and not hidden: its
 * name is taken, and that cannot be kept from who wants to use it.
 */
async function writableNamespace(ctx: Ctx, name: string, operation: string): Promise<ResourceRow | null> {
  refuseSystemNamespace(name, operation)
  const row = await ctx.db.resources.byName('namespace', name)
  if (!row) return null
  const found = await findOrNull(ctx, { kind: 'namespace', need: 'read', member: 'namespace' }, name)
  if (found && atLeast(found.level, 'write')) return found.row
  throw forbidden(operation, 'write', name)
}

/** A namespace that somebody has deployed into, for a caller who may write it: `namespace_not_found` comes after `forbidden` (Deploy API §3.5). */
async function usedNamespace(ctx: Ctx, name: string, operation: string): Promise<ResourceRow> {
  const row = await ctx.db.resources.byName('namespace', name)
  if (row && ctx.services.settings.openRoutes === 'granted') {
    // Who may not even read it must not learn that it exists.
    await find(ctx, { kind: 'namespace', need: 'read', member: 'namespace' }, name, operation)
  }
  const writable = await writableNamespace(ctx, name, operation)
  if (writable?.state !== 'active') throw missingNamespace(name)
  return writable
}

/** Whether the caller may be the first to deploy into a namespace: *write* on the repository that it comes from, or the right to claim namespaces. */
async function mayBegin(ctx: Ctx, name: string, repository: Level | null, operation: string): Promise<void> {
  if (ctx.principal.administrator) return
  // Somebody put secrets there ahead: whoever gets in first must not get them.
  const [secret] = await ctx.db.secrets.ofScopes([`namespace:${name}`])
  if (!secret && repository && atLeast(repository, 'write')) return
  if (!secret && (await holdsSystem(ctx, 'namespace.create'))) return
  throw forbidden(operation, repository === null ? 'a grant made ahead' : 'write on the repository, or a grant made ahead,', name)
}

/** Makes the namespace with the caller as its first administrator, or gives the one that somebody made meanwhile. Its line in the audit trail is in the same commit. */
async function beginNamespace(
  ctx: Ctx,
  creation: AnyOperation,
  name: string,
  state: NamespaceState,
): Promise<{ row: ResourceRow; created: boolean }> {
  try {
    const row = await ctx.services.store.write(async (tables) => {
      const made = await insertNamespace(ctx, tables, name, state)
      await tables.audit.append([auditRow(ctx, creation, { namespace: name }, { id: made.id, name }, 'succeeded')])
      return made
    })
    return { row, created: true }
  } catch (error) {
    if (!(error instanceof DuplicateKey)) throw error
    const row = await writableNamespace(ctx, name, creation.name)
    if (!row) throw error
    return { row, created: false }
  }
}

/** The row and the first grant of a namespace. */
async function insertNamespace(ctx: Ctx, tables: Tables, name: string, state: NamespaceState): Promise<ResourceRow> {
  const now = ctx.clock.now()
  const row = await tables.resources.insert({
    id: ctx.ids.record(),
    kind: 'namespace',
    name,
    owner_id: null,
    parent_id: null,
    private: false,
    active: true,
    state,
    spec: {},
    created_at: now,
    updated_at: now,
  })
  if (ctx.principal.kind === 'user' || ctx.principal.kind === 'service') {
    await tables.grants.set({ resource_id: row.id, subject_id: ctx.principal.id, subject_kind: 'user', level: 'admin', extras: [], created_at: now })
  }
  return row
}

/** A reserved namespace becomes an active one. */
async function activateNamespace(ctx: Ctx, row: ResourceRow): Promise<void> {
  if (row.state === 'active') return
  await ctx.services.store.write((tables) => tables.resources.update(row.id, { state: 'active', updated_at: ctx.clock.now() }))
}

/** Takes back a namespace that was made for a deploy which then failed: a failed request leaves nothing. */
async function withdrawNamespace(ctx: Ctx, row: ResourceRow): Promise<void> {
  try {
    await ctx.services.store.write(async (tables) => {
      const used = await tables.runs.page({ resourceId: row.id }, null, 'newest', { limit: 1, after: null })
      if (used.items.length === 0) await tables.resources.markDeleted(row.id, ctx.clock.now())
    })
  } catch (error) {
    ctx.log.warn('namespace.left_empty', { namespace: row.name, error })
  }
}

/** Through whose eyes open lists and states are read (Deploy API §3.8): null sees everything. */
function openViewer(ctx: Ctx): Viewer | null {
  const { settings } = ctx.services
  const open = !settings.requireIdentityEverywhere && !ctx.principal.closed
  if (!open && !isSignedIn(ctx.principal)) throw fault('unauthenticated')
  return settings.openRoutes === 'all' || ctx.principal.administrator ? null : viewerOf(ctx.principal)
}

/** Checks that a list may be asked for a namespace: one that this system made, and that the caller may know of. */
async function readableNamespace(ctx: Ctx, name: string, viewer: Viewer | null): Promise<void> {
  const row = isSystemNamespace(name) ? null : await ctx.db.resources.byName('namespace', name)
  if (row?.state !== 'active') throw missingNamespace(name)
  if (viewer) await find(ctx, { kind: 'namespace', need: 'read', member: 'namespace' }, name)
}

function forbidden(operation: string, need: string, name: string) {
  const context = { kind: 'namespace', reference: name, member: 'namespace' } as const
  return fault('forbidden', { operation, need, subject: `namespace:${name}` }, { private: context })
}

function missingNamespace(name: string) {
  const context = { absence: 'missing', kind: 'namespace', reference: name, member: 'namespace' } as const
  return fault('not_found', { kind: 'namespace', reference: name }, { private: context })
}

export type { NamespaceState }
export {
  namespaceStates,
  refuseSystemNamespace,
  writableNamespace,
  usedNamespace,
  mayBegin,
  beginNamespace,
  insertNamespace,
  activateNamespace,
  withdrawNamespace,
  openViewer,
  readableNamespace,
}
