import { Closed, OneOf, PageOf, Type, listMembers } from '../kernel/schema.ts'
import { fault } from '../kernel/fault.ts'
import { roundKind } from './round-kind.ts'
import { pageRequest, viewPage } from '../kernel/page.ts'
import { viewerOf } from '../identity/principal.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { isEnd, runStates } from '../kernel/run-state.ts'
import { Run, RunSummary, runSummary, runView } from './view.ts'
import type { AnyOperation } from '../operation/operation.ts'

const runMember = Type.String({ description: 'Id of the run.' })
const example = { run: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001' }

const get = defineOperation({
  name: 'run.get',
  summary: 'One run with its steps.',
  input: Closed({ run: runMember }),
  output: Run,
  access: 'anyone',
  subjects: { run: subject('run', 'read', 'run') },
  effect: 'read',
  audit: 'none',
  example,
  run: async (ctx, _, { run }) => runView(run.row, await ctx.db.steps.ofRun(run.row.id)),
})

const list = defineOperation({
  name: 'run.list',
  summary: 'Runs that the caller may read, newest first.',
  input: Closed({
    kind: Type.Optional(
      Type.String({ description: 'Only of this kind: task, pipeline, workflow, procedure, … Rounds of jobs (`round`) are listed only so.' }),
    ),
    namespace: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    state: Type.Optional(OneOf(runStates)),
    active: Type.Optional(Type.Boolean({ description: 'Only those that have not ended, or only those that have.' })),
    ...listMembers,
  }),
  output: PageOf(RunSummary),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { kind: 'task', limit: 20 },
  run(ctx, input) {
    const { kind, namespace, name, state, active } = input
    const filter = {
      ...(kind === undefined ? { exceptKind: roundKind } : { kinds: [kind] }),
      ...(namespace !== undefined && { namespace }),
      ...(name !== undefined && { name }),
      ...(state !== undefined && { states: [state] }),
      ...(active !== undefined && { active }),
    }
    return viewPage(ctx.db.runs.page(filter, viewerOf(ctx.principal), 'newest', pageRequest(input)), (rows) => rows.map(runSummary))
  },
})

const cancel = defineOperation({
  name: 'run.cancel',
  summary: 'Orders a run to end: first politely, then by force.',
  input: Closed({
    run: runMember,
    cleanup: Type.Optional(Type.Boolean({ description: 'Still run the steps that run in any case, after everything else has ended.' })),
  }),
  output: Closed({ ...Run.properties, accepted: Type.Boolean({ description: 'False when it had ended already.' }) }),
  access: 'signed-in',
  subjects: { run: subject('run', 'execute', 'run') },
  effect: 'act',
  audit: { subject: (input) => `run:${input.run}`, subjectId: (input) => input.run, detail: (input) => ({ cleanup: input.cleanup ?? false }) },
  example,
  run: async (ctx, input, { run }) => {
    const accepted = await ctx.services.engine.cancel(ctx, run.row.id, { cleanup: input.cleanup ?? false, reason: 'cancelled' })
    const row = (await ctx.db.runs.byId(run.row.id)) ?? run.row
    return { ...runView(row, await ctx.db.steps.ofRun(row.id)), accepted }
  },
})

const retry = defineOperation({
  name: 'run.retry',
  summary: 'Starts an ended run again as a new run that names the old one.',
  input: Closed({
    run: runMember,
    from: Type.Optional(Type.String({ description: 'Key of the step to begin with; what is not downstream of it counts as done.' })),
  }),
  output: Run,
  access: 'signed-in',
  subjects: { run: subject('run', 'execute', 'run') },
  effect: 'act',
  audit: {
    subject: (_, output) => `run:${output?.id ?? ''}`,
    detail: (input) => ({ retry_of: input.run, ...(input.from !== undefined && { from: input.from }) }),
  },
  example,
  run: async (ctx, input, { run }) => {
    if (!isEnd(run.row.state)) {
      throw fault('state_conflict', { what: `The run ${run.row.id}`, state: run.row.state, next: 'Wait until it has ended, or cancel it first.' })
    }
    const accepted = await ctx.services.engine.retry(ctx, run.row.id, input.from === undefined ? {} : { from: input.from })
    return runView(accepted.run, await ctx.db.steps.ofRun(accepted.run.id))
  },
})

const answer = defineOperation({
  name: 'run.answer',
  summary: 'Answers a question that a run waits for.',
  input: Closed({
    run: runMember,
    step: Type.String({ description: 'Key of the step that asks.' }),
    answer: Type.Unknown({ description: 'The answer, as the question asks for it.' }),
  }),
  output: Run,
  access: 'signed-in',
  subjects: { run: subject('run', 'execute', 'run') },
  effect: 'act',
  audit: { subject: (input) => `run:${input.run}`, subjectId: (input) => input.run, detail: (input) => ({ step: input.step }) },
  example: { ...example, step: 'approve', answer: { approved: true } },
  run: async (ctx, input, { run }) => {
    await ctx.services.engine.answer(ctx, run.row.id, input.step, input.answer as never) // shape: any JSON, and JSON is what arrived
    return runView(run.row, await ctx.db.steps.ofRun(run.row.id))
  },
})

const log = defineOperation({
  name: 'run.log',
  summary: 'A piece of the output of a run, secrets masked.',
  input: Closed({
    run: runMember,
    step: Type.String({ description: 'Key of the step.' }),
    attempt: Type.Optional(Type.Integer({ minimum: 1 })),
    offset: Type.Optional(Type.Integer({ minimum: 0 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_048_576, description: 'Bytes at most; 65536 when left out.' })),
  }),
  output: Closed({ offset: Type.Integer(), next: Type.Integer(), size: Type.Integer(), text: Type.String() }),
  access: 'anyone',
  subjects: { run: subject('run', 'read', 'run') },
  effect: 'read',
  audit: 'none',
  example: { ...example, step: 'main' },
  run: async (ctx, input, { run }) => {
    const step = await ctx.db.steps.one(run.row.id, input.step)
    if (!step) throw fault('not_found', { kind: 'step', reference: input.step }, { private: { kind: 'step', absence: 'missing' } })
    const name = { run: run.row.id, step: step.key, attempt: input.attempt ?? step.attempt }
    const offset = input.offset ?? 0
    const bytes = await ctx.services.runLog.read(name, { offset, limit: input.limit ?? 65_536 })
    return { offset, next: offset + bytes.length, size: await ctx.services.runLog.size(name), text: new TextDecoder().decode(bytes) }
  },
})

const runOperations: readonly AnyOperation[] = [get, list, cancel, retry, answer, log]

export { runOperations }
