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
 * by a gauge that all share ends the pass, because nobody else would fare better. What a step requests of the machine lies between: who asks nothing of it
 * may overtake, because it can be taken for as long as a service lives; who asks for some of it waits its turn.
 */
export class WaitingRoom {
  readonly #queues = new Map<string, Waiter[]>()
  readonly #onError: (error: unknown) => void
  /** Refused before: the store knows why they wait. A newcomer is tried once in any case, and that is recorded for it. */
  readonly #refused = new WeakSet<Waiter>()
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
    const full = new Set<string>()
    for (let next = this.#next(blocked, full); next !== null; next = this.#next(blocked, full)) {
      const { namespace, queue, at } = next
      const [waiter] = queue.splice(at, 1)
      if (!waiter) continue
      this.#size--
      const refusal = await waiter.start()
      // The one that was served goes to the end of the round.
      this.#queues.delete(namespace)
      if (refusal !== null) {
        queue.splice(at, 0, waiter)
        this.#size++
        this.#refused.add(waiter)
      }
      if (queue.length > 0) this.#queues.set(namespace, queue)
      if (refusal === `namespace:${namespace}`) blocked.add(namespace)
      else if (refusal !== null && isRequested(refusal)) full.add(refusal)
      else if (refusal !== null) return
    }
  }

  #next(blocked: ReadonlySet<string>, full: ReadonlySet<string>): { namespace: string; queue: Waiter[]; at: number } | null {
    for (const [namespace, queue] of this.#queues) {
      if (blocked.has(namespace)) continue
      const at = queue.findIndex((waiter) => !this.#refused.has(waiter) || !waiter.places.some(({ gauge }) => full.has(gauge)))
      if (at >= 0) return { namespace, queue, at }
    }
    return null
  }
}

/** Whether steps take of this gauge as much as they ask for, most of them nothing. */
function isRequested(gauge: string): boolean {
  return gauge.startsWith('cpu:') || gauge.startsWith('memory:')
}
