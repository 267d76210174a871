import { fault } from '../kernel/fault.ts'
import { auditLineOf } from '../operation/invoke.ts'
import { brokenConnection } from './connection/find.ts'
import { compileWorkflow } from './job/compile.ts'
import { workflowSpecOf } from './spec.ts'
import { declaredVariables, sharedTrigger } from './variables.ts'
import { causeOfCall, chainOf, deepestChain } from './trigger/queue.ts'
import type { FlowGraph } from '../flow/graph.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Ctx } from '../operation/context.ts'
import type { RunDraft } from '../run/draft.ts'
import type { RunRow, ResourceRow } from '../../ports/store/rows.ts'
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

export type { Start }
export { startJob, jobDraft, graphOf }
