import { performAttempt, recoverAttempt } from './attempt.ts'
import { defaultPolicy, retryDelay } from './retry.ts'
import { policyOf } from './rows.ts'
import type { WorkNode } from '../flow/graph.ts'
import type { Handle, Runtime } from '../../ports/runtime.ts'
import type { RunRow } from '../../ports/store/rows.ts'
import type { AdvanceResult, StepChange, StepStart } from '../../ports/store/runs.ts'
import type { AttemptEnd } from './attempt.ts'
import type { RunHost } from './host.ts'
import type { LiveStep, LiveSteps } from './live-steps.ts'
import type { StepResult } from './outcome.ts'

/** What the worker needs of the run it works for. */
export type RunInside = {
  readonly host: RunHost
  readonly row: RunRow
  readonly live: LiveSteps
  /** Aborted when this server lets go of the run. */
  readonly signal: AbortSignal
  /** Handles a piece of news after those before it. */
  post(work: () => Promise<void>): void
  /** Records changes of steps, and starts. */
  record(changes: readonly StepChange[], starts: readonly StepStart[]): Promise<AdvanceResult | null>
  /** Ends a step for good. */
  end(live: LiveStep, result: StepResult): Promise<void>
}

// That work runs is recorded when it has run for a moment: what ends sooner needs one commit less, and a crash meanwhile finds it by its name all the same.
const tellAfterMs = 20

/** Takes the work steps of one run through their attempts: places, start, end, the pause before the next, and being stopped. */
export class StepWorker {
  readonly #run: RunInside

  constructor(run: RunInside) {
    this.#run = run
  }

  /** Lines a queued step up for its places. */
  lineUp(live: LiveStep): void {
    const { host, row } = this.#run
    const { places } = host.source(row.kind).place(host.services, row, live.node)
    host.waiting.add({ namespace: row.namespace, places, start: () => this.#tryStart(live, { key: live.row.key, places }) })
    host.waiting.freed()
  }

  /** Begins the attempt of a step that holds its places. */
  begin(live: LiveStep): void {
    this.#run.live.armDeadline(live)
    this.#follow(live, performAttempt)
  }

  /** Finds the attempt of before a restart again. */
  resume(live: LiveStep): void {
    this.#run.live.armDeadline(live)
    this.#follow(live, recoverAttempt)
  }

  /** The pause before the next attempt is over. */
  async retry(live: LiveStep): Promise<void> {
    if (live.row.state !== 'waiting') return
    const { attempt } = live.row
    await this.#run.record([{ key: live.row.key, attempt, patch: { attempt: attempt + 1, state: 'queued', reason: null, due_at: null } }], [])
    this.lineUp(live)
  }

  /** Ends the work of a step; without work the step ends at once. */
  async stop(live: LiveStep, stopping: NonNullable<LiveStep['stopping']>): Promise<void> {
    if (live.stopping) return
    live.stopping = stopping
    if (live.row.state === 'starting' || live.row.state === 'running') this.#stopWork(live)
    else await this.#run.end(live, stopping)
  }

  #tryStart(live: LiveStep, start: StepStart): Promise<string | null> {
    return new Promise((resolve) => {
      if (this.#run.signal.aborted) return resolve(null)
      this.#run.post(async () => {
        if (!this.#run.live.has(live) || live.row.state !== 'queued') return resolve(null)
        try {
          const result = await this.#run.record([], [start])
          resolve(result?.refused.find((refusal) => refusal.key === start.key)?.gauge ?? null)
        } catch (error) {
          resolve(null)
          throw error
        }
      })
    })
  }

  #follow(live: LiveStep, attempt: typeof performAttempt): void {
    const { runtime, node } = live
    if (node.kind !== 'work') return
    if (!runtime) {
      this.#run.post(() => this.#ended(live, noRuntime(live, this.#run.host)))
      return
    }
    attempt(this.#optionsOf(live, node, runtime)).then(
      (end) => this.#run.post(() => this.#ended(live, end)),
      (error: unknown) => {
        if (!this.#run.signal.aborted) this.#run.post(() => Promise.reject(error))
      },
    )
  }

  #optionsOf(live: LiveStep, node: WorkNode, runtime: Runtime) {
    const { host, row, signal } = this.#run
    const { clock } = host.services
    // The attempt sees the row as it is now: a later attempt has another number.
    const step = { ...live.row }
    return {
      services: host.services,
      runtime,
      step,
      prepare: () => host.source(row.kind).work(host.services, row, step, node, step.input),
      onStarted: (handle: Handle, warning: string | null) => {
        // Known at once, not after the mailbox: an order to stop must find it.
        const late = live.stopping !== null && live.handle === null
        live.handle = handle
        if (late) this.#stopWork(live)
        const tell = () => this.#run.post(() => this.#running(live, step.attempt, handle, warning))
        if (warning !== null) tell()
        else live.telling = clock.after(tellAfterMs, tell)
      },
      signal,
    }
  }

