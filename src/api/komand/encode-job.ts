import { wholeSeconds, zeroTime } from './encode.ts'
import type { Json } from '../../core/kernel/json.ts'

type PathView = { readonly id: string; readonly from: string; readonly to: string; readonly name: string; readonly description: string }

/** A job as lists give it; what only its steps tell is there when details were asked for. */
type JobView = {
  readonly id: string
  readonly type: string
  readonly workflow: string | null
  readonly version: string
  readonly group: string
  readonly name: string
  readonly status: string
  readonly created_at: string
  readonly updated_at: string
  readonly started_at: string | null
  readonly ended_at: string | null
  readonly time_spent: number
  readonly investigation: string
  readonly viewed_by: number | null
  readonly owned_by: number | null
  readonly rerunnable: boolean
  readonly context?: Json
  readonly traversed_paths?: readonly PathView[]
  readonly potential_next_paths?: readonly PathView[]
  readonly next_steps?: readonly string[]
  readonly failed_step?: { readonly execution: number; readonly name: string } | null
  readonly errors?: readonly { readonly step: string; readonly message: string }[]
}

/** A job (contract §7.1). `minimum` leaves out its context and its paths. */
function encodeJob(job: JobView, { minimum }: { readonly minimum: boolean } = { minimum: false }) {
  const path = encodePath(job)
  const errors = job.errors ?? []
  return {
    job_id: job.id,
    type: job.type,
    workflow_uid: job.workflow ?? '',
    version_uid: job.version,
    group_id: job.group,
    name: job.name,
    status: job.status,
    created_at: wholeSeconds(job.created_at),
    updated_at: wholeSeconds(job.updated_at),
    // Absent, never null, until the job has ended: a client's own schema demands a text.
    ...(job.ended_at === null ? {} : { ended_at: wholeSeconds(job.ended_at) }),
    ...(minimum
      ? {}
      : {
          context: job.context ?? {},
          traversed_paths: (job.traversed_paths ?? []).map(path),
          potential_next_paths: (job.potential_next_paths ?? []).map(path),
        }),
    next_step_uids: job.next_steps ?? [],
    time_spent: job.time_spent,
    investigation_id: job.investigation,
    viewed_by_id: job.viewed_by,
    owned_by_id: job.owned_by,
    failed_step_id: job.failed_step?.execution ?? null,
    failed_step_name: job.failed_step?.name ?? '',
    is_rerunnable: job.rerunnable,
    errors: errors.length === 0 ? null : errors.map(({ step, message }) => ({ step_name: step, message })),
  }
}

const encodePath = (job: JobView) => (path: PathView) => ({
  path_uid: path.id,
  workflow_uid: job.workflow ?? '',
  workflow_version_uid: job.version,
  from_step_uid: path.from,
  to_step_uid: path.to,
  name: path.name,
  description: path.description,
  created_at: zeroTime,
  updated_at: zeroTime,
})

type StepView = {
  readonly execution: number
  readonly step: string
  readonly name: string
  readonly type: string
  readonly status: string
  readonly started_at: string | null
  readonly ended_at: string | null
  readonly time_spent: number
  readonly input: Json
  readonly output: Json
  readonly log: string
  readonly error: string | null
  readonly exception: Json
  readonly loop_index: number
  readonly parent_step: string
  readonly attempt: number
}

/** An execution of a step (contract §7.6). What there is none of is absent. */
function encodeStep(jobId: string) {
  return (step: StepView) => ({
    step_id: step.execution,
    step_uid: step.step,
    job_id: jobId,
    name: step.name,
    type: step.type,
    status: step.status,
    started_at: step.started_at === null ? zeroTime : wholeSeconds(step.started_at),
    ...(step.ended_at === null ? {} : { ended_at: wholeSeconds(step.ended_at) }),
    time_spent: step.time_spent,
    input: step.input ?? {},
    output: step.output ?? {},
    log: step.log,
    ...(step.error === null ? {} : { error: step.error }),
    ...(step.exception === null || step.exception === undefined ? {} : { exception: step.exception }),
    loop_index: step.loop_index,
    parent_step_uid: step.parent_step,
    attempt: step.attempt,
  })
}

type ArtifactView = {
  readonly id: string
  readonly step: string
  readonly name: string
  readonly type: string
  readonly content: string
  readonly created_at: string
}

/** What a step of a job has kept for people. */
function encodeJobArtifact({ id, step, name, type, content, created_at }: ArtifactView) {
  return { artifact_id: id, step_uid: step, name, type, content, created_at: wholeSeconds(created_at) }
}

export type { JobView, StepView }
export { encodeJob, encodeStep, encodeJobArtifact }
