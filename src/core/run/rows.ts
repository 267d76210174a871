import type { Ctx } from '../operation/context.ts'
import type { Effect } from '../flow/machine.ts'
import type { FlowNode, StepPolicy } from '../flow/graph.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Principal } from '../identity/principal.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { RunDraft } from './draft.ts'

/** The row of a run that was accepted now. */
export function newRun(
  ctx: Pick<Ctx, 'clock' | 'ids'>,
  draft: RunDraft,
  starter: Principal,
  place: { owner: string; parent: RunParent | null; retryOf: string | null },
): RunRow {
  return {
    id: draft.id ?? ctx.ids.opaque(),
    kind: draft.kind,
    name: draft.name,
    namespace: draft.namespace,
    resource_id: draft.resourceId,
    state: 'queued',
    reason: null,
    message: null,
    parent_id: place.parent?.id ?? null,
    parent_step: place.parent?.step ?? null,
    retry_of: place.retryOf,
    started_by: starter.id,
    started_by_name: starter.name,
    spec: draft.spec,
    graph: draft.graph as unknown as JsonObject, // a graph is plain data by its definition
    input: draft.input,
    output: null,
    active: true,
    listed: true,
    cancel: null,
    owner: place.owner,
    fence: 1,
    version: 1,
    created_at: ctx.clock.now(),
    started_at: null,
    finished_at: null,
    deleted_at: null,
  }
}

export type RunParent = { readonly id: string; readonly step: string | null }

type Created = Extract<Effect, { do: 'create' | 'end' | 'skip' }>

/** The row of a step that an effect of the flow makes. */
export function newStep(run: RunRow, effect: Created, position: number, now: number): StepRow {
  const policy = policyOf(effect.node)
  const ended = effect.do !== 'create'
  const state = effect.do === 'create' ? firstState(effect.node) : effect.do === 'skip' ? 'skipped' : effect.state
  return {
    run_id: run.id,
    key: effect.key,
    node: effect.node.id,
    kind: effect.node.kind,
    position,
    state,
    reason: effect.do === 'create' ? firstReason(effect.node) : effect.reason,
    message: effect.do === 'end' ? effect.message : null,
    attempt: 1,
    max_attempts: (policy?.retries ?? 0) + 1,
    exit_code: null,
    runtime: '',
    handle: null,
    held: [],
    due_at: effect.do === 'create' ? dueOf(effect, now) : null,
    child_id: null,
    input: effect.do === 'create' ? effect.input : null,
    output: effect.do === 'end' ? effect.output : null,
    attempts: [],
    created_at: now,
    started_at: state === 'running' ? now : null,
    finished_at: ended ? now : null,
  }
}

export function policyOf(node: FlowNode): StepPolicy | undefined {
  return 'policy' in node ? node.policy : undefined
}

function firstState(node: FlowNode): StepRow['state'] {
  if (node.kind === 'loop' || node.kind === 'scope') return 'running'
  return node.kind === 'question' || node.kind === 'timer' ? 'waiting' : 'queued'
}

function firstReason(node: FlowNode): string | null {
  return node.kind === 'question' || node.kind === 'timer' ? `waiting_for_${node.kind === 'timer' ? 'timer' : 'answer'}` : null
}

function dueOf(effect: Extract<Effect, { do: 'create' }>, now: number): number | null {
  if (effect.node.kind === 'question') return effect.node.timeout_ms === null ? null : now + effect.node.timeout_ms
  if (!effect.due) return null
  return 'until' in effect.due ? effect.due.until : now + effect.due.delay_ms
}
