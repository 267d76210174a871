import { invoke } from '../operation/invoke.ts'
import { fault } from '../kernel/fault.ts'
import { starterOf } from './starter.ts'
import type { FlowNode } from '../flow/graph.ts'
import type { Json } from '../kernel/json.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { AcceptAct } from '../../ports/store/runs.ts'
import type { ActiveRun } from './active-run.ts'
import type { RunHost } from './host.ts'
import type { Performed } from './source.ts'
import type { StepReader } from './unsaved-rows.ts'

/** The child run of a `run` node, as its starter may start it now. Throws a fault when it cannot be made. */
async function childDraft(
  host: RunHost,
  run: RunRow,
  node: Extract<FlowNode, { kind: 'run' }>,
  step: StepRow,
): Promise<{ run: ActiveRun; act: AcceptAct }> {
  const source = host.source(run.kind)
  if (!source.child) throw fault('unsupported', { what: 'A child run', why: `runs of kind ${run.kind} have none` })
  const starter = await starterOf(host.services, run)
  const draft = await source.child(host.services, run, node, step.input, starter)
  return host.prepare(draft, starter, { parent: { id: run.id, step: step.key }, retryOf: null, earlier: [] })
}

/** Invokes the operation of a `call` node as the run's starter, unless the run's source carries it out itself. */
async function callOperation(
  host: RunHost,
  run: RunRow,
  step: StepRow,
  node: Extract<FlowNode, { kind: 'call' }>,
  { signal, rows }: { signal: AbortSignal; rows: StepReader },
): Promise<Performed> {
  const own = host.source(run.kind).perform?.(host.services, run, step, node, { signal, rows })
  if (own) return own
  const principal = await starterOf(host.services, run)
  const origin = { via: 'run', peer: '', requestId: `${run.id}/${step.key}` }
  return { output: await invoke<Json>(host.services, { principal, origin, signal }, node.operation, step.input) }
}

export { childDraft, callOperation }
