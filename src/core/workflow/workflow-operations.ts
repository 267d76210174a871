import { findOrNull } from '../access/find.ts'
import { readablePage } from '../access/held.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, Nullable, OneOf, PageOf, Type, listMembers } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { isJsonObject } from './document/members.ts'
import { readWorkflow } from './document/file.ts'
import { Run } from '../run/view.ts'
import { runView } from '../run/view.ts'
import { insertWorkflow, putDraft } from './store-version.ts'
import { startJob } from './start.ts'
import { statusOf, storedSpec, workflowSpecOf } from './spec.ts'
import { Workflow, viewWorkflow, viewWorkflows } from './view.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { AnyOperation } from '../operation/operation.ts'

const workflowMember = Type.String({ maxLength: 300, description: 'Id or name of the workflow.' })
const documentMember = Type.Unknown({
  description: 'The workflow in the members of a `.kom` file: name, description, type, tags, steps, paths, triggers.',
})
const example = { workflow: 'Look up' }
const exampleDocument = {
  name: 'Look up',
  steps: [{ id: 'start', name: 'Start', type: 'api_trigger', parameters: {} }],
  paths: [],
}

const create = defineOperation({
  name: 'workflow.create',
  summary: 'Makes a workflow with a first draft and gives it.',
  input: Closed({ document: documentMember }),
  output: Workflow,
  access: { system: 'workflow.modify' },
  subjects: {},
  effect: 'write',
  audit: { subject: (_, output) => `workflow:${output?.name ?? ''}`, subjectId: (_, output) => output?.id ?? null },
  example: { document: exampleDocument },
  run: async (ctx, input) => viewWorkflow(ctx, await insertWorkflow(ctx, readWorkflow(objectOf(input.document)))),
})

const update = defineOperation({
  name: 'workflow.update',
  summary: 'Puts another draft in the place of the one that a workflow has, and gives the workflow.',
  description:
    'The active version goes on running. What is not in the document is taken from the version before: sending a part of it changes that part.',
  input: Closed({ workflow: workflowMember, document: documentMember }),
  output: Workflow,
  access: { system: 'workflow.modify' },
  subjects: { workflow: subject('workflow', 'write', 'workflow') },
  effect: 'write',
  audit: { subject: (input, output) => `workflow:${output?.name ?? input.workflow}`, subjectId: (_, output) => output?.id ?? null },
  example: { ...example, document: exampleDocument },
  async run(ctx, input, { workflow }) {
    const spec = workflowSpecOf(workflow.row)
    const before = await ctx.services.workflows.ofVersion(spec.draft ?? spec.published ?? '')
    const given = objectOf(input.document)
    return viewWorkflow(ctx, await putDraft(ctx, workflow.row, readWorkflow(given, before ?? undefined)))
  },
})

const settle = defineOperation({
  name: 'workflow.set-retention',
  summary: 'Says how long the ended jobs of a workflow are kept.',
  input: Closed({
    workflow: workflowMember,
    keep_days: Nullable(Type.Integer({ minimum: 1, maximum: 36_500, description: 'Null: as long as those of all workflows.' })),
    keep_jobs: Nullable(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'The newest so many; null: as many as of all workflows.' })),
  }),
  output: Workflow,
  access: { system: 'workflow.modify' },
  subjects: { workflow: subject('workflow', 'write', 'workflow') },
  effect: 'write',
  audit: { subject: (input) => `workflow:${input.workflow}`, detail: ({ keep_days, keep_jobs }) => ({ keep_days, keep_jobs }) },
  example: { ...example, keep_days: 7, keep_jobs: null },
  async run(ctx, { keep_days, keep_jobs }, { workflow }) {
    const spec = storedSpec({ ...workflowSpecOf(workflow.row), keep_days, keep_jobs })
    await ctx.db.resources.update(workflow.row.id, { spec, updated_at: ctx.clock.now() })
    return viewWorkflow(ctx, { ...workflow.row, spec })
  },
})

const get = defineOperation({
  name: 'workflow.get',
  summary: 'One workflow with the steps and paths of its active version, else of its draft.',
  input: Closed({ workflow: workflowMember }),
  output: Workflow,
  access: 'signed-in',
  subjects: { workflow: subject('workflow', 'read', 'workflow') },
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, _, { workflow }) => viewWorkflow(ctx, workflow.row),
})

/** Each of them may be megabytes. */
const mostDocuments = 20

