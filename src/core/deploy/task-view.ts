import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { isEnd, runStates } from '../kernel/run-state.ts'
import { objectLabels } from './labels.ts'
import type { Static } from '../kernel/schema.ts'
import type { RunState } from '../kernel/run-state.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { RunSummary, StepSummary } from '../../ports/store/runs.ts'
import type { TaskSpec } from './task.ts'

/** What a deployed task became. */
const workloadTypes = ['job', 'cronjob', 'deployment', 'service'] as const
type WorkloadType = (typeof workloadTypes)[number]

/** States of a task: those of a run; a cron job is `scheduled`, a deployment or service with fewer ready instances than wanted `degraded`. */
const taskStates = [...runStates, 'scheduled', 'degraded'] as const

/** Where a service is reached. */
const Address = Closed({
  port: Type.Integer({ description: 'Where an instance answers just now.' }),
  container_port: Type.Integer({ description: 'Where the manifest says that it listens.' }),
  internal_url: Type.String({ description: 'For callers on the same machine; empty while no instance answers.' }),
  url: Nullable(Type.String({ description: 'Its public address at the gateway.' })),
  published: Nullable(
    Closed({
      access: Nullable(Type.String()),
      prefix: Type.String(),
      rewrite: Type.String(),
      timeout_ms: Type.Integer(),
      sticky_sessions: Type.Boolean(),
      bypass_auth: Type.Boolean(),
    }),
  ),
})

const members = {
  id: Type.String(),
  name: Type.String(),
  namespace: Type.String(),
  type: OneOf(workloadTypes),
  state: OneOf(taskStates),
  reason: Nullable(Type.String()),
  message: Nullable(Type.String()),
  deleted: Type.Boolean({ description: 'It was deleted: its record is kept, lists leave it out.' }),
  generation: Type.Integer(),
  attempt: Type.Integer({ description: '0 before the first.' }),
  max_attempts: Type.Integer(),
  exit_code: Nullable(Type.Integer()),
  repository: Type.String(),
  directory: Type.String(),
  branch: Type.String(),
  commit: Nullable(Type.String()),
  schedule: Type.String(),
  image: Nullable(Type.String()),
  labels: Type.Unsafe<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } }),
  pipeline_id: Nullable(Type.String()),
  cronjob: Nullable(Type.String()),
  replicas: Nullable(Type.Integer({ description: 'Wanted instances of a deployment or service.' })),
  ready_replicas: Nullable(Type.Integer()),
  address: Nullable(Address),
  created_by: Type.String(),
  created_at: Time,
  started_at: Nullable(Time),
  finished_at: Nullable(Time),
  suspended: Nullable(Type.Boolean({ description: 'Of a cron job: no occurrence starts until it is resumed.' })),
  active_jobs: Nullable(Type.Array(Type.String(), { description: 'Of a cron job: the names of its jobs that have not ended.' })),
  next_schedule_time: Nullable(Time),
  last_schedule_time: Nullable(Time),
}

const Task = Closed(members)
type TaskView = Static<typeof Task>

const DeployedTask = Closed({
  ...members,
  replaced: Type.Boolean({ description: 'An ended task of this name was there before; it stays readable by its id.' }),
  replayed: Type.Boolean({ description: 'The answer to an earlier call with the same idempotency key.' }),
})

const Pod = Closed({
  name: Type.String(),
  namespace: Type.String(),
  state: OneOf(runStates),
  reason: Nullable(Type.String()),
  exit_code: Nullable(Type.Integer()),
  node: Type.String({ description: 'The runtime that it runs on.' }),
  image: Nullable(Type.String()),
  task: Type.String(),
  task_name: Type.String(),
  owner: OneOf(['job', 'deployment'], { description: 'What keeps it.' }),
  restarts: Type.Integer(),
  created_at: Time,
  started_at: Nullable(Time),
  finished_at: Nullable(Time),
})
type PodView = Static<typeof Pod>

/** What is said of a task that waits for the end of the one before it. */
const waitsForName = { reason: 'still_running', message: 'It starts when the deleted one of its name has ended' } as const

/** A task as callers see it, from its run and the run's one step (none while nothing was made of it yet). */
function taskView(run: RunSummary, step: StepSummary | null): TaskView {
  const spec = run.spec as unknown as TaskSpec // written by `taskDraft` only
  const now = currentState(run, step)
  const { state, reason, message } = now.state === 'starting' && spec.after !== undefined ? { ...now, ...waitsForName } : now
  return {
    ...aboutTask(run),
    state,
    reason,
    message,
    attempt: attemptOf(step),
    max_attempts: step?.max_attempts ?? 1,
    exit_code: step?.exit_code ?? null,
  }
}

