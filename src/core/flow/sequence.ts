import type { FlowEdge, FlowGraph, FlowNode } from './graph.ts'

type Stage = { readonly name: string; readonly items: readonly FlowNode[] }

/**
 * The graph of stages that run one after another, each with items that start together (a procedure). A stage ends when all its items have ended; a failed
 * item keeps no other of its stage from running, but no later stage starts. Stages without items are left out.
 * The scope of the n-th stage is called `stage-<n>`, because names of stages may repeat and hold anything; its title is the name.
 */
function stagesGraph(stages: readonly Stage[]): FlowGraph {
  const nodes: FlowNode[] = []
  const edges: FlowEdge[] = []
  for (const [index, { name, items }] of stages.entries()) {
    if (items.length === 0) continue
    const id = `stage-${index + 1}`
    const before = nodes.at(-1)
    if (before) edges.push({ from: before.id, to: id, on: 'success' })
    nodes.push({
      kind: 'scope',
      id,
      title: name,
      join: 'all',
      when: 'no-error',
      body: { nodes: items, edges: [], parallel: null, on_error: 'edges' },
    })
  }
  return { nodes, edges, parallel: null, on_error: 'halt' }
}

export type { Stage }
export { stagesGraph }
