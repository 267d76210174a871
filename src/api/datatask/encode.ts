import type { PipelineTaskView, PipelineView } from '../../core/deploy/pipeline-view.ts'
import type { PodView, TaskView } from '../../core/deploy/task-view.ts'
import type { RunState } from '../../core/kernel/run-state.ts'

/** The words of the contract for the state of a job (§12.2). */
type JobState = 'pending' | 'starting' | 'running' | 'scheduled' | 'degraded' | 'succeeded' | 'failed' | 'killed' | 'deleted'

const jobStates = {
  queued: 'pending',
  starting: 'starting',
  running: 'running',
  // A job waits only for its next attempt.
  waiting: 'starting',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'killed',
  timed_out: 'failed',
  lost: 'failed',
  skipped: 'killed',
  scheduled: 'scheduled',
  degraded: 'degraded',
} as const satisfies Record<TaskView['state'], JobState>

const pipelineStates = {
  queued: 'pending',
  starting: 'pending',
  running: 'running',
  waiting: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'killed',
  timed_out: 'failed',
  lost: 'failed',
  skipped: 'killed',
} as const satisfies Record<RunState, string>

const phases = {
  queued: 'Pending',
  starting: 'Pending',
  running: 'Running',
  waiting: 'Pending',
  succeeded: 'Succeeded',
  failed: 'Failed',
  cancelled: 'Failed',
  timed_out: 'Failed',
  lost: 'Unknown',
  skipped: 'Failed',
} as const satisfies Record<RunState, string>

/** Reasons of core that the contract calls otherwise. */
const reasons: Readonly<Record<string, string>> = { run_in_error: 'pipeline_in_error', timed_out: 'timeout', cancelled: 'pipeline_killed' }

/** The reason of a state in the contract's words; null where there is none. */
function encodeReason(reason: string | null): string | null {
  return reason === null ? null : (reasons[reason] ?? reason)
}

function stateOfJob({ state, deleted, type }: Pick<TaskView, 'state' | 'deleted' | 'type'>): JobState {
  if (deleted) return 'deleted'
  return type === 'cronjob' ? 'scheduled' : jobStates[state]
}

// A deleted job says so whatever it was before.
function reasonOfJob({ deleted, reason, state }: Pick<TaskView, 'state' | 'deleted' | 'reason'>): string | null {
  if (deleted) return 'deleted_by_user'
  return encodeReason(reason ?? (state === 'lost' ? 'lost' : state === 'timed_out' ? 'timeout' : null))
}

/** The answer of a deploy. */
function encodeTask(task: TaskView & { replaced: boolean }) {
  return {
    id: task.id,
    name: task.name,
    namespace: task.namespace,
    type: task.type,
    state: stateOfJob(task),
    generation: task.generation,
    repository: task.repository,
    directory: task.directory,
    branch: task.branch,
    commit: task.commit,
    schedule: task.schedule,
    image: task.image,
    created_by: task.created_by,
    created_at: task.created_at,
    replaced: task.replaced,
  }
}

function encodeTaskState(task: TaskView) {
  return {
    id: task.id,
    name: task.name,
    namespace: task.namespace,
    type: task.type,
    state: stateOfJob(task),
    generation: task.generation,
    reason: reasonOfJob(task),
    message: task.message,
    attempt: task.attempt,
    max_attempts: task.max_attempts,
    exit_code: task.exit_code,
    repository: task.repository,
    directory: task.directory,
    branch: task.branch,
    commit: task.commit,
    schedule: task.schedule,
    next_schedule_time: task.next_schedule_time,
    last_schedule_time: task.last_schedule_time,
    replicas: task.replicas,
    ready_replicas: task.ready_replicas,
    pipeline_id: task.pipeline_id,
    cronjob: task.cronjob,
    created_by: task.created_by,
    created_at: task.created_at,
    started_at: task.started_at,
    finished_at: task.finished_at,
  }
}

/** A job as the lists show it. */
function encodeTaskItem(task: TaskView) {
  const state = stateOfJob(task)
  return {
    id: task.id,
    name: task.name,
    namespace: task.namespace,
    state,
    labels: task.labels,
    image: task.image,
    repository: task.repository,
    directory: task.directory,
    branch: task.branch,
    commit: task.commit,
    created_by: task.created_by,
    created_at: task.created_at,
    ...podCounts(task, state),
    exit_code: task.exit_code,
    started_at: task.started_at,
    finished_at: task.finished_at,
    pipeline_id: task.pipeline_id,
    cronjob: task.cronjob,
  }
}

// As Kubernetes counts the pods of a job: each attempt is one, and between two attempts none is active.
function podCounts({ attempt, reason }: TaskView, state: JobState): { active: number; succeeded: number; failed: number } {
  const before = Math.max(attempt - 1, 0)
  const resting = reason === 'retry_wait'
  return {
    active: (state === 'starting' || state === 'running') && !resting ? 1 : 0,
    succeeded: state === 'succeeded' ? 1 : 0,
    failed: state === 'failed' || resting ? before + 1 : before,
  }
}

