import { sleep } from '../kernel/clock.ts'
import type { Clock } from '../kernel/clock.ts'

/**
 * Counts what the gateway has under way to each instance, so that one that shall go is stopped after its last answer. Gateway and reconciler of one
 * process share it; instances are named by their runs.
 */
class Traffic {
  readonly #clock: Clock
  readonly #counts = new Map<string, number>()
  readonly #closed = new Set<string>()
  readonly #waiting = new Map<string, () => void>()

  constructor(options: { clock: Clock }) {
    this.#clock = options.clock
  }

  /** Something begins to flow to an instance; call what it gives when that is over. Null: the instance takes nothing new. */
  enter(run: string): (() => void) | null {
    if (this.#closed.has(run)) return null
    this.#counts.set(run, (this.#counts.get(run) ?? 0) + 1)
    let left = false
    return () => {
      if (left) return
      left = true
      const count = (this.#counts.get(run) ?? 1) - 1
      if (count > 0) return void this.#counts.set(run, count)
      this.#counts.delete(run)
      this.#waiting.get(run)?.()
    }
  }

  /** From now on nothing new flows to the instance. Resolves when what was under way is over, at the latest after `limitMs`. */
  async drain(run: string, limitMs: number): Promise<void> {
    this.#closed.add(run)
    if (!this.#counts.has(run)) return
    const over = new AbortController()
    const idle = new Promise<void>((resolve) => this.#waiting.set(run, resolve))
    await Promise.race([idle, sleep(this.#clock, limitMs, over.signal).catch(() => {})])
    over.abort()
    this.#waiting.delete(run)
  }

  /** Forgets an instance that is gone. */
  forget(run: string): void {
    this.#closed.delete(run)
  }
}

export { Traffic }
