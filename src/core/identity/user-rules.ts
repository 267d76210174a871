import { fault } from '../kernel/fault.ts'
import { parseNetwork } from '../kernel/network.ts'
import { everyoneId } from '../kernel/builtin.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { UserRow } from '../../ports/store/rows.ts'

/** Refuses a name or address that another user signs in with. Counts in the transaction that takes it; before that it only tells early. */
async function refuseTaken(ctx: Pick<Ctx, 'db'>, user: { id: string; name?: string | undefined; email?: string | null | undefined }): Promise<void> {
  for (const [kind, login] of [
    ['user', user.name],
    ['e-mail address', user.email],
  ] as const) {
    if (typeof login !== 'string') continue
    const other = await ctx.db.users.byLogin(login)
    if (other && other.id !== user.id) throw fault('name_taken', { kind, name: login }, { private: { kind, reference: login } })
  }
}

/** Refuses what would leave nobody to administer. To be called in the transaction of the change. */
async function keepAnAdministrator(ctx: WriteCtx, target: UserRow): Promise<void> {
  if (!target.administrator || !target.active || (await ctx.db.users.administrators()) > 1) return
  throw fault('state_conflict', {
    what: `The user "${target.name}"`,
    state: 'the last active administrator',
    next: 'Make somebody else an administrator first.',
  })
}

/** Refuses changes of the built-in user, which stands for everyone. */
function refuseBuiltin(target: UserRow): void {
  if (target.kind !== 'builtin') return
  throw fault('state_conflict', {
    what: `The user "${target.name}"`,
    state: 'built in',
    next: 'It can be enabled and disabled, and take grants and networks.',
  })
}

/** The networks of an input, or `invalid_name` for one that is none. */
function checkNetworkList(networks: readonly string[]): string[] {
  for (const network of networks) {
    if (!parseNetwork(network)) throw fault('invalid_name', { what: 'network', name: network, why: 'it is no CIDR block such as 10.0.0.0/8' })
  }
  return [...networks]
}

/** Which of these members an input gives. */
function givenOf<Input extends object>(input: Input, members: readonly (keyof Input & string)[]): string[] {
  return members.filter((member) => input[member] !== undefined)
}

/** The members that are there, for the detail of an audit line. */
function present(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  const kept: JsonObject = {}
  for (const [name, value] of Object.entries(members)) if (value !== undefined) kept[name] = value
  return kept
}

/** The fault for a member of an input that only administrators may give. */
function onlyAdministrators(ctx: Ctx, operation: string, members: readonly string[]): void {
  if (ctx.principal.administrator || members.length === 0) return
  throw fault('forbidden', { operation: `${operation} with ${members.join(', ')}`, need: 'an administrator', subject: 'this server' })
}

/** A row for a new user, with everything that was not said left empty. */
function newUser(ctx: Pick<Ctx, 'ids' | 'clock'>, given: Pick<UserRow, 'name'> & Partial<UserRow>): Omit<UserRow, 'serial'> & { serial?: number } {
  const now = ctx.clock.now()
  return {
    id: ctx.ids.record(),
    email: null,
    first_name: '',
    last_name: '',
    company_title: '',
    kind: 'user',
    administrator: false,
    active: true,
    pending: false,
    password_hash: null,
    organisation: '',
    networks: [],
    created_at: now,
    updated_at: now,
    last_sign_in_at: null,
    ...given,
  }
}

/** Tells followers that a user changed; the user hears of it as well. */
function emitUser(ctx: Ctx, user: Pick<UserRow, 'id' | 'name'>, state: 'created' | 'updated' | 'disabled' | 'enabled' | 'deleted'): void {
  ctx.emit({ kind: 'user', id: user.id, name: user.name, state, resource_id: null, user_id: user.id === everyoneId ? null : user.id })
}

export { refuseTaken, keepAnAdministrator, refuseBuiltin, checkNetworkList, givenOf, present, onlyAdministrators, newUser, emitUser }
