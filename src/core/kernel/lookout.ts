import type { Clock, Timer } from './clock.ts'

type LookoutOptions = {
  readonly clock: () => Clock
  /** Finds what is to be done now and does it, or begins it. Gives after how many milliseconds it must look again; null: not before it is told to. */
  readonly look: () => Promise<number | null>
  /** Is told why a look failed. The next one comes after `retryMs`. */
  readonly failed: (error: unknown) => void
  readonly retryMs: number
  /** How long it rests at most, whatever a look gives; for who may miss that it was to be told. Left out: as long as the look says. */
  readonly longestMs?: number | undefined
}

/**
 * Looks for what is to be done whenever it is told to, and when the time comes that the last look gave: one look at a time, and no polling. Closing ends
 * it after the look that is under way.
 */
class Lookout {
  readonly #options: LookoutOptions
  readonly #closing = new AbortController()
  #timer: Timer | null = null
  #looking: Promise<void> = Promise.resolve()
  #wanted = false

  constructor(options: LookoutOptions) {
    this.#options = options
  }

  /** Aborted once it is being closed: whatever a look began ends by it. */
  get signal(): AbortSignal {
    return this.#closing.signal
  }

  /** Looks, and plans the next look. Resolves when a look that began after this call has ended; never rejects. */
  look(): Promise<void> {
    // One look that has not begun yet is as good as many.
    if (this.#wanted) return this.#looking
    this.#wanted = true
    this.#looking = this.#looking.then(() => {
      this.#wanted = false
      return this.#look()
    })
    return this.#looking
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The server stops'))
    this.#timer?.cancel()
    await this.#looking
  }

  async #look(): Promise<void> {
    if (this.signal.aborted) return
    this.#timer?.cancel()
    const { clock, look, failed, retryMs, longestMs } = this.#options
    let wait: number | null
    try {
      wait = await look()
    } catch (error) {
      failed(error)
      wait = retryMs
    }
    if (longestMs !== undefined) wait = Math.min(wait ?? longestMs, longestMs)
    if (wait !== null && !this.signal.aborted) this.#timer = clock().after(wait, () => void this.look())
  }
}

export { Lookout }
