import { fault } from '../kernel/fault.ts'
import { holderOf } from '../kernel/network.ts'
import { BoundedMap } from '../kernel/bounded-map.ts'
import type { Clock } from '../kernel/clock.ts'

/** So many failures within the window are free; each further one doubles the time to wait, up to the longest. */
export type SignInLimit = { readonly failures: number; readonly windowMs: number; readonly firstDelayMs: number; readonly longestDelayMs: number }

/** Whose attempt it is. `login` is as the client gave it; `via` is the API, for APIs that promise other limits. */
export type Attempt = { readonly login: string; readonly peer: string; readonly via: string }

/** One attempt that was let through, to be told how it ended. */
export type Admitted = {
  /** How long to wait before looking at the password. */
  readonly waitMs: number
  /** Takes a place among the hashes under way of this account and address, or throws `rate_limited`. */
  beforeHash(): void
  succeeded(): void
  /** Gives how many more failures are free for this account from this address. */
  failed(): number
  /** Gives the place back when the attempt ended otherwise. Always called last. */
  done(): void
}

type Bucket = { failures: number; last: number; underWay: number }

const pairLimit: SignInLimit = { failures: 10, windowMs: 300_000, firstDelayMs: 15_000, longestDelayMs: 300_000 }
const addressLimit: SignInLimit = { failures: 50, windowMs: 300_000, firstDelayMs: 15_000, longestDelayMs: 300_000 }
const accountFailures = 50
const accountWindowMs = 900_000
const longestWaitMs = 2000
const mostBuckets = 20_000

/**
 * Slows down guessing, and counts failed sign-ins only.
 *
 * - An *address with an account* is refused for a growing time after ten failures: whoever guesses from there.
 * - An *address* is refused after fifty failures over all accounts: whoever tries one password on many. Accounts that have signed in from there are not:
 *   the one program with an old password on a machine must not shut out the others on it.
 * - An *account* that is guessed at from many addresses is never closed: that would let anybody lock anybody out. An address that it has not been
 *   signed in to from before waits for up to two seconds, then its password is looked at as any other.
 *
 * All of it is bounded memory of this process; after a restart the counting begins anew.
 */
export class SignInGuard {
  readonly #clock: Clock
  readonly #limits: Readonly<Record<string, SignInLimit>>
  readonly #pairs = new BoundedMap<Bucket>(mostBuckets)
  readonly #addresses = new BoundedMap<Bucket>(mostBuckets)
  readonly #accounts = new BoundedMap<Bucket>(mostBuckets)
  readonly #known = new BoundedMap<true>(mostBuckets)

  /** `limits`: by API, another limit for an address with an account. */
  constructor(options: { clock: Clock; limits?: Readonly<Record<string, SignInLimit>> }) {
    this.#clock = options.clock
    this.#limits = options.limits ?? {}
  }

  /** Lets an attempt through, or throws `rate_limited` with the time to wait. */
  admit(attempt: Attempt): Admitted {
    const account = attempt.login.trim().toLowerCase().slice(0, 320)
    const address = holderOf(attempt.peer)
    const limit = (Object.hasOwn(this.#limits, attempt.via) ? this.#limits[attempt.via] : undefined) ?? pairLimit
    const pairKey = limit === pairLimit ? `${account}\0${address}` : `${account}\0${address}\0${attempt.via}`
    const pair = this.#bucket(this.#pairs, pairKey, limit.windowMs)
    this.#refuse(pair, limit)
    const known = this.#known.get(`${account}\0${address}`) === true
    if (!known) this.#refuse(this.#bucket(this.#addresses, address, addressLimit.windowMs), addressLimit)
    let holding = false
    return {
      waitMs: known ? 0 : this.#waitFor(account),
      beforeHash: () => {
        const current = this.#bucket(this.#pairs, pairKey, limit.windowMs)
        // Guesses sent all at once must not be judged before the first of them has failed.
        if (current.underWay >= Math.max(1, limit.failures - current.failures)) throw refusal(1000)
        current.underWay++
        this.#pairs.set(pairKey, current)
        holding = true
      },
      succeeded: () => {
        this.#known.set(`${account}\0${address}`, true)
        const current = this.#bucket(this.#pairs, pairKey, limit.windowMs)
        current.failures = 0
      },
      failed: () => {
        this.#count(this.#addresses, address, addressLimit.windowMs)
        this.#count(this.#accounts, account, accountWindowMs)
        return Math.max(0, limit.failures - this.#count(this.#pairs, pairKey, limit.windowMs))
      },
      done: () => {
        const current = holding ? this.#pairs.get(pairKey) : undefined
        if (current) current.underWay = Math.max(0, current.underWay - 1)
        holding = false
      },
    }
  }

  #refuse(bucket: Bucket, limit: SignInLimit): void {
    const beyond = bucket.failures - limit.failures
    if (beyond < 0) return
    const delay = Math.min(limit.firstDelayMs * 2 ** Math.min(beyond, 20), limit.longestDelayMs)
    const left = bucket.last + delay - this.#clock.now()
    if (left > 0) throw refusal(left)
  }

  #waitFor(account: string): number {
    const beyond = this.#bucket(this.#accounts, account, accountWindowMs).failures - accountFailures
    return beyond < 0 ? 0 : Math.min(250 * 2 ** Math.min(beyond, 10), longestWaitMs)
  }

  #bucket(map: BoundedMap<Bucket>, key: string, windowMs: number): Bucket {
    const found = map.get(key)
    if (!found) return { failures: 0, last: 0, underWay: 0 }
    if (found.failures > 0 && this.#clock.now() - found.last > windowMs) found.failures = 0
    return found
  }

  #count(map: BoundedMap<Bucket>, key: string, windowMs: number): number {
    const bucket = this.#bucket(map, key, windowMs)
    bucket.failures++
    bucket.last = this.#clock.now()
    map.set(key, bucket)
    return bucket.failures
  }
}

function refusal(ms: number): Error {
  return fault('rate_limited', { seconds: Math.ceil(ms / 1000) }, { retryAfterMs: ms })
}
