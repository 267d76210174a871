import { defineOperation, subject } from '../operation/operation.ts'
import { heldSystemPermissions, systemPermissions } from '../access/system.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, OneOf, PageOf, Type } from '../kernel/schema.ts'
import { analystGroupId, systemResourceId } from '../kernel/builtin.ts'
import { administratorBy, joinAnalysts, Role, roleNames } from './role.ts'
import { emitUser, keepAnAdministrator, refuseBuiltin } from './user-rules.ts'
import { UserReference } from './user-fields.ts'
import { viewerOf } from './principal.ts'
import { UserSummary, userSummary } from './view.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { RoleName } from './role.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow, UserRow } from '../../ports/store/rows.ts'

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
  input: Closed({ user: UserReference, role: Role }),
  output: Closed({ id: Type.String(), name: Type.String(), role: Role }),
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
    const administrator = await administratorBy(ctx, 'role.assign', { role }, row.administrator)
    if (administrator !== undefined && administrator !== row.administrator) {
      if (!administrator) await keepAnAdministrator(ctx, row)
      await ctx.db.users.update(row.id, { administrator, updated_at: ctx.clock.now() })
    }
    await joinAnalysts(ctx, row.id, role)
    emitUser(ctx, row, 'updated')
    return { id: row.id, name: row.name, role }
  },
})

const RoleUser = Closed({ ...UserSummary.properties, role: Role, system_permissions: permissionsMember })

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

const roleOperations: AnyOperation[] = [list, assign, listUsers]

export { roleOperations }
