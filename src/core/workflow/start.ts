import { fault } from '../kernel/fault.ts'
import { auditLineOf } from '../operation/invoke.ts'
import { brokenConnection } from './connection/find.ts'
import { isJsonObject, memberOf, textMember } from './document/members.ts'
import { startStep } from './document/shape.ts'
import { compileWorkflow } from './job/compile.ts'
import { workflowSpecOf } from './spec.ts'
import { triggerOf } from './trigger/model.ts'
import { causeOfCall, chainOf, deepestChain } from './trigger/queue.ts'
import type { FlowGraph } from '../flow/graph.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { Ctx } from '../operation/context.ts'
import type { RunDraft } from '../run/draft.ts'
import type { RunRow, ResourceRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { WorkflowDocument } from './document/model.ts'

type Start = {
  readonly message: JsonObject
  readonly type: 'active' | 'test'
  /** The trigger that fired; '' for none. */
  readonly triggerId?: string
  readonly idempotency?: { readonly route: string; readonly key: string; readonly fingerprint: string }
}

/** Starts a job of a workflow: durable when it answers. Refuses what the version's trigger declares otherwise (contract §6.1). */
async function startJob(ctx: Ctx, workflow: ResourceRow, start: Start): Promise<RunRow> {
  const spec = workflowSpecOf(workflow)
  const version = start.type === 'test' ? (spec.draft ?? spec.published) : spec.active ? spec.published : null
  if (version === null) {
    throw fault('state_conflict', { what: `The workflow "${workflow.name}"`, state: 'not active', next: 'Activate it first.' })
  }
  const document = await ctx.services.workflows.ofVersion(version)
  if (!document) throw fault('not_found', { kind: 'workflow version', reference: version })
  const broken = await brokenConnection(ctx, document)
  if (broken) {
    throw fault('state_conflict', {
      what: `The workflow "${workflow.name}"`,
      state: 'not able to run',
      next: `Step "${broken.step}": ${broken.problem}.`,
    })
  }
  const id = ctx.ids.opaque()
  const outputs = declaredVariables(document, start.message, await sharedTrigger(ctx.db, document))
  const made = jobDraft(id, workflow, { id: version, document }, { ...start, outputs })
  const depth = await depthOf(ctx, workflow)
  const draft = depth === 0 ? made : { ...made, spec: { ...made.spec, event_depth: depth } }
  const accepted = await ctx.services.engine.accept(ctx, draft, {
    audit: [auditLineOf(ctx, { id, workflow: workflow.name })],
    ...(start.idempotency ? { idempotency: start.idempotency } : {}),
  })
  return accepted.run
}

/** How many jobs in a row have led to this start: a workflow whose steps start it again must come to an end. */
async function depthOf(ctx: Ctx, { name }: ResourceRow): Promise<number> {
  const cause = causeOfCall(ctx.origin)
  const depth = cause === null ? 0 : (await chainOf(ctx.db, cause)) + 1
  if (depth <= deepestChain) return depth
  throw fault('state_conflict', {
    what: `The workflow "${name}"`,
    state: `about to be started by the step of a job that a job started, ${deepestChain} times in a row`,
    next: 'Let no workflow start itself, and no circle of workflows.',
  })
}

/** The run of a workflow's version. */
function jobDraft(
  id: string,
  workflow: Pick<ResourceRow, 'id' | 'name'>,
  version: { readonly id: string; readonly document: WorkflowDocument },
  start: Omit<Start, 'idempotency'> & { readonly outputs: JsonObject },
): RunDraft {
  return {
    id,
    kind: 'workflow',
    name: workflow.name,
    namespace: '',
    resourceId: workflow.id,
    spec: { version_id: version.id, type: start.type, group_id: id, trigger_id: start.triggerId ?? '', marks: {} },
    graph: graphOf(version.document),
    input: { message: start.message, outputs: start.outputs },
    unique: false,
  }
}

const compiled = new WeakMap<WorkflowDocument, FlowGraph>()

/** The compiled graph of a document, made once. */
function graphOf(document: WorkflowDocument): FlowGraph {
  const graph = compiled.get(document) ?? compileWorkflow(document)
  compiled.set(document, graph)
  return graph
}

/**
 * The declared variables of a message, each of its type: a wrong one is refused by name. What is not declared stays in the message only. `shared` is what
 * the trigger declares that the document only names.
 */
function declaredVariables(document: WorkflowDocument, message: JsonObject, shared: JsonObject | null = null): JsonObject {
  const variables = variablesOf(document, shared)
  if (!variables) return message
  const outputs: [string, Json][] = []
  for (const variable of variables) {
    const name = textMember(variable, 'name')
    const value = memberOf(message, name)
    if (value === undefined || name === '') continue
    const wanted = typeWords.get(textMember(variable, 'type')) ?? null
    if (value !== null && wanted && !wanted.holds(value)) {
      throw fault('malformed_request', { why: `the variable "${name}" is ${wanted.word}, and not what was sent` })
    }
    outputs.push([name, value])
  }
  return Object.fromEntries(outputs)
}

/** The variables that the trigger of a version declares; null when it declares none and everything is passed on. */
function variablesOf(document: WorkflowDocument, shared: JsonObject | null): JsonObject[] | null {
  const source = ownTrigger(document) ?? (document.type === 'snippet' ? startStep(document)?.parameters : undefined) ?? shared
  const listed = source ? (memberOf(source, 'api_variables') ?? memberOf(source, 'variables')) : undefined
  if (Array.isArray(listed) && listed.length > 0) return listed.filter(isJsonObject)
  const schema = source ? (memberOf(source, 'api_schema') ?? memberOf(source, 'outputJsonSchema') ?? memberOf(source, 'schema')) : undefined
  const properties = isJsonObject(schema) ? memberOf(schema, 'properties') : undefined
  if (!isJsonObject(properties) || Object.keys(properties).length === 0) return null
  return Object.entries(properties).map(([name, property]) => ({ name, type: isJsonObject(property) ? textMember(property, 'type') : '' }))
}

/** The trigger that a document brings itself; undefined when its first step only names one. */
function ownTrigger(document: WorkflowDocument): JsonObject | undefined {
  const id = triggerIdOf(document)
  return document.triggers.find((trigger) => textMember(trigger, 'id') === id)
}

function triggerIdOf(document: WorkflowDocument): string {
  const step = startStep(document)
  return step ? textMember(step.parameters, 'trigger_config_id') : ''
}

const declaring: ReadonlySet<string> = new Set(['api_trigger', 'webhook'])

/** What the trigger declares that the first step of a document names without bringing it; null when there is none. */
async function sharedTrigger(db: Pick<Tables, 'workflowTriggers'>, document: WorkflowDocument): Promise<JsonObject | null> {
  const id = triggerIdOf(document)
  if (id === '' || ownTrigger(document)) return null
  const row = await db.workflowTriggers.byId(id)
  return row && declaring.has(triggerOf(row).type) ? row.spec : null
}

const text = { word: 'a text', holds: (value: Json) => typeof value === 'string' }
const list = { word: 'an array', holds: (value: Json) => Array.isArray(value) }

const typeWords: ReadonlyMap<string, { word: string; holds: (value: Json) => boolean }> = new Map([
  ['string', text],
  ['python', text],
  ['bytes', text],
  ['date', text],
  ['integer', { word: 'a whole number', holds: (value: Json) => typeof value === 'number' && Number.isInteger(value) }],
  ['number', { word: 'a number', holds: (value: Json) => typeof value === 'number' }],
  ['float', { word: 'a number', holds: (value: Json) => typeof value === 'number' }],
  ['boolean', { word: 'true or false', holds: (value: Json) => typeof value === 'boolean' }],
  ['array', list],
  ['collection', list],
  ['object', { word: 'an object', holds: isJsonObject }],
])

export type { Start }
export { startJob, jobDraft, graphOf, declaredVariables, sharedTrigger }
