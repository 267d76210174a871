import type { Clock } from '../../core/kernel/clock.ts'

const perSecond = 20
const burst = 60
const mostAddresses = 20_000

/** Counts the anonymous requests of each address (contract §14): 20 a second, 60 at once. */
class AnonymousRate {
  readonly #clock: Clock
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** 0 when the address may go on, else the milliseconds that it has to wait. */
  take(address: string): number {
    const now = this.#clock.now()
    const key = networkOf(address)
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now }
    const tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond)
    // The newest are last, so that the first is the one to forget.
    this.#buckets.delete(key)
    this.#buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, at: now })
    const [oldest] = this.#buckets.keys()
    if (this.#buckets.size > mostAddresses && oldest !== undefined) this.#buckets.delete(oldest)
    return tokens < 1 ? Math.ceil(((1 - tokens) / perSecond) * 1000) : 0
  }
}

// Whoever has an IPv6 address has some 2^64 of them.
function networkOf(address: string): string {
  return address.includes(':') ? address.split(':').slice(0, 4).join(':') : address
}

export { AnonymousRate }