/** A task as it was when it was accepted: the answer of a deploy, the same when it is repeated later. */
function acceptedTask(run: RunRow): TaskView {
  const fresh = { state: 'queued', reason: null, message: null, attempt: 0, max_attempts: 1, exit_code: null } as const
  return { ...aboutTask(run), ...fresh, deleted: false, started_at: null, finished_at: null }
}

function aboutTask(run: RunSummary) {
  const spec = run.spec as unknown as TaskSpec // written by `taskDraft` only
  return {
    id: run.id,
    name: run.name,
    namespace: run.namespace,
    type: 'job' as const,
    deleted: run.deleted_at !== null,
    generation: spec.generation,
    repository: spec.repository,
    directory: spec.directory,
    branch: spec.branch,
    commit: spec.commit,
    schedule: spec.schedule,
    image: spec.image,
    labels: objectLabels(run.id, spec),
    pipeline_id: spec.pipeline_id,
    cronjob: spec.cronjob,
    created_by: run.started_by_name,
    created_at: timestamp(run.created_at),
    started_at: timestamp(run.started_at),
    finished_at: timestamp(run.finished_at),
    ...unscheduled,
    ...unreplicated,
  }
}

/** What a task without instances of its own says about them. */
const unreplicated = { replicas: null, ready_replicas: null, address: null }

/** What a task without a schedule says about its schedule. */
const unscheduled = { suspended: null, active_jobs: null, next_schedule_time: null, last_schedule_time: null }

/** Where a task stands: while its run goes on the step knows better (which attempt, what it waits for); once it has ended the run does. */
function currentState(run: RunSummary, step: StepSummary | null): { state: RunState; reason: string | null; message: string | null } {
  // A run that succeeded has nothing to say, but its step may: what could not be done as asked.
  if (!step || isEnd(run.state)) return { state: run.state, reason: run.reason, message: run.message ?? step?.message ?? null }
  if (isEnd(step.state)) return { state: 'running', reason: null, message: run.message }
  // Queued without a word: others of its namespace were there first.
  const reason = step.state === 'queued' ? (step.reason ?? 'waiting_for_quota') : step.reason
  return { state: step.state, reason, message: step.message ?? run.message }
}

function attemptOf(step: StepSummary | null): number {
  if (!step) return 0
  return step.state === 'queued' && step.attempt === 1 ? 0 : step.attempt
}

/** The attempts of a task that a runtime has or had in hand, oldest first. */
function podsOf(run: RunRow, step: StepRow | null, nameOf: (attempt: number) => string): PodView[] {
  if (!step) return []
  const spec = run.spec as unknown as TaskSpec // written by `taskDraft` only
  const common = {
    namespace: run.namespace,
    node: step.runtime,
    image: spec.image,
    task: run.id,
    task_name: run.name,
    owner: 'job' as const,
    restarts: 0,
  }
  const ended = step.attempts.map((attempt) => ({
    ...common,
    name: nameOf(attempt.attempt),
    state: attempt.state,
    reason: attempt.reason,
    exit_code: attempt.exit_code,
    created_at: timestamp(attempt.started_at ?? attempt.finished_at) as string,
    started_at: timestamp(attempt.started_at),
    finished_at: timestamp(attempt.finished_at),
  }))
  const inHand = step.state === 'starting' || step.state === 'running' || (isEnd(step.state) && step.started_at !== null)
  if (!inHand || ended.some((pod) => pod.name === nameOf(step.attempt))) return ended
  const current = {
    ...common,
    name: nameOf(step.attempt),
    state: step.state,
    reason: step.reason,
    exit_code: step.exit_code,
    created_at: timestamp(step.started_at ?? step.created_at),
    started_at: step.state === 'starting' ? null : timestamp(step.started_at),
    finished_at: timestamp(step.finished_at),
  }
  return [...ended, current]
}

/** The latest life of an instance of a deployment or service. */
function replicaPod(run: RunRow, step: StepRow | null, about: { task: string; task_name: string; restarts: number }): PodView {
  const spec = run.spec as unknown as TaskSpec // of which the spec of an instance is a part
  const { state, reason } = currentState(run, step)
  return {
    ...about,
    ...{ owner: 'deployment', name: run.name, namespace: run.namespace, node: step?.runtime ?? '', image: spec.image, state, reason },
    exit_code: step?.exit_code ?? null,
    created_at: timestamp(run.created_at),
    started_at: state === 'starting' ? null : timestamp(step?.started_at),
    finished_at: timestamp(run.finished_at),
  }
}

export type { TaskView, PodView, WorkloadType }
export { workloadTypes, unscheduled, unreplicated, Task, DeployedTask, Pod, taskView, acceptedTask, currentState, podsOf, replicaPod, waitsForName }