/** A cron job as the lists show it. */
function encodeCronItem(task: TaskView) {
  return {
    id: task.id,
    name: task.name,
    namespace: task.namespace,
    state: stateOfJob(task),
    labels: task.labels,
    image: task.image,
    repository: task.repository,
    directory: task.directory,
    branch: task.branch,
    commit: task.commit,
    created_by: task.created_by,
    created_at: task.created_at,
    schedule: task.schedule,
    suspended: task.suspended === true,
    active: task.active_jobs ?? [],
    last_schedule_time: task.last_schedule_time,
    next_schedule_time: task.next_schedule_time,
  }
}

function encodeWorkload(task: TaskView) {
  const { id, name, namespace, labels, image, repository, directory, branch, commit, created_by, created_at } = task
  return { id, name, namespace, state: stateOfJob(task), labels, image, repository, directory, branch, commit, created_by, created_at }
}

/** A deployment as the lists show it; the one of a service names it. */
function encodeDeployment(task: TaskView) {
  const { replicas, ready_replicas, type, name } = task
  return { ...encodeWorkload(task), replicas, ready_replicas, service: type === 'service' ? name : null }
}

/** A service as the lists show it. */
function encodeService(task: TaskView) {
  const { port, container_port, internal_url, url, published } = task.address ?? noAddress
  return { ...encodeWorkload(task), deployment: task.name, port, container_port, internal_url, url, published }
}

const noAddress = { port: 80, container_port: 80, internal_url: '', url: null, published: null }

function encodeDeletedDeployment({ id, namespace, name }: { id: string; namespace: string; name: string }) {
  return { kind: 'deployment', namespace, name, id, deleted: true }
}

function encodeDeletedService({ id, namespace, name }: { id: string; namespace: string; name: string }) {
  return { kind: 'service', namespace, name, id, deleted: true, deleted_deployment: name }
}

function encodePodItem(pod: PodView) {
  return {
    name: pod.name,
    namespace: pod.namespace,
    phase: phases[pod.state],
    ready: pod.state === 'running',
    restarts: pod.restarts,
    reason: encodeReason(pod.reason),
    exit_code: pod.exit_code,
    node: pod.node,
    ip: null,
    image: pod.image,
    task_id: pod.task,
    owner: { kind: pod.owner, name: pod.task_name },
    created_at: pod.created_at,
    started_at: pod.started_at,
    finished_at: pod.finished_at,
  }
}

/** A pipeline, in every answer that shows one. */
function encodePipeline(pipeline: PipelineView) {
  return {
    id: pipeline.id,
    name: pipeline.name,
    namespace: pipeline.namespace,
    original: pipeline.original,
    state: pipeline.cancelling ? 'killing' : pipelineStates[pipeline.state],
    reason: encodeReason(pipeline.reason),
    message: pipeline.message,
    repository: pipeline.repository,
    directory: pipeline.directory,
    branch: pipeline.branch,
    commit: pipeline.commit,
    created_by: pipeline.created_by,
    created_at: pipeline.created_at,
    started_at: pipeline.started_at,
    finished_at: pipeline.finished_at,
    tasks: pipeline.tasks.map(encodePipelineTask),
  }
}

function encodePipelineTask(task: PipelineTaskView) {
  return {
    name: task.name,
    namespacetask: task.namespacetask,
    dependance: task.dependance,
    'run-if-error': task.run_if_error,
    state: stateOfPipelineTask(task),
    reason: task.deleted ? 'deleted_by_user' : encodeReason(task.reason ?? (task.state === 'skipped' ? 'run_in_error' : null)),
    task_id: task.task,
    exit_code: task.exit_code,
    started_at: task.started_at,
    finished_at: task.finished_at,
  }
}

// In its pipeline a job that somebody deleted counts as failed (§12.4).
function stateOfPipelineTask({ state, deleted }: PipelineTaskView): string {
  if (deleted) return 'failed'
  if (state === null) return 'waiting'
  return state === 'skipped' ? 'skipped' : jobStates[state]
}

function encodeKill(kill: { id: string; namespace: string; state: RunState; accepted: boolean }) {
  return { id: kill.id, namespace: kill.namespace, state: kill.accepted ? 'killing' : pipelineStates[kill.state], accepted: kill.accepted }
}

function encodeDeletedJob(job: { id: string; namespace: string; name: string }) {
  return { kind: 'job', namespace: job.namespace, name: job.name, id: job.id, deleted: true }
}

function encodeDeletedCronJob(job: { id: string; namespace: string; name: string; deleted_jobs: readonly string[] }) {
  return { kind: 'cronjob', namespace: job.namespace, name: job.name, id: job.id, deleted: true, deleted_jobs: job.deleted_jobs }
}

export type { JobState }
export {
  encodeDeployment,
  encodeService,
  encodeDeletedDeployment,
  encodeDeletedService,
  encodeTask,
  encodeTaskState,
  encodeTaskItem,
  encodeCronItem,
  encodePodItem,
  encodePipeline,
  encodeKill,
  encodeDeletedJob,
  encodeDeletedCronJob,
}
