import { timestamp } from '../kernel/clock.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, Nullable, Time, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { bareKey, newApiKey } from './api-key.ts'
import { parseMoment } from './moment.ts'
import { narrowed, scopePattern } from './scope.ts'
import { refuseBuiltin } from './user-rules.ts'
import { UserReference } from './user-fields.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { Ctx } from '../operation/context.ts'
import type { ApiKeyRow, UserRow } from '../../ports/store/rows.ts'

const mostKeys = 200

const members = {
  id: Type.String(),
  key: Type.String({ description: 'The public part: 40 letters and digits, also written K_<40>_K.' }),
  label: Type.String(),
  scopes: Nullable(Type.Array(Type.String(), { description: 'What it may be used for; null: all that its user may do.' })),
  user: Type.String(),
  created_at: Time,
  expires_at: Nullable(Time),
  last_used_at: Nullable(Time),
}
const ApiKey = Closed(members)

type MaybeUser = { user?: { row: UserRow } }

const create = defineOperation({
  name: 'api-key.create',
  summary: 'A new API key; its secret is shown this once.',
  input: Closed({
    label: Type.String({ maxLength: 200 }),
    user: Type.Optional(UserReference),
    expires_at: Type.Optional(Nullable(Time)),
    scopes: Type.Optional(
      Type.Array(Type.String({ pattern: scopePattern, maxLength: 100 }), {
        maxItems: 50,
        description: 'Only these: read, a noun such as repository, or an operation such as task.deploy. Left out: all that the user may do.',
      }),
    ),
  }),
  output: Closed({ ...members, secret: Type.String({ description: '40 letters and digits, also written S_<40>_S. It is kept nowhere.' }) }),
  access: 'signed-in',
  subjects: { user: subject('user', 'admin', 'user') },
  example: { label: 'build server' },
  effect: 'write',
  audit: {
    subject: (input, output) => `user:${output?.user ?? input.user ?? ''}`,
    detail: ({ label, scopes }, output) => ({ label, ...(scopes && { scopes }), ...(output ? { key: output.key } : {}) }),
  },
  async run(ctx, input, found: MaybeUser) {
    const user = await userOf(ctx, found)
    const now = ctx.clock.now()
    const expiresAt = input.expires_at ? parseMoment('api-key.create', 'expires_at', input.expires_at) : null
    const keys = await ctx.db.apiKeys.ofUser(user.id)
    if (keys.length >= mostKeys) throw fault('quota_exceeded', { scope: `The user "${user.name}"`, limit: `${mostKeys} API keys` })
    const scopes = narrowed(ctx.principal, input.scopes)
    if (scopes === 'refused') throw fault('forbidden', { operation: 'api-key.create', need: 'a key with these scopes', subject: 'itself' })
    const { row, secret } = newApiKey(ctx.ids, { userId: user.id, label: input.label, at: now, expiresAt, scopes })
    await ctx.db.apiKeys.insert(row)
    return { ...view(row, user), secret }
  },
})

const list = defineOperation({
  name: 'api-key.list',
  summary: 'The API keys of a user, without their secrets.',
  input: Closed({ user: Type.Optional(UserReference) }),
  output: Closed({ items: Type.Array(ApiKey), next: Type.Null() }),
  access: 'signed-in',
  subjects: { user: subject('user', 'admin', 'user') },
  example: {},
  effect: 'read',
  audit: 'none',
  async run(ctx, _input, found: MaybeUser) {
    const user = await userOf(ctx, found)
    return { items: (await ctx.db.apiKeys.ofUser(user.id)).map((row) => view(row, user)), next: null }
  },
})

const remove = defineOperation({
  name: 'api-key.delete',
  summary: 'Deletes an API key, named by its id or its public part. It stops working at once.',
  input: Closed({ id: Type.String({ minLength: 1, maxLength: 100 }), user: Type.Optional(UserReference) }),
  output: ApiKey,
  access: 'signed-in',
  subjects: { user: subject('user', 'admin', 'user') },
  example: { id: '01981c0e-0000-7000-8000-000000000000' },
  effect: 'write',
  audit: {
    subject: (input, output) => `user:${output?.user ?? input.user ?? ''}`,
    detail: (_, output) => (output ? { label: output.label, key: output.key } : {}),
  },
  async run(ctx, input, found: MaybeUser) {
    const { row, user } = await keyNamed(ctx, input.id, found)
    await ctx.db.apiKeys.remove(row.id)
    return view(row, user)
  },
})

const apiKeyOperations: AnyOperation[] = [create, list, remove]

// Administrators may name anybody's key by its id alone; to others a foreign key does not exist.
async function keyNamed(ctx: Ctx, name: string, found: MaybeUser): Promise<{ row: ApiKeyRow; user: UserRow }> {
  const bare = bareKey(name)
  const named = found.user?.row ?? (await ctx.db.users.byId(ctx.principal.id))
  const own = named && (await ctx.db.apiKeys.ofUser(named.id)).find((row) => row.id === name || row.public_key === bare)
  if (own) return { row: own, user: named }
  const row = await ctx.db.apiKeys.byId(name)
  const owner = row && ctx.principal.administrator && !found.user ? await ctx.db.users.byId(row.user_id) : null
  if (row && owner) return { row, user: owner }
  const context = { absence: row ? 'hidden' : 'missing', kind: 'api-key', reference: name, member: 'id' } as const
  throw fault('not_found', { kind: 'API key', reference: name }, { private: context })
}

/** The user that an optional member named, else the caller. The built-in user has no keys. */
async function userOf(ctx: Ctx, found: MaybeUser): Promise<UserRow> {
  const user = found.user?.row ?? (await ctx.db.users.byId(ctx.principal.id))
  if (!user) throw fault('unauthenticated')
  refuseBuiltin(user)
  return user
}

function view(row: ApiKeyRow, user: UserRow) {
  return {
    id: row.id,
    key: row.public_key,
    label: row.label,
    scopes: row.scopes,
    user: user.name,
    created_at: timestamp(row.created_at),
    expires_at: timestamp(row.expires_at),
    last_used_at: timestamp(row.last_used_at),
  }
}

export { apiKeyOperations, userOf }
