import { analystGroupId } from '../kernel/builtin.ts'
import { fault } from '../kernel/fault.ts'
import { Nullable, OneOf } from '../kernel/schema.ts'
import { holdsSystem } from '../access/system.ts'
import { builtinGroupState } from './organisation.ts'
import { onlyAdministrators } from './user-rules.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const roleNames = ['administrator', 'analyst'] as const
type RoleName = (typeof roleNames)[number]

/** A role as inputs and outputs have it; null for none. */
const Role = Nullable(OneOf(roleNames))

/**
 * Whether somebody with that role is an administrator, or undefined where an input says neither a role nor that. Roles are for managers of users, and who is
 * an administrator is for administrators: other callers are refused. `before` is what the user is now.
 */
async function administratorBy(
  ctx: Ctx,
  operation: string,
  input: { readonly role?: RoleName | null; readonly administrator?: boolean },
  before: boolean,
): Promise<boolean | undefined> {
  const { role, administrator } = input
  if (role === undefined) return administrator
  if (administrator !== undefined) throw fault('malformed_request', { why: 'it has both "role" and "administrator"' })
  if (!(await holdsSystem(ctx, 'user.manage'))) {
    throw fault('forbidden', { operation: `${operation} with role`, need: 'the system permission user.manage', subject: 'this server' })
  }
  if ((role === 'administrator') !== before) onlyAdministrators(ctx, operation, ['role'])
  return role === 'administrator'
}

/** Makes a user an analyst, or no more one, as the role says. */
async function joinAnalysts(ctx: WriteCtx, user: string, role: RoleName | null | undefined): Promise<void> {
  if (role === 'analyst') await ctx.db.members.add((await analystGroup(ctx)).id, user, ctx.clock.now())
  else if (role !== undefined) await ctx.db.members.remove(analystGroupId, user)
}

/** The built-in group of the analysts, made when it is first asked for. */
async function analystGroup(ctx: WriteCtx): Promise<ResourceRow> {
  const { resources, grants } = ctx.db
  const known = await resources.byId(analystGroupId)
  if (known) return known
  const now = ctx.clock.now()
  // A group of users may be called so already.
  const name = (await resources.byName('group', 'analysts')) ? 'role:analyst' : 'analysts'
  if (await resources.byName('group', name)) throw fault('name_taken', { kind: 'group', name })
  const group = await resources.insert({
    id: analystGroupId,
    kind: 'group',
    name,
    owner_id: null,
    parent_id: null,
    private: false,
    active: true,
    state: builtinGroupState,
    spec: { description: 'The users whose role is analyst: they read and start every workflow.' },
    created_at: now,
    updated_at: now,
  })
  await grants.set({ resource_id: 'kind:workflow', subject_id: group.id, subject_kind: 'group', level: 'execute', extras: [], created_at: now })
  return group
}

export type { RoleName }
export { roleNames, Role, administratorBy, joinAnalysts }
