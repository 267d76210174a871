import { policyOf } from './rows.ts'
import type { FlowNode } from '../flow/graph.ts'
import type { Clock, Timer } from '../kernel/clock.ts'
import type { Handle, Runtime } from '../../ports/runtime.ts'
import type { StepRow } from '../../ports/store/rows.ts'

/** A step that has not ended: its row as last recorded, and what this server has in hand for it. */
export type LiveStep = {
  readonly row: StepRow
  readonly node: FlowNode
  runtime: Runtime | null
  handle: Handle | null
  /** Why it is being ended; decides its state when its work is gone. */
  stopping: { readonly state: 'cancelled' | 'timed_out'; readonly reason: string } | null
  /** Ends the operation that it is doing. */
  ending: AbortController | null
  /** The run that it waits for does nothing but wait itself. */
  childWaits: boolean
  /** Somebody looks after it already: it was lined up or launched. */
  launched: boolean
  timer: Timer | null
  deadline: Timer | null
  /** Until it is recorded that its work runs. */
  telling: Timer | null
}

/** The steps of one run that have not ended, and their timers. */
export class LiveSteps {
  readonly #clock: Clock
  readonly #onDue: (live: LiveStep) => void
  readonly #onDeadline: (live: LiveStep) => void
  readonly #steps = new Map<string, LiveStep>()

  constructor(options: { clock: Clock; onDue: (live: LiveStep) => void; onDeadline: (live: LiveStep) => void }) {
    this.#clock = options.clock
    this.#onDue = options.onDue
    this.#onDeadline = options.onDeadline
  }

  get(key: string): LiveStep | undefined {
    return this.#steps.get(key)
  }

  /** Whether it is still the step that is looked after under its key. */
  has(live: LiveStep): boolean {
    return this.#steps.get(live.row.key) === live
  }

  all(): LiveStep[] {
    return [...this.#steps.values()]
  }

  /** Takes a step up; one that waits for a moment gets its timer. */
  add(row: StepRow, node: FlowNode, runtime: Runtime | null): LiveStep {
    // A handle in a row was written by us from a handle.
    const handle = row.handle as unknown as Handle | null
    const idle = { stopping: null, ending: null, childWaits: false, launched: false, timer: null, deadline: null, telling: null }
    const live: LiveStep = { row, node, runtime, handle, ...idle }
    this.#steps.set(row.key, live)
    if (row.state === 'waiting') this.arm(live)
    return live
  }

  remove(live: LiveStep): void {
    this.#steps.delete(live.row.key)
    live.timer?.cancel()
    live.deadline?.cancel()
    live.telling?.cancel()
  }

  clear(): void {
    for (const live of this.#steps.values()) this.remove(live)
  }

  /** Stops all timers; the steps stay known. */
  disarm(): void {
    for (const live of this.#steps.values()) {
      live.timer?.cancel()
      live.deadline?.cancel()
      live.telling?.cancel()
    }
  }

  arm(live: LiveStep): void {
    if (live.row.due_at === null) return
    live.timer?.cancel()
    const due = live.row.due_at
    // Timers may ring a millisecond early by this clock: never before the moment that was promised.
    const ring = () => (this.#clock.now() < due ? this.arm(live) : this.#onDue(live))
    live.timer = this.#clock.after(Math.max(due - this.#clock.now(), 0), ring)
  }

  /** The time limit of a step counts over all its attempts, from the first start on. */
  armDeadline(live: LiveStep): void {
    const limit = policyOf(live.node)?.timeout_ms ?? null
    if (limit === null || live.deadline) return
    const began = live.row.attempts[0]?.started_at ?? live.row.started_at ?? this.#clock.now()
    live.deadline = this.#clock.after(Math.max(began + limit - this.#clock.now(), 0), () => this.#onDeadline(live))
  }
}
