import { timestamp } from '../../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../../kernel/schema.ts'
import { isEnd } from '../../kernel/run-state.ts'
import { memberOf, objectMember, textMember } from '../document/members.ts'
import { goesOnAfterFailure } from '../document/shape.ts'
import { jobSpecOf } from '../spec.ts'
import { entriesOf, executionsOf, hasFailed, startMessage, stepKey } from './context.ts'
import { loopsOf, nodesOf } from './nodes.ts'
import { askedIn, isApproval } from './approval.ts'
import { choicesFor, namesOf } from './compile.ts'
import { failuresIn, runMessage } from './failures.ts'
import { pathsOf } from './paths.ts'
import { executionNumber } from './execution-number.ts'
import { withRounds } from './round.ts'
import { childEntries, jobUrl } from './scope.ts'
import { shownOf } from './shown.ts'
import type { Static } from '../../kernel/schema.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { RunState } from '../../kernel/run-state.ts'
import type { Ctx } from '../../operation/context.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowDocument, WorkflowPath, WorkflowStep } from '../document/model.ts'
import type { StepExecution } from './context.ts'
import type { Shown } from './shown.ts'

const jobStates = ['queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled', 'retried', 'dismissed'] as const
type JobStatus = (typeof jobStates)[number]

const summaryMembers = {
  id: Type.String(),
  type: OneOf(['active', 'test']),
  workflow: Nullable(Type.String({ description: 'Id of the workflow.' })),
  version: Type.String(),
  group: Type.String({ description: 'The first job of a family of re-runs.' }),
  name: Type.String(),
  status: OneOf(jobStates),
  created_at: Time,
  updated_at: Time,
  started_at: Nullable(Time),
  ended_at: Nullable(Time),
  time_spent: Type.Number({ description: 'Seconds from the start to the end, or to now.' }),
  started_by: Type.String(),
  message: Nullable(Type.String()),
  investigation: Type.String(),
  viewed_by: Nullable(Type.Integer()),
  owned_by: Nullable(Type.Integer()),
  rerunnable: Type.Boolean(),
}

const JobSummary = Closed(summaryMembers)

const Path = Closed({
  id: Type.String(),
  from: Type.String(),
  to: Type.String({ description: 'Empty: the end of the job, or of a round.' }),
  name: Type.String(),
  description: Type.String(),
})

const Job = Closed({
  ...summaryMembers,
  context: Closed({ data: Type.Unknown(), stack: Type.Array(Type.Unknown()) }),
  traversed_paths: Type.Array(Path),
  potential_next_paths: Type.Array(Path),
  next_steps: Type.Array(Type.String()),
  failed_step: Nullable(Closed({ execution: Type.Integer(), name: Type.String(), message: Nullable(Type.String()) })),
  errors: Type.Array(Closed({ step: Type.String(), message: Type.String() })),
  waiting_for: Type.Array(
    Closed({
      step: Type.String(),
      name: Type.String(),
      key: Type.String({ description: 'Where in the job: a step waits several times at once in rounds of a loop. `job.decide` takes it.' }),
      loop_index: Type.Integer({ description: '-1 outside of loops.' }),
      choices: Type.Array(Type.Unknown()),
      until: Nullable(Time),
      users: Type.Array(Type.Unknown({ description: 'Number, id or name of a user.' }), { description: 'Who was asked, as the step names them.' }),
    }),
  ),
})

/** How a job stands, marks included. `starting` counts as running, `timed_out` and `lost` as failed. */
function jobStatus(run: Pick<RunRow, 'state' | 'spec'>): JobStatus {
  const { marks } = jobSpecOf(run.spec)
  const state = shownState(run.state)
  if (state !== 'failed') return state
  return marks.dismissed ? 'dismissed' : marks.retried ? 'retried' : 'failed'
}

type ShownState = Exclude<JobStatus, 'retried' | 'dismissed'>

function shownState(state: RunState): ShownState {
  if (state === 'starting') return 'running'
  if (state === 'skipped') return 'cancelled'
  return state === 'timed_out' || state === 'lost' ? 'failed' : state
}

