import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { timestamp } from '../kernel/clock.ts'
import { runStates } from '../kernel/run-state.ts'
import type { Static } from '../kernel/schema.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'

const Step = Closed({
  key: Type.String({ description: 'Path inside the graph: `fetch`, `loop/3/body`.' }),
  kind: Type.String(),
  state: OneOf(runStates),
  reason: Nullable(Type.String()),
  message: Nullable(Type.String()),
  attempt: Type.Integer(),
  max_attempts: Type.Integer(),
  exit_code: Nullable(Type.Integer()),
  child: Nullable(Type.String({ description: 'The run that this step started and waits for.' })),
  due_at: Nullable(Time),
  started_at: Nullable(Time),
  finished_at: Nullable(Time),
})

const members = {
  id: Type.String(),
  kind: Type.String(),
  name: Type.String(),
  namespace: Type.String(),
  state: OneOf(runStates),
  reason: Nullable(Type.String()),
  message: Nullable(Type.String()),
  started_by: Type.String(),
  parent: Nullable(Type.String()),
  retry_of: Nullable(Type.String()),
  created_at: Time,
  started_at: Nullable(Time),
  finished_at: Nullable(Time),
}

const RunSummary = Closed(members)
const Run = Closed({ ...members, steps: Type.Array(Step) })

/** A run as lists show it. */
function runSummary(row: RunRow): Static<typeof RunSummary> {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    namespace: row.namespace,
    state: row.state,
    reason: row.reason,
    message: row.message,
    started_by: row.started_by_name,
    parent: row.parent_id,
    retry_of: row.retry_of,
    created_at: timestamp(row.created_at),
    started_at: timestamp(row.started_at),
    finished_at: timestamp(row.finished_at),
  }
}

/** A run with its steps. */
function runView(row: RunRow, steps: readonly StepRow[]): Static<typeof Run> {
  return { ...runSummary(row), steps: steps.map(stepView) }
}

function stepView(row: StepRow): Static<typeof Step> {
  return {
    key: row.key,
    kind: row.kind,
    state: row.state,
    reason: row.reason,
    message: row.message,
    attempt: row.attempt,
    max_attempts: row.max_attempts,
    exit_code: row.exit_code,
    child: row.child_id,
    due_at: timestamp(row.due_at),
    started_at: timestamp(row.started_at),
    finished_at: timestamp(row.finished_at),
  }
}

export { RunSummary, Run, runSummary, runView }
