import { fault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { holdsSystem } from '../access/system.ts'
import { checkName, checkPassword, emailFor } from './names.ts'
import { moveToOrganisation } from './organisation.ts'
import { provePassword } from './prove.ts'
import { administratorBy, joinAnalysts, Role } from './role.ts'
import { checkNetworkList, emitUser, givenOf, keepAnAdministrator, onlyAdministrators, present, refuseBuiltin, refuseTaken } from './user-rules.ts'
import { administrativeMembers, Email, Name, Password, PersonName, UserReference } from './user-fields.ts'
import { User, userView } from './view.ts'
import type { Ctx } from '../operation/context.ts'
import type { UserRow } from '../../ports/store/rows.ts'

// How fresh a session must be to stand for the old password when its user sets a new one.
const freshMs = 600_000

const audit = {
  subject: (input: { user?: string }, output: { name: string } | undefined) => `user:${output?.name ?? input.user ?? ''}`,
}

export const update = defineOperation({
  name: 'user.update',
  summary: 'Changes a user. Everybody may change their own names; the rest is for administrators and managers of users.',
  input: Closed({
    user: UserReference,
    name: Type.Optional(Name),
    email: Type.Optional(Email),
    password: Type.Optional(Password),
    first_name: Type.Optional(PersonName),
    last_name: Type.Optional(PersonName),
    company_title: Type.Optional(PersonName),
    ...administrativeMembers,
    role: Type.Optional(Role),
    active: Type.Optional(Type.Boolean({ description: 'As user.enable and user.disable do it. Not for oneself.' })),
    networks: Type.Optional(
      Type.Array(Type.String({ maxLength: 60 }), { maxItems: 100, description: 'Networks (CIDR) that the user may come from.' }),
    ),
  }),
  output: User,
  access: 'signed-in',
  subjects: { user: subject('user', 'admin', 'user') },
  example: { user: 'ann', first_name: 'Ann', networks: ['10.0.0.0/8'] },
  secretMembers: ['password'],
  effect: 'act',
  audit: {
    ...audit,
    detail: ({ password, user: _, ...changes }) => present({ ...changes, ...(password === undefined ? {} : { password: 'changed' }) }),
  },
  async run(ctx, input, { user: { row } }) {
    if (Object.keys(input).some((member) => member !== 'user' && member !== 'networks')) refuseBuiltin(row)
    await mayChange(ctx, row, input)
    const name = input.name === undefined ? row.name : checkName('user name', input.name)
    const email = emailAfter(row, name, input)
    const networks = input.networks === undefined ? row.networks : checkNetworkList(input.networks)
    if (input.password) checkPassword(input.password, { name, email })
    const administrator = await administratorBy(ctx, 'user.update', input, row.administrator)
    const password_hash = input.password === undefined ? row.password_hash : input.password ? await ctx.services.passwords.hash(input.password) : null
    return ctx.write(async (inside) => {
      const current = await inside.db.users.byId(row.id)
      if (!current) throw fault('not_found', { kind: 'user', reference: input.user })
      const kind = input.service === undefined || current.kind === 'builtin' ? current.kind : input.service ? 'service' : 'user'
      const patch = {
        ...(input.name === undefined ? {} : { name }),
        ...(email === row.email ? {} : { email }),
        ...(input.password === undefined ? {} : { password_hash }),
        first_name: input.first_name ?? current.first_name,
        last_name: input.last_name ?? current.last_name,
        company_title: input.company_title ?? current.company_title,
        administrator: administrator ?? current.administrator,
        organisation: input.organisation ?? current.organisation,
        kind,
        networks,
        active: input.active ?? current.active,
        pending: input.active ? false : current.pending,
        updated_at: ctx.clock.now(),
      } satisfies Partial<UserRow>
      if (!patch.administrator || !patch.active) await keepAnAdministrator(inside, current)
      await refuseTaken(inside, { id: row.id, name: input.name, email: patch.email })
      await inside.db.users.update(row.id, patch)
      await joinAnalysts(inside, row.id, input.role)
      await moveToOrganisation(inside, row.id, current.organisation, patch.organisation)
      if ((input.password !== undefined && row.id !== ctx.principal.id) || !patch.active) await inside.db.sessions.endAll(row.id, patch.updated_at)
      emitUser(ctx, { id: row.id, name }, patch.active === current.active ? 'updated' : patch.active ? 'enabled' : 'disabled')
      return userView({ ...current, ...patch })
    })
  },
})

export const setPassword = defineOperation({
  name: 'user.set-password',
  summary: 'A new password, with the old one for oneself.',
  description:
    'The old password may be left out by administrators and managers for others, and for oneself in a session of the last ten minutes. ' +
    'Sessions of the user end when somebody else sets it, or with `end_sessions`.',
  input: Closed({
    user: Type.Optional(UserReference),
    password: Type.String({ minLength: 1, maxLength: 1024 }),
    old_password: Type.Optional(Type.String({ maxLength: 1024 })),
    end_sessions: Type.Optional(Type.Boolean()),
  }),
  output: User,
  access: 'signed-in',
  subjects: { user: subject('user', 'admin', 'user') },
  example: { password: 'a-longer-password', old_password: 'a-long-password' },
  secretMembers: ['password', 'old_password'],
  effect: 'act',
  audit,
  async run(ctx, input, found: { user?: { row: UserRow } }) {
    const target = found.user?.row ?? (await ctx.db.users.byId(ctx.principal.id))
    if (!target) throw fault('unauthenticated')
    refuseBuiltin(target)
    if (target.kind === 'service') throw fault('invalid_name', { what: 'password', name: '***', why: 'a service user signs in with API keys only' })
    const own = target.id === ctx.principal.id
    if (own) await proveOwn(ctx, target, input.old_password)
    checkPassword(input.password, target)
    const password_hash = await ctx.services.passwords.hash(input.password)
    return ctx.write(async (inside) => {
      const patch = { password_hash, updated_at: ctx.clock.now() }
      await inside.db.users.update(target.id, patch)
      if (input.end_sessions ?? !own) await inside.db.sessions.endAll(target.id, patch.updated_at)
      emitUser(ctx, target, 'updated')
      return userView({ ...target, ...patch })
    })
  },
})

type Changes = { [M in 'email' | 'name' | 'password' | 'administrator' | 'organisation' | 'networks' | 'service' | 'active']?: unknown }

// What decides who somebody is to others, or from where, is not for the user alone: e-mail addresses identify callers that a trusted peer names.
async function mayChange(ctx: Ctx, row: UserRow, input: Changes): Promise<void> {
  onlyAdministrators(ctx, 'user.update', givenOf(input, ['administrator', 'organisation']))
  const own = row.id === ctx.principal.id
  const identifying = [...givenOf(input, ['email', 'networks', 'service', 'active']), ...(String(input.name ?? '').includes('@') ? ['name'] : [])]
  if (own && identifying.length > 0 && !(await holdsSystem(ctx, 'user.manage'))) onlyAdministrators(ctx, 'user.update', identifying)
  if (own && input.password !== undefined) await proveOwn(ctx, row, undefined)
}

async function proveOwn(ctx: Ctx, user: UserRow, old: string | undefined): Promise<void> {
  if (old !== undefined) {
    await provePassword(ctx.services, user, { login: user.name, password: old }, ctx.origin)
    return
  }
  const { credential, credentialId } = ctx.principal
  const session = credential === 'cookie' || credential === 'bearer' ? await ctx.db.sessions.byId(credentialId ?? '') : null
  if (session && ctx.clock.now() - session.created_at < freshMs) return
  throw fault('forbidden', {
    operation: 'user.set-password',
    need: 'the old password, or a session of the last ten minutes,',
    subject: `user:${user.name}`,
  })
}

function emailAfter(row: UserRow, name: string, input: { name?: string; email?: string | null }): string | null {
  if (input.email !== undefined) return emailFor(name, input.email)
  if (input.name === undefined) return row.email
  // An address that came from the old name goes with it.
  const fromName = row.email !== null && row.name.toLowerCase() === row.email
  return emailFor(name, fromName || name.includes('@') ? null : row.email)
}
