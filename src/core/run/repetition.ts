import { keptRows } from '../flow/kept.ts'
import { fault } from '../kernel/fault.ts'
import { isEnd } from '../kernel/run-state.ts'
import type { FlowGraph } from '../flow/graph.ts'
import type { StepRow } from '../../ports/store/rows.ts'

/** The rows of an ended run that count as done when it begins again at `from`, as rows of the new run `id`. No such step: `not_found`. */
function rowsToKeep(graph: FlowGraph, steps: readonly StepRow[], from: string, id: string): StepRow[] {
  const old = new Map(steps.map((step) => [step.key, step]))
  const kept = old.has(from) ? keptRows(graph, steps, from) : null
  if (!kept) throw fault('not_found', { kind: 'step', reference: from }, { private: { kind: 'step', absence: 'missing' } })
  return kept.flatMap((row, position) => {
    const step = old.get(row.key)
    if (!step) return []
    const finished = isEnd(row.state) ? step.finished_at : null
    return [{ ...step, run_id: id, state: row.state, output: row.output ?? null, finished_at: finished, position, held: [], handle: null }]
  })
}

export { rowsToKeep }
