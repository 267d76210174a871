import type { FlowGraph, FlowNode } from './graph.ts'
import { timeoutAnswer } from './graph.ts'
import type { FlowRow } from './restore.ts'

/**
 * The rows of an ended run that count as done when it is run again from the step `fromKey`: hand them to `restore` of a new flow. Null when the old run has
 * no such step, or the graph does not know it (a newer version may lack it).
 *
 * Kept is what is not behind `fromKey`: in its round, and in the graphs around it, whose own rows come back as running. Earlier rounds of those loops are
 * kept whole, later ones dropped. What ended only because the run failed or was stopped is not done, nor is a failure that nothing handled; it runs again
 * too, with everything behind it. Else a run that failed twice could never be mended.
 */
export function keptRows(graph: FlowGraph, rows: readonly FlowRow[], fromKey: string): FlowRow[] | null {
  const byKey = new Map(rows.map((row) => [row.key, row]))
  if (!byKey.has(fromKey)) return null
  const levels = levelsOf(graph, byKey, fromKey)
  return levels && rows.flatMap((row) => kept(levels, row))
}

/** One graph on the way to the step: what is dropped in it, and the node and round that lead further in. */
type Level = { readonly dropped: ReadonlySet<string>; readonly target: string; readonly round: number | null }

function levelsOf(graph: FlowGraph, rows: ReadonlyMap<string, FlowRow>, fromKey: string): Level[] | null {
  const parts = fromKey.split('/')
  const levels: Level[] = []
  let here: FlowGraph | null = graph
  let prefix = ''
  for (let part = 0; part < parts.length; part += 2) {
    const target = parts[part] ?? ''
    const node: FlowNode | undefined = here?.nodes.find((candidate) => candidate.id === target)
    if (!here || !node) return null
    const last = part === parts.length - 1
    levels.push({ dropped: droppedIn(here, rows, prefix, { target, last }), target, round: last ? null : Number(parts[part + 1]) })
    here = node.kind === 'loop' || node.kind === 'scope' ? node.body : null
    prefix += `${target}/${parts[part + 1]}/`
  }
  return levels
}

function droppedIn(
  graph: FlowGraph,
  rows: ReadonlyMap<string, FlowRow>,
  prefix: string,
  { target, last }: { target: string; last: boolean },
): Set<string> {
  const rowOf = (node: FlowNode) => rows.get(prefix + node.id)
  const halted = graph.on_error === 'halt' && graph.nodes.some((node) => isFailure(rowOf(node)))
  const behind = new Map<string, string[]>()
  const handled = new Set<string>()
  for (const { from, to, on } of graph.edges) {
    const next = behind.get(from)
    if (next) next.push(to)
    else behind.set(from, [to])
    if (on !== 'success' && graph.on_error === 'edges') handled.add(from)
  }
  const dropped = new Set<string>(last ? [target] : [])
  for (const node of graph.nodes) {
    const row = rowOf(node)
    if (row && node.id !== target && !isDone(node, row, { halted, handled: handled.has(node.id) })) dropped.add(node.id)
  }
  const open = last ? [...dropped] : [...dropped, target]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const next of behind.get(id) ?? []) {
      if (dropped.has(next)) continue
      dropped.add(next)
      open.push(next)
    }
  }
  return dropped
}

function isDone(node: FlowNode, row: FlowRow, { halted, handled }: { halted: boolean; handled: boolean }): boolean {
  switch (row.state) {
    case 'succeeded':
      return true
    case 'skipped':
      return row.reason === undefined || row.reason === null ? !halted : row.reason === 'not_taken'
    case 'failed':
    case 'timed_out':
    case 'lost':
      return handled || node.continue_on_failure === true || (row.state === 'timed_out' && node.kind === 'question' && timeoutAnswer(node) !== null)
    default:
      return false
  }
}

function isFailure(row: FlowRow | undefined): boolean {
  return row !== undefined && (row.state === 'failed' || row.state === 'timed_out' || row.state === 'lost' || row.state === 'cancelled')
}

function kept(levels: readonly Level[], row: FlowRow): FlowRow[] {
  const parts = row.key.split('/')
  for (const [depth, { dropped, target, round }] of levels.entries()) {
    const id = parts[depth * 2] ?? ''
    if (dropped.has(id)) return []
    if (id !== target) return [row]
    const inside = parts[depth * 2 + 1]
    if (inside === undefined) return [{ key: row.key, state: 'running' }]
    if (round !== null && Number(inside) < round) return [row]
    if (Number(inside) !== round) return []
  }
  return []
}
