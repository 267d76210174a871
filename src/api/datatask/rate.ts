import { BoundedMap } from '../../core/kernel/bounded-map.ts'
import { holderOf } from '../../core/kernel/network.ts'
import type { Clock } from '../../core/kernel/clock.ts'

const perSecond = 20
const burst = 60
const mostAddresses = 20_000

/** Counts the anonymous requests of each address (contract §14): 20 a second, 60 at once. */
class AnonymousRate {
  readonly #clock: Clock
  readonly #buckets = new BoundedMap<{ tokens: number; at: number }>(mostAddresses)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** 0 when the address may go on, else the milliseconds that it has to wait. */
  take(address: string): number {
    const now = this.#clock.now()
    const key = holderOf(address)
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now }
    const tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond)
    this.#buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, at: now })
    return tokens < 1 ? Math.ceil(((1 - tokens) / perSecond) * 1000) : 0
  }
}

export { AnonymousRate }
