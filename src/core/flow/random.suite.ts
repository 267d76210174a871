import type { FlowEdge, FlowGraph, FlowNode } from './graph.ts'
import { base, graphOf, loop, pass, scope, work } from './flow.suite.ts'
import type { FlowEnd } from './restore.ts'

/** Numbers in [0, 1) that are the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export type Random = () => number
export const upTo = (random: Random, limit: number) => Math.floor(random() * limit)
export const pick = <T>(random: Random, items: readonly T[]): T => items[upTo(random, items.length)] as T // callers hand in at least one

/** How a step ends depends on its key alone, so that the order of events cannot change what a run comes to. */
export function endOf(key: string, seed: number): FlowEnd {
  let hash = seed
  for (const letter of key) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0
  return pick(randomFrom(hash), ['succeeded', 'succeeded', 'succeeded', 'succeeded', 'failed', 'timed_out', 'lost'] as const)
}

/** A valid graph of every kind of node, with edges of every kind that lead forward only. */
export function randomGraph(random: Random, depth = 2): FlowGraph {
  const count = 1 + upTo(random, depth === 2 ? 9 : 4)
  const nodes = Array.from({ length: count }, (_, at) => randomNode(random, `n${at}`, depth))
  const edges: FlowEdge[] = []
  for (let to = 1; to < count; to++) {
    for (let from = 0; from < to; from++) {
      if (random() < 0.75) continue
      const on = pick(random, ['success', 'success', 'failure', 'finished'] as const)
      edges.push({
        from: `n${from}`,
        to: `n${to}`,
        on,
        ...(random() < 0.2 && { if: pick(random, ['true', 'false', 'input.there', 'input.missing']) }),
      })
    }
  }
  return graphOf(nodes, edges, { parallel: pick(random, [null, 1, 2]), on_error: pick(random, ['halt', 'edges'] as const) })
}

function randomNode(random: Random, id: string, depth: number): FlowNode {
  const extra = {
    join: pick(random, ['all', 'all', 'any'] as const),
    when: pick(random, ['no-error', 'no-error', 'always'] as const),
    ...(random() < 0.15 && { continue_on_failure: true }),
  }
  const kind = random()
  if (kind < 0.1) return pass(id, '{{input.there}}', extra)
  if (kind < 0.15) return { ...base(id, extra), kind: 'timer', delay: 5 }
  if (kind < 0.2) return { ...base(id, extra), kind: 'question', ask: {}, timeout_ms: 9, on_timeout: 'continue', default: { approved: false } }
  if (kind < 0.3 && depth > 0) return scope(id, randomGraph(random, depth - 1), extra)
  if (kind < 0.4 && depth > 0) {
    const over = pick(random, [{ times: upTo(random, 4) }, { items: 'input.list' }, { while: 'loop.index < 2' }])
    return loop(id, { over, body: randomGraph(random, depth - 1), ...(random() < 0.3 && { break_if: 'loop.index == 1' }) }, extra)
  }
  return work(id, extra)
}