  async #running(live: LiveStep, attempt: number, handle: Handle, warning: string | null): Promise<void> {
    if (!this.#run.live.has(live) || live.row.attempt !== attempt || live.row.state !== 'starting') return
    const stored = { ...handle, data: { ...handle.data } }
    const patch = { state: 'running' as const, reason: null, message: warning, started_at: live.row.started_at, handle: stored }
    await this.#run.record([{ key: live.row.key, attempt: live.row.attempt, patch }], [])
  }

  async #ended(live: LiveStep, end: AttemptEnd): Promise<void> {
    live.telling?.cancel()
    if (!this.#run.live.has(live)) return
    const { row, stopping } = live
    const { host } = this.#run
    void host.services.runLog.finish({ run: row.run_id, step: row.key, attempt: row.attempt }).catch(() => {})
    const state = stopping?.state ?? end.state
    const reason = stopping?.reason ?? end.reason
    row.attempts = [
      ...row.attempts,
      { attempt: row.attempt, state, reason, exit_code: end.exitCode, started_at: row.started_at, finished_at: end.finishedAt },
    ]
    const again = end.state !== 'succeeded' && !stopping && !end.final && row.attempt < row.max_attempts && !this.#run.row.cancel
    if (again) await this.#pause(live, end)
    else await this.#run.end(live, { state, reason, message: end.message, exitCode: end.exitCode, output: { exit_code: end.exitCode } })
    host.workEnded(row.run_id, row.position, row.attempts.at(-1)?.attempt ?? row.attempt, row.runtime)
  }

  async #pause(live: LiveStep, end: AttemptEnd): Promise<void> {
    const { row } = live
    const { clock, ids } = this.#run.host.services
    const due = clock.now() + retryDelay(policyOf(live.node) ?? defaultPolicy, row.attempt + 1, ids.fraction())
    live.handle = null
    const common = { message: end.message, exit_code: end.exitCode, attempts: row.attempts, started_at: row.started_at, handle: null }
    await this.#run.record([{ key: row.key, attempt: row.attempt, patch: { ...common, state: 'waiting', reason: 'retry_wait', due_at: due } }], [])
    this.#run.live.arm(live)
  }

  // Without a handle it is being started just now: whoever gets it comes back here.
  #stopWork(live: LiveStep): void {
    const { handle, runtime } = live
    if (!handle || !runtime) return
    const graceMs = policyOf(live.node)?.grace_ms ?? defaultPolicy.grace_ms
    const failed = (error: unknown) => this.#run.host.services.log.error('run.stop_failed', { run: this.#run.row.id, step: live.row.key, error })
    runtime.stop(handle, { graceMs }).catch(failed)
  }
}

function noRuntime({ row }: LiveStep, host: RunHost): AttemptEnd {
  const message = `There is no runtime "${row.runtime}" here. Add it to the configuration, or name another`
  return { state: 'failed', reason: 'start_failed', message, exitCode: null, finishedAt: host.services.clock.now(), final: true }
}
