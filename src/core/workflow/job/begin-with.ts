import { fault } from '../../kernel/fault.ts'
import { isUuid } from '../../kernel/id.ts'
import { goesOnAfterFailure } from '../document/shape.ts'
import { executionsOf, hasFailed, stepKey } from './context.ts'
import { nodesOf, partOf } from './nodes.ts'
import { rowsOf } from './of-job.ts'
import { parallelAround } from './round.ts'
import type { Ctx } from '../../operation/context.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowDocument } from '../document/model.ts'
import type { StepExecution } from './context.ts'

/**
 * The key of the row that a re-run of a job begins with; null for the start. `from` is `start`, `failed_step` or the id of a step, `before` the version that
 * the job ran, `now` the one that will run. Throws a fault where there is no such row, or no such step any more.
 */
async function keyToBeginWith(ctx: Ctx, run: RunRow, before: WorkflowDocument, now: WorkflowDocument, from: string): Promise<string | null> {
  if (from === 'start') return null
  const rows = await rowsOf(ctx, run, before)
  const executions = executionsOf(run, before, rows)
  const found = from === 'failed_step' ? executions.findLast(stopped) : executions.findLast(({ step }) => step.id === from)
  const none = {
    what: `The job ${run.id}`,
    state: from === 'failed_step' ? 'without a failed step' : `one that never ran the step "${from}"`,
    next: 'Begin with the start.',
  }
  if (!found && from !== 'failed_step' && !isUuid(from) && !before.steps.some(({ id }) => id === from)) {
    throw fault('malformed_request', { why: `"from" is neither "start" nor "failed_step" nor the id of a step: "${from.slice(0, 60)}"` })
  }
  if (!found) throw fault('state_conflict', none)
  if (!now.steps.some(({ id }) => id === found.step.id)) {
    throw fault('state_conflict', { what: `The step "${found.step.name}"`, state: 'not in the active version', next: 'Run the same version again.' })
  }
  // Rounds that ran at once began in no order that could be gone back to: their loop begins again, with what it goes over.
  const key = stepKey(found.row)
  const loop = parallelAround(before, key)
  if (loop !== null) return partOf(loop, 'items')
  const pause = from === 'failed_step' && before === now ? pauseOf(before, found, rows) : null
  // What a loop goes over belongs to it, and has another form when its rounds run at once in one version only.
  return pause ?? (found.step.type === 'loop' && !found.step.is_disabled ? partOf(key, 'items') : key)
}

/** Whether a job stopped there: at a step that was cancelled, or that failed and with which it did not go on. */
function stopped({ step, row }: StepExecution): boolean {
  return row.state === 'cancelled' || (hasFailed(row.state) && !goesOnAfterFailure(step))
}

/** The key of the pause in which a loop was cancelled; null where it did not pause between two rounds then. */
function pauseOf(document: WorkflowDocument, { row }: StepExecution, rows: readonly StepRow[]): string | null {
  const nodes = nodesOf(document)
  const pause = rows.findLast(
    ({ key, node, state }) => state === 'cancelled' && nodes.stepOf(node)?.part === 'pause' && key.startsWith(`${row.key}/`),
  )
  return pause?.key ?? null
}

export { keyToBeginWith }