/** What a run carries out: the version of a workflow; a task or pipeline is one run of its own, at a commit where it came from one (contract §20). */
function subjectOf(run: RunRow): { workflow: string | null; version: string } {
  if (run.kind === 'workflow') return { workflow: run.resource_id, version: jobSpecOf(run.spec).version_id }
  const own = run.kind === 'task' || run.kind === 'pipeline'
  return { workflow: own ? run.id : (run.resource_id ?? run.id), version: textMember(run.spec, 'commit') }
}

/** A job as lists show it. Runs of other kinds have their subject as workflow, and its revision as version. */
function jobSummary(ctx: Ctx, run: RunRow, shown: Shown): Static<typeof JobSummary> {
  const spec = jobSpecOf(run.spec)
  const end = run.finished_at ?? ctx.clock.now()
  return {
    id: run.id,
    type: spec.type,
    ...subjectOf(run),
    group: spec.group_id || run.id,
    name: run.name,
    status: jobStatus(run),
    created_at: timestamp(run.created_at),
    updated_at: timestamp(run.finished_at ?? run.started_at ?? run.created_at),
    started_at: timestamp(run.started_at),
    ended_at: timestamp(run.finished_at),
    time_spent: run.started_at === null ? 0 : Math.max(end - run.started_at, 0) / 1000,
    started_by: run.started_by_name,
    message: textOrNull(shown, run.message),
    investigation: spec.marks.investigation ?? '',
    viewed_by: spec.marks.viewed_by ?? null,
    owned_by: spec.marks.owned_by ?? null,
    rerunnable: run.kind === 'workflow' && isEnd(run.state),
  }
}

/** A job with its context and the paths that it took. */
async function jobView(ctx: Ctx, run: RunRow): Promise<Static<typeof Job>> {
  return viewOfRows(ctx, run, await ctx.db.steps.ofRun(run.id), await shownOf(ctx))
}

/** Several jobs, their steps read at once. */
async function jobViews(ctx: Ctx, runs: readonly RunRow[]): Promise<Static<typeof Job>[]> {
  const steps = new Map<string, StepRow[]>(runs.map(({ id }) => [id, []]))
  for (const row of await ctx.db.steps.ofRuns(runs.map(({ id }) => id))) steps.get(row.run_id)?.push(row)
  const shown = await shownOf(ctx)
  const views: Static<typeof Job>[] = []
  for (const run of runs) views.push(await viewOfRows(ctx, run, steps.get(run.id) ?? [], shown))
  return views
}

async function viewOfRows(ctx: Ctx, run: RunRow, own: readonly StepRow[], shown: Shown): Promise<Static<typeof Job>> {
  const document = run.kind === 'workflow' ? await ctx.services.workflows.ofVersion(jobSpecOf(run.spec).version_id) : null
  const summary = jobSummary(ctx, run, shown)
  if (!document) {
    const context = { data: shown.json(baseData(ctx, run)), stack: [rootFrame] }
    return { ...summary, rerunnable: false, context, ...nothingTaken, errors: ofRun(summary) }
  }
  const rows = await withRounds(ctx.db.steps, document, own)
  const executions = executionsOf(run, document, rows)
  const entries = entriesOf(run, document, rows, await childEntries(ctx.services, rows))
  const paths = pathsOf(document, executions)
  // A decision that nobody made in time is no failure where a path leads on from that.
  const failed = executions.findLast(({ row, step, entry }) => !goesOnAfterFailure(step) && hasFailed(row.state) && entry?.$success === false) ?? null
  const told = failed ? await failuresIn(ctx.services, run, document, rows, ({ key }) => key === failed.row.key) : new Map<string, string>()
  const open = executions.filter(({ row }) => !isEnd(row.state))
  const errors = executions
    .filter(({ row }) => row.reason === 'rule_failed' || row.reason === 'expression_failed')
    .map(({ step, row }) => ({ step: step.name, message: shown.text(row.message ?? '') }))
  return {
    ...summary,
    message: textOrNull(shown, runMessage(document, run.message)),
    context: { data: shown.json({ ...baseData(ctx, run), ...entries }), stack: stackOf(document, executions, rows) },
    traversed_paths: paths.taken.map(viewPath),
    potential_next_paths: paths.next.map(viewPath),
    next_steps: isEnd(run.state)
      ? []
      : open.filter(({ row }) => !open.some((other) => other.row.key.startsWith(`${row.key}/`))).map(({ step }) => step.id),
    failed_step:
      failed && summary.status !== 'succeeded'
        ? {
            execution: executionNumber(failed.row),
            name: failed.step.name,
            message: textOrNull(shown, told.get(failed.row.key) ?? failed.row.message),
          }
        : null,
    errors: errors.length === 0 && !failed ? ofRun(summary) : errors,
    waiting_for: open
      .filter(({ row }) => row.kind === 'question' && row.handle === null)
      .map(({ step, row }) => ({
        step: step.id,
        name: step.name,
        key: row.key,
        loop_index: loopIndexOf(row),
        choices: choicesFor(step, namesOf(document)),
        until: timestamp(row.due_at),
        users: usersAsked(step, row),
      })),
  }
}

