import { find } from '../access/find.ts'
import { fault, isFault } from '../kernel/fault.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, OneOf, PageOf, Type, listMembers } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { runStates } from '../kernel/run-state.ts'
import { checkedName } from './names.ts'
import { openViewer, readableNamespace, refuseSystemNamespace } from './namespace.ts'
import { requestMembers } from './request.ts'
import { Pipeline, StartedPipeline, pipelineView } from './pipeline-view.ts'
import { runPipeline } from './run-pipeline.ts'
import { openRun } from './task-operations.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { RunRow } from '../../ports/store/rows.ts'
import type { StepSummary } from '../../ports/store/runs.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { PipelineRows } from './pipeline-view.ts'

const PipelineMember = Type.String({ maxLength: 100, description: 'Id of the pipeline.' })
const NamespaceMember = Type.Optional(Type.String({ minLength: 1, maxLength: 300, description: 'Its namespace.' }))
const example = { pipeline: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001' }

const run = defineOperation({
  name: 'pipeline.run',
  summary: 'Starts the pipeline that a pipeline.json describes and gives it; it goes on after the answer.',
  description: 'Needs write on the namespace, as task.deploy does. Every task of it is checked before the first one starts.',
  input: Closed({ ...requestMembers }),
  output: StartedPipeline,
  access: 'signed-in',
  subjects: {},
  effect: 'act',
  audit: {
    subject: (input, output) => (output ? `pipeline:${output.namespace}/${output.name}` : `pipeline:${input.namespace ?? ''}/${input.name ?? ''}`),
    detail: (_, output) =>
      output
        ? {
            repository: output.repository,
            directory: output.directory,
            branch: output.branch,
            commit: output.commit,
            ...(output.replayed && { replayed: true }),
          }
        : {},
  },
  example: { repository: 'sample', directory: 'report' },
  run: (ctx, input) => runPipeline(ctx, input, 'pipeline.run'),
})

const get = defineOperation({
  name: 'pipeline.get',
  summary: 'One pipeline with its tasks, by its id.',
  input: Closed({ pipeline: PipelineMember, namespace: NamespaceMember }),
  output: Pipeline,
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example,
  async run(ctx, input) {
    const namespace = input.namespace === undefined ? null : checkedName(input.namespace, 'namespace', 'namespace')
    const row = await openRun(ctx, 'pipeline', input.pipeline)
    if (namespace !== null && row.namespace !== namespace) throw missing(input.pipeline)
    return ctx.services.store.read(async (tables) => pipelineView(await rowsOf(tables, row)))
  },
})

const list = defineOperation({
  name: 'pipeline.list',
  summary: 'Pipelines with their tasks, newest first.',
  input: Closed({ namespace: NamespaceMember, ...listMembers }),
  output: PageOf(Pipeline),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { namespace: 'weather' },
  async run(ctx, input) {
    const viewer = openViewer(ctx)
    const namespace = input.namespace === undefined ? null : checkedName(input.namespace.replace(/^namespace:/, ''), 'namespace', 'namespace')
    if (namespace !== null) await readableNamespace(ctx, namespace, viewer)
    const filter = { kinds: ['pipeline'], listed: true, ...(namespace !== null && { namespace }) }
    return ctx.services.store.read(async (tables) => {
      const page = await tables.runs.page(filter, viewer, 'newest', pageRequest(input))
      return { items: (await rowsOfAll(tables, page.items)).map(pipelineView), next: page.next }
    })
  },
})

const kill = defineOperation({
  name: 'pipeline.kill',
  summary: 'Orders a pipeline to end: nothing new starts, what runs is stopped politely and then by force.',
  description: 'The order is durable when it is answered, and carried out afterwards. Repeating it changes nothing.',
  input: Closed({
    pipeline: PipelineMember,
    cleanup: Type.Optional(Type.Boolean({ description: 'Still run the tasks with run-if-error, after everything else has ended.' })),
  }),
  output: Closed({
    id: Type.String(),
    namespace: Type.String(),
    state: OneOf(runStates),
    accepted: Type.Boolean({ description: 'False when it had ended already.' }),
  }),
  access: 'signed-in',
  subjects: {},
  effect: 'act',
  audit: {
    subject: (input) => `pipeline:${input.pipeline}`,
    subjectId: (input) => input.pipeline,
    detail: (input) => ({ cleanup: input.cleanup ?? false }),
  },
  example,
  async run(ctx, input) {
    const row = await writableRun(ctx, input.pipeline)
    const accepted = await ctx.services.engine.cancel(ctx, row.id, { cleanup: input.cleanup ?? false, reason: 'pipeline_killed' })
    const now = (await ctx.db.runs.byId(row.id)) ?? row
    return { id: row.id, namespace: row.namespace, state: now.state, accepted }
  },
})

// Where everybody may read every state, "not found" would hide nothing; there the missing right is named.
async function writableRun(ctx: Ctx, id: string): Promise<RunRow> {
  const row = await openRun(ctx, 'pipeline', id)
  refuseSystemNamespace(row.namespace, 'pipeline.kill')
  try {
    await find(ctx, { kind: 'run', need: 'write', member: 'pipeline' }, id, 'pipeline.kill')
    return row
  } catch (error) {
    if (!isFault(error, 'not_found')) throw error
    const context = { kind: 'namespace', reference: row.namespace, member: 'pipeline' } as const
    throw fault('forbidden', { operation: 'pipeline.kill', need: 'write', subject: `namespace:${row.namespace}` }, { private: context })
  }
}

async function rowsOf(tables: Tables, row: RunRow): Promise<PipelineRows> {
  const [rows] = await rowsOfAll(tables, [row])
  return rows ?? { run: row, steps: [], children: new Map() }
}

// Four statements, however many pipelines a page holds.
async function rowsOfAll(tables: Tables, list: readonly RunRow[]): Promise<PipelineRows[]> {
  const steps = Map.groupBy(await tables.steps.ofRuns(list.map(({ id }) => id)), (step) => step.run_id)
  const ids = [...steps.values()].flat().flatMap((step) => step.child_id ?? [])
  const runs = await tables.runs.summaries(ids)
  const childSteps = new Map<string, StepSummary>((await tables.steps.summaries(ids)).map((step) => [step.run_id, step]))
  const children = new Map(runs.map((child) => [child.id, { run: child, step: childSteps.get(child.id) ?? null }]))
  return list.map((row) => ({ run: row, steps: steps.get(row.id) ?? [], children }))
}

function missing(id: string) {
  return fault(
    'not_found',
    { kind: 'pipeline', reference: id },
    { private: { absence: 'missing', kind: 'pipeline', reference: id, member: 'pipeline' } },
  )
}

const pipelineOperations: readonly AnyOperation[] = [run, get, list, kill]

export { pipelineOperations }
