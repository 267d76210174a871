import { isFault } from '../kernel/fault.ts'
import { callOperation } from './launch.ts'
import type { CallNode } from '../flow/graph.ts'
import type { LiveStep } from './live-steps.ts'
import type { StepResult } from './outcome.ts'
import type { RunInside } from './step-worker.ts'
import type { StepReader } from './unsaved-rows.ts'

const interrupted =
  'This step was interrupted by a restart of the server, and whether it took effect cannot be told. Run it again from here if it may be done twice'

type CallInside = RunInside & {
  /** The rows of the run as they are now. */
  readonly rows: StepReader
  /** The flow hears that a step has begun. */
  started(key: string): Promise<void>
}

/** Carries out the steps of one run that call an operation, or what the run's source makes of them. */
class CallWorker {
  readonly #run: CallInside

  constructor(run: CallInside) {
    this.#run = run
  }

  /** Begins the call. That it has begun is recorded first, unless it takes no time. */
  async begin(live: LiveStep, node: CallNode): Promise<void> {
    const { host, row, rows, post } = this.#run
    const { key, attempt } = live.row
    const started_at = host.services.clock.now()
    if (node.instant) Object.assign(live.row, { started_at })
    else await this.#run.record([{ key, attempt, patch: { state: 'running', started_at } }], [])
    await this.#run.started(key)
    const ending = new AbortController()
    live.ending = ending
    callOperation(host, row, live.row, node, { signal: ending.signal, rows }).then(
      ({ output, failed }) => post(() => this.#ended(live, { state: failed ? 'failed' : 'succeeded', reason: null, ...failed, output })),
      (error: unknown) => post(() => this.refused(live, error)),
    )
  }

  /** What becomes of a call that had begun when the server was restarted. */
  async resume(live: LiveStep, node: CallNode): Promise<void> {
    const { host, row } = this.#run
    if (live.stopping) return this.#ended(live, live.stopping)
    const again = node.repeatable || node.instant || (await host.source(row.kind).repeats?.(host.services, row, live.row))
    if (again) return this.begin(live, node)
    // Whether it happened cannot be told, and it may not be safe to do twice.
    await this.#run.end(live, { state: 'lost', reason: 'lost', message: interrupted })
  }

  /** Ends a step with what its call, or the making of its child run, has thrown. Throws what is a defect and no answer. */
  async refused(live: LiveStep, error: unknown): Promise<void> {
    if (this.#run.signal.aborted) return
    // What a call throws because it was ended from here says nothing of its own.
    if (live.ending?.signal.aborted) return this.#ended(live, { state: 'cancelled', reason: 'cancelled' })
    if (!isFault(error)) throw error
    await this.#ended(live, { state: 'failed', reason: error.code, message: error.message })
  }

  async #ended(live: LiveStep, result: StepResult): Promise<void> {
    if (this.#run.live.has(live)) await this.#run.end(live, live.stopping ? { ...result, ...live.stopping } : result)
  }
}

export { CallWorker }
