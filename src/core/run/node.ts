import type { FlowGraph, FlowNode } from '../flow/graph.ts'
import type { RunRow } from '../../ports/store/rows.ts'

/** The node of a step of a run, through the loops and scopes of its key; null when its graph has none. */
function nodeOf(run: RunRow, key: string): FlowNode | null {
  let graph = run.graph as unknown as FlowGraph // written by us from a checked graph
  const parts = key.split('/')
  for (let part = 0; ; part += 2) {
    const node = graph.nodes.find((candidate) => candidate.id === parts[part])
    if (!node || part === parts.length - 1) return node ?? null
    if (node.kind !== 'loop' && node.kind !== 'scope') return null
    graph = node.body
  }
}

export { nodeOf }
