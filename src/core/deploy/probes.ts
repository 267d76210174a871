import { replicaOf } from './replica.ts'
import type { Clock, Timer } from '../kernel/clock.ts'
import type { Loopback } from '../../ports/loopback.ts'
import type { RunRow } from '../../ports/store/rows.ts'

/** The instance of a deployment counts as ready when it has been up for so long. */
const steadyMs = 1000
const firstLookMs = 50
const longestLookMs = 1000

type Probe = { ready: boolean; since: number; timer: Timer | null }

/**
 * Says which instances are ready: those of services answer at their port, others have been up for a moment. It asks while an instance starts, less and
 * less often, and never again after it was ready once.
 */
class Probes {
  readonly #clock: Clock
  readonly #loopback: Loopback
  readonly #onReady: (workload: string) => void
  readonly #probes = new Map<string, Probe>()
  #closed = false

  constructor(options: { clock: Clock; loopback: Loopback; onReady: (workload: string) => void }) {
    this.#clock = options.clock
    this.#loopback = options.loopback
    this.#onReady = options.onReady
  }

  /** Whether an instance that is up is ready. The first question begins to find out. */
  isReady(run: RunRow): boolean {
    const now = this.#clock.now()
    let probe = this.#probes.get(run.id)
    if (!probe) {
      probe = { ready: false, since: now, timer: null }
      this.#probes.set(run.id, probe)
      const { port } = replicaOf(run)
      if (port !== null) this.#ask(run, probe, port, firstLookMs)
    }
    if (replicaOf(run).port === null) probe.ready = now - probe.since >= steadyMs
    return probe.ready
  }

  forget(run: string): void {
    this.#probes.get(run)?.timer?.cancel()
    this.#probes.delete(run)
  }

  close(): void {
    this.#closed = true
    for (const run of [...this.#probes.keys()]) this.forget(run)
  }

  #ask(run: RunRow, probe: Probe, port: number, pauseMs: number): void {
    void this.#loopback.answers(port).then((answer) => {
      if (this.#closed || this.#probes.get(run.id) !== probe) return
      if (answer) {
        probe.ready = true
        if (run.parent_id) this.#onReady(run.parent_id)
      } else probe.timer = this.#clock.after(pauseMs, () => this.#ask(run, probe, port, Math.min(pauseMs * 1.5, longestLookMs)))
    })
  }
}

export { Probes }
