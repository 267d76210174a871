import type { Effect } from '../flow/machine.ts'
import type { Json } from '../kernel/json.ts'
import type { AdvanceAct } from '../../ports/store/runs.ts'
import type { RunRow } from '../../ports/store/rows.ts'
import type { EndState } from '../kernel/run-state.ts'

/** How a step ended. */
type StepResult = {
  readonly state: EndState
  readonly reason: string | null
  readonly message?: string | null
  readonly exitCode?: number | null
  readonly output?: Json
}

type Finish = Extract<Effect, { do: 'finish' }>

/** What the end of its flow makes of a run. A run of one step ends as that step did; `last` is the step that decided. */
function endOfRun(run: RunRow, finish: Finish, last: StepResult | null, options: { lone: boolean; now: number }): NonNullable<AdvanceAct['run']> {
  const output = last?.output === undefined ? {} : { output: last.output }
  const ended = { active: false, finished_at: options.now, started_at: run.started_at ?? options.now, ...output }
  if (finish.outcome === 'cancelled') return { ...ended, state: 'cancelled', reason: cancelReason(run) }
  if (finish.outcome === 'succeeded') return { ...ended, state: 'succeeded', reason: null }
  if (options.lone && last && last.state !== 'succeeded' && last.state !== 'skipped') {
    return { ...ended, state: last.state, reason: last.reason, message: last.message ?? null }
  }
  return { ...ended, state: 'failed', reason: 'step_failed', message: finish.failed === null ? null : `The step "${finish.failed}" failed.` }
}

/** The reason that came with the order to end the run; null when there was none. */
function cancelReason(run: RunRow): string | null {
  return typeof run.cancel?.reason === 'string' ? run.cancel.reason : null
}

/** Characters of the outputs that one run may keep. */
const contextLimit = 64 * 1024 * 1024

function sizeOf(output: Json): number {
  return output === null ? 0 : JSON.stringify(output).length
}

export type { StepResult, Finish }
export { contextLimit, endOfRun, cancelReason, sizeOf }
