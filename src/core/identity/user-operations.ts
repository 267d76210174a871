import { fault } from '../kernel/fault.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, PageOf, Type } from '../kernel/schema.ts'
import { holdsSystem } from '../access/system.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { checkName, checkPassword, emailFor } from './names.ts'
import { defaultOrganisation, moveToOrganisation } from './organisation.ts'
import { emitUser, givenOf, keepAnAdministrator, newUser, onlyAdministrators, present, refuseBuiltin, refuseTaken } from './user-rules.ts'
import { administratorBy, joinAnalysts, Role } from './role.ts'
import { handOver } from './user-ownership.ts'
import { setPassword, update } from './user-update.ts'
import { administrativeMembers, Email, Name, Password, PersonName, UserReference } from './user-fields.ts'
import { User, userView } from './view.ts'
import type { AnyOperation } from '../operation/operation.ts'

const target = { user: UserReference }

const audit = {
  subject: (input: { user?: string }, output: { name: string } | undefined) => `user:${output?.name ?? input.user ?? ''}`,
}

const create = defineOperation({
  name: 'user.create',
  summary: 'A new user.',
  input: Closed({
    name: Name,
    email: Type.Optional(Email),
    password: Type.Optional(Password),
    first_name: Type.Optional(PersonName),
    last_name: Type.Optional(PersonName),
    company_title: Type.Optional(PersonName),
    ...administrativeMembers,
    role: Type.Optional(Role),
    active: Type.Optional(Type.Boolean()),
  }),
  output: User,
  access: { system: 'user.create' },
  subjects: {},
  example: { name: 'ann', email: 'ann@example.org', password: 'a-long-password' },
  secretMembers: ['password'],
  effect: 'act',
  audit: {
    subject: (input) => `user:${input.name}`,
    detail: ({ administrator, role, organisation, service }) => present({ administrator, role, organisation, service }),
  },
  async run(ctx, input) {
    onlyAdministrators(ctx, 'user.create', givenOf(input, ['administrator', 'organisation']))
    const administrator = (await administratorBy(ctx, 'user.create', input, false)) ?? false
    const name = checkName('user name', input.name)
    await refuseTaken(ctx, { id: '', name })
    const email = emailFor(name, input.email)
    await refuseTaken(ctx, { id: '', email })
    const password = input.password || null
    if (password !== null && input.service)
      throw fault('invalid_name', { what: 'password', name: '***', why: 'a service user signs in with API keys only' })
    if (password !== null) checkPassword(password, { name, email })
    const hash = password === null ? null : await ctx.services.passwords.hash(password)
    return ctx.write(async (inside) => {
      const organisation = input.organisation ?? (await defaultOrganisation(inside))
      const row = newUser(ctx, {
        name,
        email,
        first_name: input.first_name ?? '',
        last_name: input.last_name ?? '',
        company_title: input.company_title ?? '',
        kind: input.service ? 'service' : 'user',
        administrator,
        active: input.active ?? true,
        password_hash: hash,
        organisation,
      })
      await refuseTaken(inside, row)
      const user = await inside.db.users.insert(row)
      await joinAnalysts(inside, user.id, input.role)
      await moveToOrganisation(inside, user.id, '', organisation)
      emitUser(ctx, user, 'created')
      return userView(user)
    })
  },
})

const get = defineOperation({
  name: 'user.get',
  summary: 'One user.',
  input: Closed(target),
  output: User,
  access: 'signed-in',
  subjects: { user: subject('user', 'read', 'user') },
  example: { user: 'ann' },
  effect: 'read',
  audit: 'none',
  run: async (_ctx, _input, { user }) => userView(user.row),
})

const list = defineOperation({
  name: 'user.list',
  summary: 'All users for administrators and managers of users, oneself for others.',
  input: Closed(listMembers),
  output: PageOf(User),
  access: 'signed-in',
  subjects: {},
  example: {},
  effect: 'read',
  audit: 'none',
  async run(ctx, input) {
    const all = await holdsSystem(ctx, 'user.manage')
    const { items, next } = await ctx.db.users.page(all ? {} : { only: ctx.principal.id }, pageRequest(input))
    return { items: items.map(userView), next }
  },
})

const disable = defineOperation({
  name: 'user.disable',
  summary: 'Closes an account: its sessions end at once, its keys do not count. For `default`: closes anonymous access.',
  input: Closed(target),
  output: User,
  access: { system: 'user.manage' },
  subjects: { user: subject('user', 'admin', 'user') },
  example: { user: 'ann' },
  effect: 'write',
  audit,
  async run(ctx, _input, { user: { row } }) {
    await keepAnAdministrator(ctx, row)
    const now = ctx.clock.now()
    await ctx.db.users.update(row.id, { active: false, updated_at: now })
    await ctx.db.sessions.endAll(row.id, now)
    emitUser(ctx, row, 'disabled')
    return userView({ ...row, active: false, updated_at: now })
  },
})

const enable = defineOperation({
  name: 'user.enable',
  summary: 'Opens an account again, or approves one that signed up.',
  input: Closed(target),
  output: User,
  access: { system: 'user.manage' },
  subjects: { user: subject('user', 'admin', 'user') },
  example: { user: 'ann' },
  effect: 'write',
  audit,
  async run(ctx, _input, { user: { row } }) {
    const patch = { active: true, pending: false, updated_at: ctx.clock.now() }
    await ctx.db.users.update(row.id, patch)
    emitUser(ctx, row, 'enabled')
    return userView({ ...row, ...patch })
  },
})

const remove = defineOperation({
  name: 'user.delete',
  summary: 'Deletes a user with grants, memberships, sessions and keys; what the user owns is handed to `new_owner`.',
  input: Closed({ ...target, new_owner: Type.Optional(UserReference) }),
  output: Closed({ id: Type.String(), serial: Type.Integer(), name: Type.String() }),
  access: { system: 'user.manage' },
  subjects: { user: subject('user', 'admin', 'user'), owner: subject('user', 'admin', 'new_owner') },
  example: { user: 'ann', new_owner: 'bob' },
  effect: 'write',
  audit: { ...audit, detail: ({ new_owner }) => present({ new_owner }) },
  async run(ctx, input, { user: { row }, owner }) {
    refuseBuiltin(row)
    await keepAnAdministrator(ctx, row)
    await handOver(ctx, row, input.new_owner === undefined ? null : owner.row)
    await ctx.db.users.remove(row.id)
    emitUser(ctx, row, 'deleted')
    return { id: row.id, serial: row.serial, name: row.name }
  },
})

const userOperations: AnyOperation[] = [create, get, list, update, setPassword, disable, enable, remove]

export { userOperations }
