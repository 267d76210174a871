import { timestamp } from '../kernel/clock.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, Time, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { userOf } from './api-key-operations.ts'
import { signingKeyContext } from './signature.ts'
import { UserReference } from './user-fields.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { SigningKeyRow, UserRow } from '../../ports/store/rows.ts'

const mostKeys = 20
const members = { id: Type.String(), user: Type.String(), created_at: Time }
const SigningKey = Closed(members)

type MaybeUser = { user?: { row: UserRow } }

const audit = {
  subject: (input: { user?: string }, output: { user: string } | undefined) => `user:${output?.user ?? input.user ?? ''}`,
}

const create = defineOperation({
  name: 'signing-key.create',
  summary: 'A key with which an account signs requests (Deploy API); its secret is shown this once.',
  input: Closed({ user: Type.Optional(UserReference) }),
  output: Closed({ ...members, secret: Type.String() }),
  access: 'signed-in',
  subjects: { user: subject('user', 'admin', 'user') },
  example: { user: 'ann' },
  effect: 'write',
  audit,
  async run(ctx, _input, found: MaybeUser) {
    const user = await userOf(ctx, found)
    if ((await ctx.db.signingKeys.ofUser(user.id)).length >= mostKeys) {
      throw fault('quota_exceeded', { scope: `The user "${user.name}"`, limit: `${mostKeys} signing keys` })
    }
    const id = ctx.ids.record()
    const secret = ctx.ids.letters(40)
    const row = { id, user_id: user.id, sealed: ctx.services.secretBox.seal(secret, signingKeyContext(id)), created_at: ctx.clock.now() }
    await ctx.db.signingKeys.insert(row)
    return { ...view(row, user), secret }
  },
})

const list = defineOperation({
  name: 'signing-key.list',
  summary: 'The signing keys of a user, without their secrets.',
  input: Closed({ user: Type.Optional(UserReference) }),
  output: Closed({ items: Type.Array(SigningKey), next: Type.Null() }),
  access: 'signed-in',
  subjects: { user: subject('user', 'admin', 'user') },
  example: {},
  effect: 'read',
  audit: 'none',
  async run(ctx, _input, found: MaybeUser) {
    const user = await userOf(ctx, found)
    return { items: (await ctx.db.signingKeys.ofUser(user.id)).map((row) => view(row, user)), next: null }
  },
})

const remove = defineOperation({
  name: 'signing-key.delete',
  summary: 'Deletes a signing key. Requests signed with it are refused at once.',
  input: Closed({ id: Type.String({ minLength: 1, maxLength: 100 }), user: Type.Optional(UserReference) }),
  output: SigningKey,
  access: 'signed-in',
  subjects: { user: subject('user', 'admin', 'user') },
  example: { id: '01981c0e-0000-7000-8000-000000000000' },
  effect: 'write',
  audit,
  async run(ctx, input, found: MaybeUser) {
    const user = await userOf(ctx, found)
    const row = (await ctx.db.signingKeys.ofUser(user.id)).find(({ id }) => id === input.id)
    if (!row) {
      const context = { absence: 'missing', kind: 'signing-key', reference: input.id, member: 'id' } as const
      throw fault('not_found', { kind: 'signing key', reference: input.id }, { private: context })
    }
    await ctx.db.signingKeys.remove(row.id)
    return view(row, user)
  },
})

const signingKeyOperations: AnyOperation[] = [create, list, remove]

function view(row: SigningKeyRow, user: UserRow) {
  return { id: row.id, user: user.name, created_at: timestamp(row.created_at) }
}

export { signingKeyOperations }
