import { parseExpression } from './expression-parser.ts'
import type { Term } from './expression-parser.ts'
import type { FlowEdge, FlowGraph, FlowNode, LoopSource } from './graph.ts'
import { parseTemplate } from './template.ts'
import type { ParsedTemplate } from './template.ts'

/** A graph made ready to run: ids became numbers, and every expression was read once. Shared by all rounds; never changed. */
export type Plan = {
  readonly graph: FlowGraph
  readonly index: ReadonlyMap<string, number>
  /** Outgoing edges by node, in definition order. */
  readonly out: readonly (readonly PlanEdge[])[]
  /** How many edges come in, by node. */
  readonly incoming: Int32Array
  readonly nodes: readonly PlanNode[]
}

export type PlanEdge = { readonly from: number; readonly to: number; readonly on: FlowEdge['on']; readonly if: Term | null }

export type PlanNode = {
  readonly node: FlowNode
  readonly always: boolean
  /** The engine does it and reports its end; else the flow itself does. */
  readonly engine: boolean
  /** Counts for `parallel`. */
  readonly slot: boolean
  /** What is filled when the node begins (`input`), or when it ends (`output` of a pass or a scope). */
  readonly template: ParsedTemplate | null
  readonly body: Plan | null
  readonly loop: PlanLoop | null
  /** Of a timer: a number, or what gives it. */
  readonly due: { readonly kind: 'until' | 'delay'; readonly value: number | Term } | null
}

export type PlanLoop = {
  readonly over:
    | { readonly kind: 'items'; readonly items: Term }
    | { readonly kind: 'times'; readonly times: number | Term }
    | { readonly kind: 'while'; readonly while: Term }
  readonly collect: Term | null
  readonly breakIf: Term | null
}

/** The plan of a graph that `check.ts` found nothing wrong with. Throws `ExpressionError` for an expression that does not parse. */
export function planOf(graph: FlowGraph): Plan {
  const index = new Map(graph.nodes.map((node, at) => [node.id, at]))
  const out: PlanEdge[][] = graph.nodes.map(() => [])
  const incoming = new Int32Array(graph.nodes.length)
  for (const edge of graph.edges) {
    const [from, to] = [index.get(edge.from), index.get(edge.to)]
    if (from === undefined || to === undefined) throw new Error('An edge of an unchecked graph leads nowhere')
    out[from]?.push({ from, to, on: edge.on, if: edge.if === undefined ? null : parseExpression(edge.if) })
    incoming[to] = (incoming[to] ?? 0) + 1
  }
  return { graph, index, out, incoming, nodes: graph.nodes.map(planNode) }
}

function planNode(node: FlowNode): PlanNode {
  const { kind } = node
  const engine = kind !== 'pass' && kind !== 'loop' && kind !== 'scope'
  const template = kind === 'pass' || kind === 'scope' ? node.output : kind === 'timer' || kind === 'loop' ? undefined : node.input
  return {
    node,
    always: node.when === 'always',
    engine,
    // A person or a clock may take days: whoever waits must not keep others from running.
    slot: kind !== 'pass' && kind !== 'question' && kind !== 'timer',
    template: template === undefined ? null : parseTemplate(template),
    body: kind === 'loop' || kind === 'scope' ? planOf(node.body) : null,
    loop: kind === 'loop' ? { over: planSource(node.over), collect: optional(node.collect), breakIf: optional(node.break_if) } : null,
    due:
      kind === 'timer' ? ('until' in node ? { kind: 'until', value: numberOr(node.until) } : { kind: 'delay', value: numberOr(node.delay) }) : null,
  }
}

function planSource(over: LoopSource): PlanLoop['over'] {
  if ('items' in over) return { kind: 'items', items: parseExpression(over.items) }
  if ('times' in over) return { kind: 'times', times: numberOr(over.times) }
  return { kind: 'while', while: parseExpression(over.while) }
}

function optional(expression: string | undefined): Term | null {
  return expression === undefined ? null : parseExpression(expression)
}

function numberOr(value: number | string): number | Term {
  return typeof value === 'number' ? value : parseExpression(value)
}
