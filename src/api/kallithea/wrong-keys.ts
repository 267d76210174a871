import { fault } from '../../core/kernel/fault.ts'
import { BoundedMap } from '../../core/kernel/bounded-map.ts'
import { sleep } from '../../core/kernel/clock.ts'
import { holderOf } from '../../core/kernel/network.ts'
import type { Clock } from '../../core/kernel/clock.ts'

const windowMs = 60_000
const free = 20
const stepMs = 100
const longestMs = 2000
const mostWaiting = 16
const mostAddresses = 20_000
// Every refusal is answered this long after the key was asked for: what it was refused for must not be told by the time that finding out took.
const refusedAfterMs = 8

type Counted = { failures: number; last: number; waiting: number }

/**
 * Slows down the guessing of keys. After some wrong ones within a minute each further one of that address is answered later and later, and few may wait
 * at once; right ones are never held up, so nobody can lock out a neighbour.
 */
class WrongKeys {
  readonly #clock: Clock
  readonly #stopping: AbortSignal
  readonly #addresses = new BoundedMap<Counted>(mostAddresses)

  constructor(options: { clock: Clock; stopping: AbortSignal }) {
    this.#clock = options.clock
    this.#stopping = options.stopping
  }

  /** Gives what `identify` gives; null only after the time that a refusal takes. Too many waiting refusals: `rate_limited`. */
  async guard<T>(peer: string, identify: () => Promise<T | null>): Promise<T | null> {
    const began = this.#clock.now()
    const found = await identify()
    if (found !== null) return found
    const key = holderOf(peer)
    const counted = this.#count(key)
    if (counted.waiting >= mostWaiting) throw fault('rate_limited', { seconds: 2 }, { retryAfterMs: longestMs })
    const extra = Math.min(longestMs, Math.max(0, counted.failures - free) * stepMs)
    counted.waiting++
    try {
      await sleep(this.#clock, Math.max(1, began + refusedAfterMs + extra - this.#clock.now()), this.#stopping)
    } finally {
      counted.waiting--
    }
    return null
  }

  #count(key: string): Counted {
    const now = this.#clock.now()
    const before = this.#addresses.get(key)
    const counted = before ?? { failures: 0, last: now, waiting: 0 }
    if (now - counted.last > windowMs) counted.failures = 0
    counted.failures++
    counted.last = now
    this.#addresses.set(key, counted)
    return counted
  }
}

export { WrongKeys }
