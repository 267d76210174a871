import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { isEnd, runStates } from '../kernel/run-state.ts'
import { currentState, taskView } from './task-view.ts'
import type { Static } from '../kernel/schema.ts'
import type { RunState } from '../kernel/run-state.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { RunSummary, StepSummary } from '../../ports/store/runs.ts'
import type { PipelineSpec, PipelineTaskSpec } from './pipeline-run.ts'

const PipelineTask = Closed({
  name: Type.String(),
  namespacetask: Type.String(),
  dependance: Type.Array(Type.String()),
  run_if_error: Type.Boolean(),
  state: Nullable(OneOf(runStates, { description: 'Null: it waits for what it depends on.' })),
  reason: Nullable(Type.String()),
  deleted: Type.Boolean(),
  task: Nullable(Type.String({ description: 'The task that it became.' })),
  exit_code: Nullable(Type.Integer()),
  started_at: Nullable(Time),
  finished_at: Nullable(Time),
})
type PipelineTaskView = Static<typeof PipelineTask>

const members = {
  id: Type.String(),
  name: Type.String(),
  namespace: Type.String(),
  original: Type.String(),
  state: OneOf(runStates),
  reason: Nullable(Type.String()),
  message: Nullable(Type.String()),
  cancelling: Type.Boolean({ description: 'It was ordered to end and has not ended yet.' }),
  repository: Type.String(),
  directory: Type.String(),
  branch: Type.String(),
  commit: Nullable(Type.String()),
  created_by: Type.String(),
  created_at: Time,
  started_at: Nullable(Time),
  finished_at: Nullable(Time),
  tasks: Type.Array(PipelineTask),
}
const Pipeline = Closed(members)
type PipelineView = Static<typeof Pipeline>

const StartedPipeline = Closed({
  ...members,
  replayed: Type.Boolean({ description: 'The answer to an earlier call with the same idempotency key.' }),
})

type Child = { readonly run: RunSummary; readonly step: StepSummary | null }

/** The rows that a pipeline is shown from: its steps, and the runs and steps of its tasks. */
type PipelineRows = {
  readonly run: RunRow
  readonly steps: readonly StepRow[]
  readonly children: ReadonlyMap<string, Child>
}

/** A pipeline as callers see it. */
function pipelineView({ run, steps, children }: PipelineRows): PipelineView {
  const byKey = new Map(steps.map((step) => [step.key, step]))
  const spec = run.spec as unknown as PipelineSpec // written by `pipelineDraft` only
  const tasks = spec.tasks.map((task) => {
    const step = byKey.get(task.name) ?? null
    return taskOf(task, run, step, step?.child_id ? (children.get(step.child_id) ?? null) : null)
  })
  const about = aboutPipeline(run)
  // The first task is recorded before the run's own row says that it has begun.
  const begun = about.state === 'queued' ? tasks.find((task) => task.started_at !== null) : undefined
  return begun ? { ...about, state: 'running', started_at: about.started_at ?? begun.started_at, tasks } : { ...about, tasks }
}

/** A pipeline as it was when it was accepted: the answer of a run call, the same when it is repeated later. */
function acceptedPipeline(run: RunRow): PipelineView {
  const spec = run.spec as unknown as PipelineSpec // written by `pipelineDraft` only
  const fresh = { state: 'queued', reason: null, message: spec.warning ?? null, cancelling: false, started_at: null, finished_at: null } as const
  return { ...aboutPipeline(run), ...fresh, tasks: spec.tasks.map((task) => waiting(task)) }
}

function aboutPipeline(run: RunRow) {
  const spec = run.spec as unknown as PipelineSpec // written by `pipelineDraft` only
  return {
    id: run.id,
    name: run.name,
    namespace: run.namespace,
    original: spec.original,
    state: run.state,
    reason: run.reason,
    message: run.message ?? spec.warning ?? null,
    cancelling: run.cancel !== null && !isEnd(run.state),
    repository: spec.repository,
    directory: spec.directory,
    branch: spec.branch,
    commit: spec.commit,
    created_by: run.started_by_name,
    created_at: timestamp(run.created_at),
    started_at: timestamp(run.started_at),
    finished_at: timestamp(run.finished_at),
  }
}

function taskOf(task: PipelineTaskSpec, run: RunRow, step: StepRow | null, child: Child | null): PipelineTaskView {
  if (child) {
    const view = taskView(child.run, child.step)
    const { state, reason } = currentState(child.run, child.step)
    const { deleted, exit_code, started_at, finished_at } = view
    return { ...waiting(task), state, reason, deleted, task: child.run.id, exit_code, started_at, finished_at }
  }
  if (!step) return { ...waiting(task), state: unstarted(run) }
  const state = step.state === 'queued' ? null : step.state
  return {
    ...waiting(task),
    state,
    reason: step.reason,
    // Its run is no longer kept.
    task: step.child_id,
    exit_code: step.exit_code,
    started_at: timestamp(step.started_at),
    finished_at: timestamp(step.finished_at),
  }
}

// A pipeline that has ended left nothing waiting, whatever its rows say.
function unstarted(run: RunRow): RunState | null {
  if (!isEnd(run.state)) return null
  return run.state === 'cancelled' ? 'cancelled' : 'skipped'
}

function waiting({ name, namespacetask, dependance, run_if_error }: PipelineTaskSpec): PipelineTaskView {
  return {
    name,
    namespacetask,
    dependance: [...dependance],
    run_if_error,
    state: null,
    reason: null,
    deleted: false,
    task: null,
    exit_code: null,
    started_at: null,
    finished_at: null,
  }
}

export type { PipelineTaskView, PipelineView, PipelineRows }
export { Pipeline, StartedPipeline, pipelineView, acceptedPipeline }
