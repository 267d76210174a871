import type { FlowGraph } from './graph.ts'

/** What comes after what, by the places of nodes. Edges that lead nowhere are left out. */
function successors(graph: FlowGraph): number[][] {
  const index = new Map(graph.nodes.map((node, at) => [node.id, at]))
  const after: number[][] = graph.nodes.map(() => [])
  for (const edge of graph.edges) {
    const [from, to] = [index.get(edge.from), index.get(edge.to)]
    if (from !== undefined && to !== undefined) after[from]?.push(to)
  }
  return after
}

/** Cycles of a graph, each as the places on it, at most `limit`; at least one of every knot. Works without recursion: a graph may be 10,000 nodes long. */
function cycles(after: readonly (readonly number[])[], limit: number): number[][] {
  const found: number[][] = []
  const seen = new Uint8Array(after.length) // 1 = on the way, 2 = done
  for (let start = 0; start < after.length && found.length < limit; start++) {
    if (seen[start]) continue
    const way = [start]
    const next = [0]
    seen[start] = 1
    while (way.length > 0 && found.length < limit) {
      const at = way.at(-1) as number // not empty
      const turn = next.pop() ?? 0
      const to = after[at]?.[turn]
      if (to === undefined) {
        seen[at] = 2
        way.pop()
        continue
      }
      next.push(turn + 1)
      if (seen[to] === 1) found.push(way.slice(way.indexOf(to)))
      else if (!seen[to]) {
        seen[to] = 1
        way.push(to)
        next.push(0)
      }
    }
  }
  return found
}

/** Which nodes come before which, for a graph without cycles. */
type Ancestry = { has(node: number, ancestor: number): boolean }

function ancestry(after: readonly (readonly number[])[]): Ancestry {
  const count = after.length
  const words = (count + 31) >> 5
  const bits = new Uint32Array(words * count)
  const waiting = new Int32Array(count)
  for (const targets of after) for (const to of targets) waiting[to] = (waiting[to] ?? 0) + 1
  const ready = [...waiting.keys()].filter((at) => waiting[at] === 0)
  for (let at = ready.pop(); at !== undefined; at = ready.pop()) {
    for (const to of after[at] ?? []) {
      for (let word = 0; word < words; word++) bits[to * words + word] = (bits[to * words + word] ?? 0) | (bits[at * words + word] ?? 0)
      const own = to * words + (at >> 5)
      bits[own] = (bits[own] ?? 0) | (1 << (at & 31))
      waiting[to] = (waiting[to] ?? 0) - 1
      if (waiting[to] === 0) ready.push(to)
    }
  }
  return { has: (node, ancestor) => (((bits[node * words + (ancestor >> 5)] ?? 0) >>> (ancestor & 31)) & 1) === 1 }
}

export type { Ancestry }
export { successors, cycles, ancestry }