const rootFrame: JsonObject = { parent_step_uid: '', parent_step_name: '', loop_index: -1 }
const nothingTaken = { traversed_paths: [], potential_next_paths: [], next_steps: [], failed_step: null, errors: [], waiting_for: [] }

/** Why a job failed in which no step did, or whose steps are not shown here. */
function ofRun({ status, message }: Pick<Static<typeof JobSummary>, 'status' | 'message'>): { step: string; message: string }[] {
  return message !== null && endedBadly.has(status) ? [{ step: '', message }] : []
}

const endedBadly: ReadonlySet<string> = new Set<JobStatus>(['failed', 'retried', 'dismissed'])

function baseData(ctx: Ctx, run: RunRow): JsonObject {
  return {
    $URL: jobUrl(ctx.services, run.id),
    $created_at: timestamp(run.created_at),
    $id: run.id,
    $name: run.name,
    $start_message: startMessage(run),
  }
}

/** The loops that the job stands in, or was in when it ended; one that is over is left. */
function stackOf(document: WorkflowDocument, executions: readonly StepExecution[], rows: readonly StepRow[]): JsonObject[] {
  const nodes = nodesOf(document)
  const pause = rows.findLast(({ node, state }) => !isEnd(state) && nodes.stepOf(node)?.part === 'pause')
  const pausing = pause && nodes.stepOf(pause.node)?.step
  const last = executions.at(-1)
  const key = pause?.key ?? last?.row.key ?? ''
  const loops = pausing ? [...loopsOf(nodes, pausing), pausing] : last ? loopsOf(nodes, last.step) : []
  const rounds = key.split('/')
  const over = new Set(executions.filter(({ step, row }) => step.type === 'loop' && isOver(step, row)).map(({ row }) => stepKey(row)))
  const left = loops.findIndex((_, depth) => over.has(rounds.slice(0, depth * 2 + 1).join('/')))
  return [
    rootFrame,
    ...loops
      .slice(0, left < 0 ? loops.length : left)
      .map((loop, depth) => ({ parent_step_uid: loop.id, parent_step_name: loop.name, loop_index: Number(rounds[depth * 2 + 1] ?? 1) - 1 })),
  ]
}

function isOver(step: WorkflowStep, { state }: StepRow): boolean {
  return state === 'succeeded' || (isEnd(state) && goesOnAfterFailure(step))
}

function viewPath({ id, from, to, name, description }: WorkflowPath): Static<typeof Path> {
  return { id, from, to, name, description }
}

function usersAsked(step: WorkflowStep, { input }: StepRow): Json[] {
  if (isApproval(step)) return askedIn(input)
  const users = memberOf(objectMember(step.parameters, 'notifications'), 'userIdsForEmail')
  return Array.isArray(users) ? users : []
}

function loopIndexOf({ key }: StepRow): number {
  const rounds = key.split('/')
  return rounds.length > 1 ? Number(rounds.at(-2)) - 1 : -1
}

function textOrNull(shown: Shown, text: string | null): string | null {
  return text === null ? null : shown.text(text)
}

export type { JobStatus }
export { Job, JobSummary, jobStates, jobStatus, jobSummary, jobView, jobViews, shownState, loopIndexOf, subjectOf, textOrNull }
