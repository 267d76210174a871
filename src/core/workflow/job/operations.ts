import { fault } from '../../kernel/fault.ts'
import { isEnd, runStates } from '../../kernel/run-state.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../../kernel/schema.ts'
import { defineOperation, subject } from '../../operation/operation.ts'
import { isJsonObject, memberOf, textMember } from '../document/members.ts'
import { keyToBeginWith } from './begin-with.ts'
import { decide } from './decide.ts'
import { documentOf, rowsOf } from './of-job.ts'
import { graphOf } from '../start.ts'
import { jobSpecOf, workflowSpecOf } from '../spec.ts'
import { listIds, listJobs } from './list-operation.ts'
import { shownOf } from './shown.ts'
import { JobStep, jobSteps } from './step-view.ts'
import { Job, JobSummary, jobStatus, jobSummary, jobView } from './view.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Ctx } from '../../operation/context.ts'
import type { AnyOperation } from '../../operation/operation.ts'
import type { RunRow } from '../../../ports/store/rows.ts'
import type { JobMarks } from '../spec.ts'

const jobMember = Type.String({ description: 'Id of the job.' })
const example = { job: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001' }
const subjects = {
  read: { job: { ...subject('run', 'read', 'job') } },
  execute: { job: { ...subject('run', 'execute', 'job') } },
}

const get = defineOperation({
  name: 'job.get',
  summary: 'One job with its context, the paths that it took and what it waits for.',
  input: Closed({ job: jobMember }),
  output: Job,
  access: 'signed-in',
  subjects: subjects.read,
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, _, { job }) => jobView(ctx, job.row),
})

const steps = defineOperation({
  name: 'job.list-steps',
  summary: 'Every execution of a step of a job, in order, with input, output and log.',
  input: Closed({ job: jobMember }),
  output: Closed({ items: Type.Array(JobStep) }),
  access: 'signed-in',
  subjects: subjects.read,
  effect: 'read',
  audit: 'none',
  example,
  async run(ctx, _, { job }) {
    const document = await documentOf(ctx, job.row)
    const rows = await rowsOf(ctx, job.row, document)
    return { items: document ? await jobSteps(ctx, job.row, document, rows) : [] }
  },
})

const Artifact = Closed({
  id: Type.String(),
  step: Type.String(),
  name: Type.String(),
  type: Type.String(),
  content: Type.String(),
  created_at: Time,
})

const artifacts = defineOperation({
  name: 'job.list-artifacts',
  summary: 'What the steps of a job have kept for people to read.',
  input: Closed({ job: jobMember }),
  output: Closed({ items: Type.Array(Artifact) }),
  access: 'signed-in',
  subjects: subjects.read,
  effect: 'read',
  audit: 'none',
  example,
  async run(ctx, _, { job }) {
    const rows = await rowsOf(ctx, job.row, await documentOf(ctx, job.row))
    const shown = await shownOf(ctx)
    const items = rows.flatMap(({ output }) => {
      const artifact = isJsonObject(output) ? memberOf(output, 'artifact') : undefined
      if (!isJsonObject(artifact)) return []
      const text = (name: string) => textMember(artifact, name)
      return [
        {
          id: text('artifact_id'),
          step: text('step_uid'),
          name: text('name'),
          type: text('type'),
          content: shown.text(text('content')),
          created_at: text('created_at'),
        },
      ]
    })
    return { items }
  },
})

const cancel = defineOperation({
  name: 'job.cancel',
  summary: 'Orders a job to end; a plugin that is called just now is ended politely, then by force.',
  input: Closed({ job: jobMember }),
  output: Job,
  access: 'signed-in',
  subjects: subjects.execute,
  effect: 'act',
  audit: { subject: (input) => `run:${input.job}`, subjectId: (input) => input.job },
  example,
  async run(ctx, _, { job }) {
    const { row } = job
    if (isEnd(row.state))
      throw fault('state_conflict', { what: `The job ${row.id}`, state: jobStatus(row), next: 'It has ended; there is nothing to cancel.' })
    const end = endOf(ctx, row.id)
    try {
      await ctx.services.engine.cancel(ctx, row.id, { cleanup: false, reason: 'cancelled' })
      await end.heard
    } finally {
      end.stop()
    }
    return jobView(ctx, (await ctx.db.runs.byId(row.id)) ?? row)
  },
})