const list = defineOperation({
  name: 'workflow.list',
  summary: 'Workflows that the caller may read, by name.',
  input: Closed({
    name: Type.Optional(Type.String({ description: 'Only the one that is called exactly so.' })),
    search: Type.Optional(Type.String({ maxLength: 300, description: 'Only names that contain this, ignoring case.' })),
    status: Type.Optional(OneOf(['active', 'inactive', 'draft'])),
    type: Type.Optional(OneOf(['normal', 'snippet'])),
    tag: Type.Optional(Type.String({ maxLength: 200 })),
    documents: Type.Optional(Type.Boolean({ description: 'With steps and paths, twenty workflows at once; without when left out.' })),
    ...listMembers,
  }),
  output: PageOf(Workflow),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { limit: 20 },
  async run(ctx, input) {
    const { status, type, tag } = input
    const filter = { kind: 'workflow', ...(input.search ? { search: input.search } : {}) } as const
    const named = input.name === undefined ? null : await findOrNull(ctx, { kind: 'workflow', need: 'read' }, `workflow:${input.name}`)
    const asked = input.documents ? { ...input, limit: Math.min(input.limit ?? mostDocuments, mostDocuments) } : input
    const page = input.name === undefined ? await readablePage(ctx, filter, asked) : { items: named ? [named.row] : [], next: null }
    const rows = page.items.filter((row) => {
      const spec = workflowSpecOf(row)
      return (!status || statusOf(spec) === status) && (!type || spec.type === type) && (tag === undefined || spec.tags.includes(tag))
    })
    return { items: await viewWorkflows(ctx, rows, { documents: input.documents === true }), next: page.next }
  },
})

const remove = defineOperation({
  name: 'workflow.delete',
  summary: 'Deletes a workflow; its jobs stay readable.',
  description: 'It is deactivated first. Jobs that run go on.',
  input: Closed({ workflow: workflowMember }),
  output: Closed({ id: Type.String(), name: Type.String() }),
  access: { system: 'workflow.modify' },
  subjects: { workflow: subject('workflow', 'write', 'workflow') },
  effect: 'write',
  audit: { subject: (input, output) => `workflow:${output?.name ?? input.workflow}`, subjectId: (_, output) => output?.id ?? null },
  example,
  async run(ctx, _, { workflow }) {
    const { id, name } = workflow.row
    await ctx.db.workflowTriggers.bind(id, null)
    await ctx.db.resources.update(id, { spec: storedSpec({ ...workflowSpecOf(workflow.row), active: false }) })
    await ctx.db.resources.markDeleted(id, ctx.clock.now())
    ctx.emit({ kind: 'workflow', id, name, state: 'deleted', resource_id: id })
    return { id, name }
  },
})

const startInput = {
  workflow: workflowMember,
  message: Type.Optional(Type.Unknown({ description: 'An object: its members are the variables of the trigger.' })),
}

const run = defineOperation({
  name: 'workflow.run',
  summary: 'Starts a job of the active version of a workflow; it is durable when this answers.',
  input: Closed(startInput),
  output: Run,
  access: 'signed-in',
  subjects: { workflow: subject('workflow', 'execute', 'workflow') },
  effect: 'act',
  audit: { subject: (input) => `workflow:${input.workflow}`, detail: (_, output) => ({ job: output?.id ?? '' }) },
  example: { ...example, message: { text: 'hello' } },
  async run(ctx, input, { workflow }) {
    const job = await startJob(ctx, workflow.row, { message: messageOf(input.message), type: 'active' })
    return runView(job, [])
  },
})

const test = defineOperation({
  name: 'workflow.test',
  summary: 'Starts a job of the draft of a workflow.',
  input: Closed(startInput),
  output: Run,
  access: { system: 'workflow.modify' },
  subjects: { workflow: subject('workflow', 'execute', 'workflow') },
  effect: 'act',
  audit: { subject: (input) => `workflow:${input.workflow}`, detail: (_, output) => ({ job: output?.id ?? '' }) },
  example,
  async run(ctx, input, { workflow }) {
    const job = await startJob(ctx, workflow.row, { message: messageOf(input.message), type: 'test' })
    return runView(job, [])
  },
})

function objectOf(document: unknown): JsonObject {
  const json = document as Json // what arrived was JSON
  if (!isJsonObject(json)) throw fault('malformed_request', { why: 'the document is not a JSON object' })
  return json
}

function messageOf(message: unknown): JsonObject {
  const json = (message ?? {}) as Json // what arrived was JSON
  if (!isJsonObject(json)) throw fault('malformed_request', { why: 'the message is not a JSON object' })
  return json
}

const workflowOperations: readonly AnyOperation[] = [create, update, settle, get, list, remove, run, test]

export { workflowOperations, workflowMember, example as workflowExample, objectOf }
