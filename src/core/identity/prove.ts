import { fault } from '../kernel/fault.ts'
import { sleep } from '../kernel/clock.ts'
import type { Origin } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { UserRow } from '../../ports/store/rows.ts'

/**
 * Proves that a password is the user's, throttled, and gives the user as stored then: a hash that an import brought has become one of ours. `user` is null
 * when nobody has the login: that takes as long and ends the same way. The right password of an account that is not active counts as a failure where the
 * caller is going to refuse it, so that guesses at it are refused as soon as at any other.
 *
 * Errors: `invalid_credential` (the private note says how many failures are still free: `attempts_left=4`), `rate_limited`, `overloaded`.
 */
async function provePassword(
  services: Services,
  user: UserRow | null,
  claim: { readonly login: string; readonly password: string; readonly allow_inactive?: boolean },
  origin: Origin,
): Promise<UserRow> {
  const { signInGuard, proofs, passwords, clock, stopping } = services
  // Names and the address of one user are one account to the guard, or each would have free guesses of its own.
  const attempt = signInGuard.admit({ login: user?.id ?? claim.login, peer: origin.peer, via: origin.via })
  try {
    if (attempt.waitMs > 0) await sleep(clock, attempt.waitMs, stopping)
    if ((await proofs.verify(passwords, user, claim.password, attempt.beforeHash)) && user) {
      if (user.active || claim.allow_inactive) attempt.succeeded()
      else attempt.failed()
      return await renewed(services, user, claim.password)
    }
    const left = attempt.failed()
    throw fault('invalid_credential', {}, { private: { kind: 'user', reference: claim.login, note: `attempts_left=${left}` } })
  } finally {
    attempt.done()
  }
}

// Only now is the password at hand. Who signs in is not to be refused because the new hash cannot be made or kept just now.
async function renewed({ passwords, store, log }: Services, user: UserRow, password: string): Promise<UserRow> {
  if (user.password_hash === null || !passwords.outdated(user.password_hash)) return user
  try {
    const password_hash = await passwords.hash(password)
    const kept = await store.write(async (tables) => {
      const current = await tables.users.byId(user.id)
      if (current?.password_hash === user.password_hash) await tables.users.update(user.id, { password_hash })
      return current?.password_hash === user.password_hash
    })
    if (kept) return { ...user, password_hash }
    // Another sign-in was quicker, or the password was changed meanwhile.
    const current = await store.reader.users.byId(user.id)
    return current && (await passwords.verify(password, current.password_hash)) ? current : user
  } catch (error) {
    log.warn('password.not_renewed', { user: user.id, error })
    return user
  }
}

export { provePassword }
