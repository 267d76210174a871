import { timestamp } from '../kernel/clock.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, Nullable, Time, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { heldSystemPermissions } from '../access/system.ts'
import { checkNetworks, personOf } from './identify.ts'
import { provePassword } from './prove.ts'
import { openSession, reissueSession, isOpen, sessionIdOf } from './session.ts'
import { User, userView } from './view.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { Ctx } from '../operation/context.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { SessionRow, UserRow } from '../../ports/store/rows.ts'

/** What a sign-in gives: also what an API needs to set its cookies. */
const SignedIn = Closed({ token: Type.String(), expires_at: Time, user: User })

/** The answer of a sign-in. */
function signedIn(session: { token: string; row: SessionRow }, user: UserRow) {
  return { token: session.token, expires_at: timestamp(session.row.expires_at), user: userView(user) }
}

const create = defineOperation({
  name: 'session.create',
  summary: 'A session for a name or e-mail address and a password.',
  input: Closed({
    login: Type.String({ minLength: 1, maxLength: 320, description: 'The name or the e-mail address.' }),
    password: Type.String({ maxLength: 1024 }),
    allow_inactive: Type.Optional(
      Type.Boolean({
        description: 'Also for an account that is not active: its session answers `session.describe` only, until the account is enabled.',
      }),
    ),
  }),
  output: SignedIn,
  access: 'anyone',
  entrance: true,
  subjects: {},
  example: { login: 'ann', password: 'a-long-password' },
  secretMembers: ['password'],
  effect: 'act',
  audit: {
    subject: (input, output) => `user:${output?.user.name ?? input.login}`,
    subjectId: (_, output) => output?.user.id ?? null,
  },
  async run(ctx, input) {
    const user = await provePassword(ctx.services, await personOf(ctx.services, input.login), input, ctx.origin)
    if (!user.active && !input.allow_inactive) throw fault('account_inactive', {}, { private: { kind: 'user', reference: input.login } })
    await checkNetworks(ctx.services, user, ctx.origin)
    return ctx.write(async (inside) => {
      // The password was proved outside of the transaction: what changed meanwhile counts.
      const current = await inside.db.users.byId(user.id)
      if (!current || current.password_hash !== user.password_hash) throw fault('invalid_credential', {}, { private: { reference: input.login } })
      if (!current.active && !input.allow_inactive) throw fault('account_inactive', {}, { private: { kind: 'user', reference: input.login } })
      const signed = { ...current, last_sign_in_at: ctx.clock.now() }
      await inside.db.users.update(user.id, { last_sign_in_at: signed.last_sign_in_at })
      return signedIn(await openSession(inside, current), signed)
    })
  },
})

const end = defineOperation({
  name: 'session.delete',
  summary: 'Ends the session that this call was made with.',
  input: Closed({}),
  output: Closed({}),
  access: 'signed-in',
  subjects: {},
  example: {},
  effect: 'write',
  audit: { subject: () => 'session', subjectId: () => null },
  async run(ctx) {
    const session = await ownSession(ctx)
    await ctx.db.sessions.end(session.id, ctx.clock.now())
    return {}
  },
})

const get = defineOperation({
  name: 'session.get',
  summary: 'Who the caller is, and how that was proved.',
  input: Closed({}),
  output: Closed({
    user: User,
    credential: Type.String({ description: 'How it was proved: `cookie`, `bearer`, `api-key`, `password`, …' }),
    expires_at: Nullable(Time),
    system_permissions: Type.Array(Type.String()),
  }),
  access: 'signed-in',
  subjects: {},
  example: {},
  effect: 'read',
  audit: 'none',
  async run(ctx) {
    const user = await ctx.db.users.byId(ctx.principal.id)
    if (!user) throw fault('unauthenticated')
    const session = isSession(ctx) ? await ctx.db.sessions.byId(ctx.principal.credentialId ?? '') : null
    return {
      user: userView(user),
      credential: ctx.principal.credential,
      expires_at: timestamp(session?.expires_at),
      system_permissions: await heldSystemPermissions(ctx),
    }
  },
})

