import { fault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { endBootstrap, mayBootstrap } from './first-start.ts'
import { checkName, checkPassword, emailFor } from './names.ts'
import { openSession } from './session.ts'
import { signedIn, SignedIn } from './session-operations.ts'
import { emitUser, newUser, refuseTaken } from './user-rules.ts'
import { Email, Name } from './user-fields.ts'
import type { AnyOperation } from '../operation/operation.ts'

const redeem = defineOperation({
  name: 'bootstrap.redeem',
  summary: 'The first administrator, for the one-time token that the first start printed.',
  input: Closed({
    token: Type.String({ minLength: 1, maxLength: 100 }),
    name: Name,
    password: Type.String({ minLength: 1, maxLength: 1024 }),
    email: Type.Optional(Email),
  }),
  output: SignedIn,
  access: 'anyone',
  entrance: true,
  subjects: {},
  example: { token: 'the-token-of-the-link', name: 'ann', password: 'a-long-password' },
  secretMembers: ['token', 'password'],
  hidden: true,
  effect: 'act',
  audit: { subject: (input) => `user:${input.name}`, subjectId: (_, output) => output?.user.id ?? null },
  async run(ctx, input) {
    // A wrong token must not cost the server a hash, and a right one is checked again where it is used up.
    if (!(await mayBootstrap(ctx.db, input.token))) throw wrongToken()
    const name = checkName('user name', input.name)
    const email = emailFor(name, input.email)
    checkPassword(input.password, { name, email })
    const password_hash = await ctx.services.passwords.hash(input.password)
    return ctx.write(async (inside) => {
      if (!(await mayBootstrap(inside.db, input.token))) throw wrongToken()
      const row = newUser(ctx, { name, email, password_hash, administrator: true })
      await refuseTaken(inside, row)
      const user = await inside.db.users.insert(row)
      await endBootstrap(inside.db)
      emitUser(ctx, user, 'created')
      return signedIn(await openSession(inside, user), user)
    })
  },
})

const bootstrapOperations: AnyOperation[] = [redeem]

function wrongToken(): Error {
  return fault('invalid_credential', {}, { private: { kind: 'bootstrap', note: 'bootstrap token' } })
}

export { bootstrapOperations }