const rerun = defineOperation({
  name: 'job.rerun',
  summary: 'Starts an ended job again as another job of its group, from the start, from the step that failed, or from any step.',
  input: Closed({
    job: jobMember,
    from: Type.Optional(
      Type.String({ description: '`start` (when left out), `failed_step`, or the id of a step. What is not behind that step keeps its outputs.' }),
    ),
    version: Type.Optional(OneOf(['same', 'active'], { description: 'The version that the job ran, or the one that is active now.' })),
  }),
  output: JobSummary,
  access: 'signed-in',
  subjects: subjects.execute,
  effect: 'act',
  audit: {
    subject: (input) => `run:${input.job}`,
    subjectId: (input) => input.job,
    detail: (input, output) => ({ from: input.from ?? 'start', job: output?.id ?? '' }),
  },
  example: { ...example, from: 'failed_step' },
  async run(ctx, input, { job }) {
    const { row } = job
    const old = jobSpecOf(row.spec)
    const document = await documentOf(ctx, row)
    if (!document)
      throw fault('state_conflict', { what: `The run ${row.id}`, state: `a ${row.kind}`, next: 'Only jobs of workflows are run again here.' })
    if (!isEnd(row.state))
      throw fault('state_conflict', { what: `The job ${row.id}`, state: jobStatus(row), next: 'Wait until it has ended, or cancel it first.' })
    const version = input.version === 'active' ? await activeVersion(ctx, row) : old.version_id
    const now = version === old.version_id ? document : await ctx.services.workflows.document({ spec: { version_id: version } })
    const from = await keyToBeginWith(ctx, row, document, now, input.from ?? 'start')
    const spec: JsonObject = { version_id: version, type: old.type, group_id: old.group_id, trigger_id: old.trigger_id, marks: {} }
    const accepted = await ctx.services.engine.retry(ctx, row.id, { ...(from === null ? {} : { from }), graph: graphOf(now), spec })
    if (row.state === 'failed' || row.state === 'timed_out' || row.state === 'lost') await mark(ctx, row.id, { retried: true })
    return jobSummary(ctx, accepted.run, await shownOf(ctx))
  },
})

const dismiss = defineOperation({
  name: 'job.dismiss',
  summary: 'Marks a failed job as one that nobody has to look after any more.',
  input: Closed({ job: jobMember }),
  output: Job,
  access: 'signed-in',
  subjects: subjects.execute,
  effect: 'act',
  audit: { subject: (input) => `run:${input.job}`, subjectId: (input) => input.job },
  example,
  async run(ctx, _, { job }) {
    const { row } = job
    if (jobStatus(row) !== 'failed')
      throw fault('state_conflict', { what: `The job ${row.id}`, state: jobStatus(row), next: 'Only a failed job is dismissed.' })
    return jobView(ctx, await mark(ctx, row.id, { dismissed: true }))
  },
})

const update = defineOperation({
  name: 'job.update',
  summary: 'Says who looks after a job, and what it belongs to elsewhere.',
  input: Closed({
    job: jobMember,
    owned_by: Type.Optional(Nullable(Type.Integer({ description: 'Serial of a user.' }))),
    investigation: Type.Optional(Type.String({ maxLength: 200 })),
  }),
  output: Job,
  access: 'signed-in',
  subjects: subjects.execute,
  effect: 'act',
  audit: { subject: (input) => `run:${input.job}`, subjectId: (input) => input.job, detail: ({ job: _, ...marks }) => ({ ...marks }) },
  example: { ...example, investigation: 'INC-7' },
  async run(ctx, input, { job }) {
    const { owned_by, investigation } = input
    const owner = typeof owned_by === 'number' ? await ctx.db.users.bySerial(owned_by) : null
    if (typeof owned_by === 'number' && (!owner || owner.kind === 'builtin')) {
      throw fault('malformed_request', { why: `there is no user ${owned_by} who could look after the job` })
    }
    const marks = { ...(owned_by === undefined ? {} : { owned_by }), ...(investigation === undefined ? {} : { investigation }) }
    return jobView(ctx, await mark(ctx, job.row.id, marks))
  },
})

/** What only waits is gone within moments: so long an answer is held back that can tell the end. */
const tellableMs = 500

function endOf({ services, clock }: Ctx, id: string): { readonly heard: Promise<void>; stop(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const unsubscribe = services.events.subscribe((event) => {
    if (event.kind === 'run' && event.id === id && endStates.has(event.state)) resolve()
  })
  const timer = clock.after(tellableMs, resolve)
  return {
    heard: promise,
    stop() {
      unsubscribe()
      timer.cancel()
    },
  }
}

const endStates: ReadonlySet<string> = new Set(runStates.filter(isEnd))

async function activeVersion(ctx: Ctx, run: RunRow): Promise<string> {
  const workflow = run.resource_id ? await ctx.db.resources.byId(run.resource_id) : null
  const spec = workflow && workflow.deleted_at === null ? workflowSpecOf(workflow) : null
  if (!spec?.active || !spec.published)
    throw fault('state_conflict', { what: `The workflow "${run.name}"`, state: 'not active', next: 'Run the same version again.' })
  return spec.published
}

async function mark(ctx: Ctx, id: string, marks: JobMarks): Promise<RunRow> {
  return ctx.write(async ({ db }) => {
    const run = await db.runs.byId(id)
    if (!run) throw fault('not_found', { kind: 'job', reference: id })
    const spec: JsonObject = { ...run.spec, marks: { ...jobSpecOf(run.spec).marks, ...marks } }
    await db.runs.patch(id, { spec })
    return { ...run, spec }
  })
}

const jobOperations: readonly AnyOperation[] = [listJobs, listIds, get, steps, artifacts, cancel, rerun, dismiss, update, decide]

export { jobOperations }
