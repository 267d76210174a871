import { fault } from '../kernel/fault.ts'
import { sleep } from '../kernel/clock.ts'
import type { Origin } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { UserRow } from '../../ports/store/rows.ts'

/**
 * Proves that a password is the user's, throttled. `user` is null when nobody has the login: that takes as long and ends the same way.
 *
 * Errors: `invalid_credential` (the private note says how many failures are still free: `attempts_left=4`), `rate_limited`, `overloaded`.
 */
async function provePassword(
  services: Services,
  user: UserRow | null,
  claim: { readonly login: string; readonly password: string },
  origin: Origin,
): Promise<void> {
  const { signInGuard, proofs, passwords, clock, stopping } = services
  // Names and the address of one user are one account to the guard, or each would have free guesses of its own.
  const attempt = signInGuard.admit({ login: user?.id ?? claim.login, peer: origin.peer, via: origin.via })
  try {
    if (attempt.waitMs > 0) await sleep(clock, attempt.waitMs, stopping)
    if (await proofs.verify(passwords, user, claim.password, attempt.beforeHash)) return attempt.succeeded()
    const left = attempt.failed()
    throw fault('invalid_credential', {}, { private: { kind: 'user', reference: claim.login, note: `attempts_left=${left}` } })
  } finally {
    attempt.done()
  }
}

export { provePassword }
