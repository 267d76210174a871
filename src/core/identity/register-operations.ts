import { fault } from '../kernel/fault.ts'
import { inNetworks, parseAddress, parseNetworks } from '../kernel/network.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { signedIn, SignedIn } from './session-operations.ts'
import { checkName, checkPassword, emailFor } from './names.ts'
import { defaultOrganisation, moveToOrganisation } from './organisation.ts'
import { openSession } from './session.ts'
import { emitUser, newUser, refuseTaken } from './user-rules.ts'
import { Email, Name, PersonName } from './user-fields.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { Origin, WriteCtx } from '../operation/context.ts'
import type { UserRow } from '../../ports/store/rows.ts'

const loopback = parseNetworks(['127.0.0.0/8', '::1'])

const register = defineOperation({
  name: 'user.register',
  summary: 'An account for oneself, as the configured registration allows it.',
  description: 'With `approval` the account waits until an administrator enables it; its session answers `session.describe` only until then.',
  input: Closed({
    name: Name,
    password: Type.String({ minLength: 1, maxLength: 1024 }),
    email: Type.Optional(Email),
    first_name: Type.Optional(PersonName),
    last_name: Type.Optional(PersonName),
  }),
  output: SignedIn,
  access: 'anyone',
  entrance: true,
  subjects: {},
  example: { name: 'ann', email: 'ann@example.org', password: 'a-long-password' },
  secretMembers: ['password'],
  effect: 'act',
  audit: {
    subject: (input) => `user:${input.name}`,
    subjectId: (_, output) => output?.user.id ?? null,
    detail: (_, output) => (output ? { active: output.user.active, administrator: output.user.administrator } : {}),
  },
  async run(ctx, input) {
    const { settings, signInGuard, passwords } = ctx.services
    if (settings.registration === 'closed') throw fault('registration_closed')
    const name = checkName('user name', input.name)
    const email = emailFor(name, input.email)
    checkPassword(input.password, { name, email })
    // Each sign-up costs a hash and a row: whoever makes many from one address is slowed down as a guesser is.
    const attempt = signInGuard.admit({ login: '\0register', peer: ctx.origin.peer, via: 'register' })
    try {
      attempt.beforeHash()
      attempt.failed()
      const password_hash = await passwords.hash(input.password)
      return await ctx.write(async (inside) => {
        const role = await roleOf(inside, ctx.origin)
        const organisation = await defaultOrganisation(inside)
        const { first_name = '', last_name = '' } = input
        const row = newUser(ctx, { name, email, first_name, last_name, password_hash, organisation, ...role })
        await refuseTaken(inside, row)
        const user = await inside.db.users.insert(row)
        await moveToOrganisation(inside, user.id, '', organisation)
        emitUser(ctx, user, 'created')
        return signedIn(await openSession(inside, user), user)
      })
    } finally {
      attempt.done()
    }
  },
})

const registerOperations: AnyOperation[] = [register]

// `first`: the very first sign-up becomes administrator if it comes from this machine. Counted inside the transaction: of two at once one is the first.
async function roleOf(ctx: WriteCtx, origin: Origin): Promise<Pick<UserRow, 'active' | 'pending' | 'administrator'>> {
  const { registration } = ctx.services.settings
  if (registration === 'open') return { active: true, pending: false, administrator: false }
  if (registration === 'first' && isLoopback(origin.peer) && (await isFirst(ctx))) return { active: true, pending: false, administrator: true }
  return { active: false, pending: true, administrator: false }
}

async function isFirst(ctx: WriteCtx): Promise<boolean> {
  const { items } = await ctx.db.users.page({ kinds: ['user', 'service'] }, { limit: 1, after: null })
  return items.length === 0
}

function isLoopback(peer: string): boolean {
  const address = parseAddress(peer)
  return address !== null && inNetworks(address, loopback)
}

export { registerOperations }