const describe = defineOperation({
  name: 'session.describe',
  summary: 'Whose session a token stands for, also while that account is not active.',
  description: 'For APIs whose clients may ask who they are before they are approved. It grants nothing.',
  input: Closed({ token: Type.String({ maxLength: 8192 }) }),
  output: Closed({ user: User, expires_at: Time }),
  access: 'anyone',
  entrance: true,
  subjects: {},
  example: { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl' },
  secretMembers: ['token'],
  hidden: true,
  effect: 'read',
  audit: 'none',
  async run(ctx, { token }) {
    const claims = ctx.services.tokens.verify(token)
    const session = claims ? await ctx.db.sessions.byId(sessionIdOf(token, claims)) : null
    const user = session && isOpen(session, ctx.clock.now()) ? await ctx.db.users.byId(session.user_id) : null
    if (!session || !user) throw fault('invalid_credential', {}, { private: { note: 'invalid_token' } })
    await checkNetworks(ctx.services, user, ctx.origin)
    return { user: userView(user), expires_at: timestamp(session.expires_at) }
  },
})

// What the server decides by is never taken from a client; `sub` is only for the client's own eyes, because the session's row says whose it is.
const ownClaims = ['sid', 'iat', 'exp'] as const

const reissue = defineOperation({
  name: 'session.reissue',
  summary: 'The session of this call under another token, with claims that the clients of an API read.',
  description: 'The old token ends; the session never lasts longer by it. `sid`, `iat` and `exp` cannot be given; no claim is ever trusted.',
  input: Closed({
    claims: Type.Unsafe<JsonObject>({ type: 'object', maxProperties: 32 }),
    exp_in_ms: Type.Optional(Type.Boolean({ description: 'Writes `exp` in milliseconds.' })),
    lasts: Type.Optional(
      Type.Integer({ minimum: 60, maximum: 31_536_000, description: 'Seconds from now, where that is sooner than it would end.' }),
    ),
  }),
  output: SignedIn,
  access: 'signed-in',
  subjects: {},
  example: { claims: { sub: 'ann', role: 'administrator' } },
  hidden: true,
  effect: 'write',
  audit: { subject: (_, output) => `user:${output?.user.name ?? ''}`, subjectId: (_, output) => output?.user.id ?? null },
  async run(ctx, input) {
    const session = await ownSession(ctx)
    const user = await ctx.db.users.byId(session.user_id)
    if (!user) throw fault('unauthenticated')
    for (const name of ownClaims)
      if (Object.hasOwn(input.claims, name)) throw fault('malformed_request', { why: `the claim ${name} is not the caller's to give` })
    const sub = typeof input.claims.sub === 'string' ? input.claims.sub : user.id
    const now = ctx.clock.now()
    const expiresAt = input.lasts === undefined ? session.expires_at : Math.min(session.expires_at, now + input.lasts * 1000)
    const exp = input.exp_in_ms ? expiresAt : Math.floor(expiresAt / 1000)
    const claims = { ...input.claims, sub, iat: Math.floor(now / 1000), exp }
    return signedIn(await reissueSession(ctx, session, claims, expiresAt), user)
  },
})

const sessionOperations: AnyOperation[] = [create, end, get, describe, reissue]

function isSession(ctx: Ctx): boolean {
  return ctx.principal.credential === 'cookie' || ctx.principal.credential === 'bearer'
}

async function ownSession(ctx: Ctx): Promise<SessionRow> {
  const session = isSession(ctx) ? await ctx.db.sessions.byId(ctx.principal.credentialId ?? '') : null
  if (session && isOpen(session, ctx.clock.now())) return session
  throw fault('state_conflict', { what: 'This call', state: 'made without a session', next: 'Only a call with a session token or cookie has one.' })
}

export { SignedIn, signedIn, sessionOperations }
