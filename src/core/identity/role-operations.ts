import { defineOperation, subject } from '../operation/operation.ts'
import { heldSystemPermissions, systemPermissions } from '../access/system.ts'
import { fault } from '../kernel/fault.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, Nullable, OneOf, PageOf, Type } from '../kernel/schema.ts'
import { analystGroupId, systemResourceId } from '../kernel/builtin.ts'
import { builtinGroupState } from './organisation.ts'
import { emitUser, keepAnAdministrator, onlyAdministrators, refuseBuiltin } from './user-rules.ts'
import { UserReference } from './user-fields.ts'
import { viewerOf } from './principal.ts'
import { UserSummary, userSummary } from './view.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { ResourceRow, UserRow } from '../../ports/store/rows.ts'

const roleNames = ['administrator', 'analyst'] as const
type RoleName = (typeof roleNames)[number]

const permissionsMember = Type.Array(Type.String(), { description: 'System permissions.' })

const list = defineOperation({
  name: 'role.list',
  summary: 'The built-in bundles of rights: an administrator may everything, an analyst reads and starts every workflow.',
  input: Closed({}),
  output: Closed({ items: Type.Array(Closed({ name: OneOf(roleNames), description: Type.String(), system_permissions: permissionsMember })) }),
  access: 'signed-in',
  subjects: {},
  example: {},
  effect: 'read',
  audit: 'none',
  run: async () => ({
    items: [
      { name: 'administrator' as const, description: 'Administrator', system_permissions: Object.keys(systemPermissions) },
      { name: 'analyst' as const, description: 'Analyst', system_permissions: [] },
    ],
  }),
})

const assign = defineOperation({
  name: 'role.assign',
  summary: 'Gives a user a role in place of the one that the user has; null takes it away.',
  description: 'Grants that a user holds besides stay as they are.',
  input: Closed({ user: UserReference, role: Nullable(OneOf(roleNames)) }),
  output: Closed({ id: Type.String(), name: Type.String(), role: Nullable(OneOf(roleNames)) }),
  access: { system: 'user.manage' },
  subjects: { user: subject('user', 'admin', 'user') },
  example: { user: 'ann', role: 'analyst' },
  effect: 'write',
  audit: {
    subject: (input, output) => `user:${output?.name ?? input.user}`,
    subjectId: (_, output) => output?.id ?? null,
    detail: ({ role }) => ({ role }),
  },
  async run(ctx, { role }, { user: { row } }) {
    refuseBuiltin(row)
    const administrator = role === 'administrator'
    if (administrator !== row.administrator) {
      onlyAdministrators(ctx, 'role.assign', ['role'])
      if (!administrator) await keepAnAdministrator(ctx, row)
      await ctx.db.users.update(row.id, { administrator, updated_at: ctx.clock.now() })
    }
    if (role === 'analyst') await ctx.db.members.add((await analystGroup(ctx)).id, row.id, ctx.clock.now())
    else await ctx.db.members.remove(analystGroupId, row.id)
    emitUser(ctx, row, 'updated')
    return { id: row.id, name: row.name, role }
  },
})

const RoleUser = Closed({ ...UserSummary.properties, role: Nullable(OneOf(roleNames)), system_permissions: permissionsMember })

const listUsers = defineOperation({
  name: 'role.list-users',
  summary: 'Every user with the role and the system permissions that the user holds.',
  description: 'E-mail addresses of others are for managers of users; names are no secret among those who are signed in.',
  input: Closed({ serial: Type.Optional(Type.Integer({ minimum: 1, description: 'Only the user of this number.' })), ...listMembers }),
  output: PageOf(RoleUser),
  access: 'signed-in',
  subjects: {},
  example: {},
  effect: 'read',
  audit: 'none',
  async run(ctx, input) {
    const one = input.serial === undefined ? null : await ctx.db.users.bySerial(input.serial)
    const page =
      input.serial === undefined
        ? await ctx.db.users.page({ kinds: ['user', 'service'] }, pageRequest(input))
        : { items: one ? [one] : [], next: null }
    const people = page.items.filter(({ kind }) => kind !== 'builtin')
    const held = await heldSystemPermissions(ctx)
    const open = ctx.principal.administrator || held.includes('user.manage')
    const analysts = new Set((await ctx.db.members.ofGroup(analystGroupId)).map(({ id }) => id))
    const system = await ctx.db.resources.byId(systemResourceId)
    const items = []
    for (const row of people) {
      const email = open || row.id === ctx.principal.id ? row.email : null
      items.push({ ...userSummary(row), email, role: roleOf(row, analysts), system_permissions: await permissionsOf(ctx, row, system) })
    }
    return { items, next: page.next }
  },
})

function roleOf(row: UserRow, analysts: ReadonlySet<string>): RoleName | null {
  if (row.administrator) return 'administrator'
  return analysts.has(row.id) ? 'analyst' : null
}

async function permissionsOf(ctx: Ctx, row: UserRow, system: ResourceRow | null): Promise<string[]> {
  if (row.administrator) return Object.keys(systemPermissions)
  if (!system) return []
  return (await ctx.db.resources.access(system, viewerOf({ ...ctx.principal, id: row.id, administrator: false }), { ownerIsAdmin: false })).extras
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

const roleOperations: AnyOperation[] = [list, assign, listUsers]

export { roleOperations }
