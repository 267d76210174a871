import type { Place } from '../../ports/store/runs.ts'

/** A step that is ready but has no place yet. */
export type Waiter = {
  readonly namespace: string
  readonly places: readonly Place[]
  /** Tries to start it: the gauge that refused, or null when it was started, is no longer wanted, or cannot be started at all. */
  readonly start: () => Promise<string | null>
}

/**
 * The steps of this server that wait for a place: in each namespace first come, first served; between namespaces in turn, so that thousands queued in one
 * never hold up another.
 *
 * A pass over the namespaces begins when something was freed (`freed`) or added. A refusal by a gauge of the namespace only skips that namespace; a refusal
 * by a gauge that all share ends the pass, because nobody else would fare better.
 */
export class WaitingRoom {
  readonly #queues = new Map<string, Waiter[]>()
  readonly #onError: (error: unknown) => void
  #size = 0
  #running = false
  #again = false

  constructor(options: { onError: (error: unknown) => void }) {
    this.#onError = options.onError
  }

  get size(): number {
    return this.#size
  }

  /** Whether somebody of the namespace waits already: a newcomer must not overtake. */
  has(namespace: string): boolean {
    return (this.#queues.get(namespace)?.length ?? 0) > 0
  }

  add(waiter: Waiter): void {
    const queue = this.#queues.get(waiter.namespace)
    if (queue) queue.push(waiter)
    else this.#queues.set(waiter.namespace, [waiter])
    this.#size++
  }

  /** Something was given back: see who can start now. Calls while a pass runs make it look once more. */
  freed(): void {
    if (this.#size === 0) return
    this.#again = true
    if (!this.#running) void this.#passes()
  }

  async #passes(): Promise<void> {
    this.#running = true
    try {
      while (this.#again) {
        this.#again = false
        await this.#pass()
      }
    } catch (error) {
      this.#onError(error)
    } finally {
      this.#running = false
    }
  }

  async #pass(): Promise<void> {
    const blocked = new Set<string>()
    for (let namespace = this.#next(blocked); namespace !== null; namespace = this.#next(blocked)) {
      const queue = this.#queues.get(namespace) ?? []
      const waiter = queue.shift()
      if (!waiter) continue
      this.#size--
      const refusal = await waiter.start()
      // The one that was served goes to the end of the round.
      this.#queues.delete(namespace)
      if (refusal !== null) {
        queue.unshift(waiter)
        this.#size++
        blocked.add(namespace)
      }
      if (queue.length > 0) this.#queues.set(namespace, queue)
      if (refusal !== null && refusal !== `namespace:${namespace}`) return
    }
  }

  #next(blocked: ReadonlySet<string>): string | null {
    for (const [namespace, queue] of this.#queues) if (queue.length > 0 && !blocked.has(namespace)) return namespace
    return null
  }
}
