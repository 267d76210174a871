import type { Problem } from '../kernel/fault.ts'
import { checkExpressions } from './check-expressions.ts'
import type { Level } from './check-expressions.ts'
import { flowLimits } from './graph.ts'
import type { FlowGraph, FlowNode, StepPolicy } from './graph.ts'
import { ancestry, cycles, successors } from './order.ts'

const manyCycles = 10
const manyProblems = 1000

/**
 * Everything that is wrong with a graph, at once (the first thousand things); nothing means that `createFlow` takes it. Paths are JSON pointers into it.
 * Codes: `empty`, `too_many`, `too_deep`, `name`, `duplicate`, `unknown`, `cycle` (the message lists it), `range`, `expression`, `not_before`,
 * `silent_approval`, and the warning `never_taken`.
 */
function graphProblems(graph: FlowGraph): Problem[] {
  const problems: Problem[] = []
  const total = { nodes: 0, edges: 0 }
  checkGraph({ problems, total }, graph, { path: '', outer: null, nesting: 0 })
  if (total.nodes > flowLimits.nodes)
    problems.unshift(problem('/nodes', 'too_many', `has ${total.nodes} nodes in all; ${flowLimits.nodes} are possible`))
  if (total.edges > flowLimits.edges)
    problems.unshift(problem('/edges', 'too_many', `has ${total.edges} edges in all; ${flowLimits.edges} are possible`))
  return problems.slice(0, manyProblems)
}

type Report = { readonly problems: Problem[]; readonly total: { nodes: number; edges: number } }
type Place = { readonly path: string; readonly outer: Level | null; readonly nesting: number }

function checkGraph(report: Report, graph: FlowGraph, place: Place): void {
  const { problems, total } = report
  const { path } = place
  total.nodes += graph.nodes.length
  total.edges += graph.edges.length
  if (place.nesting > flowLimits.nesting) {
    problems.push(problem(path, 'too_deep', `is nested more than ${flowLimits.nesting} deep`))
    return
  }
  // What is far too large is refused before it is looked at more closely, which costs more than linear time.
  if (total.nodes > flowLimits.nodes || total.edges > flowLimits.edges || problems.length > manyProblems) return
  const index = checkIds(problems, graph, path)
  if (graph.parallel !== null) range(problems, `${path}/parallel`, graph.parallel, 1, flowLimits.parallel)
  for (const [at, edge] of graph.edges.entries()) {
    for (const member of ['from', 'to'] as const) {
      if (!index.has(edge[member]))
        problems.push(problem(`${path}/edges/${at}/${member}`, 'unknown', `names "${edge[member]}", which is not a node here`))
    }
    if (edge.on === 'failure' && graph.nodes[index.get(edge.from) ?? -1]?.continue_on_failure) {
      const message = 'is never taken, because its source goes on after a failure as if it had succeeded'
      problems.push({ ...problem(`${path}/edges/${at}/on`, 'never_taken', message), severity: 'warning' })
    }
  }
  const after = successors(graph)
  const found = cycles(after, manyCycles)
  for (const cycle of found) {
    const names = [...cycle, cycle[0] ?? 0].map((at) => graph.nodes[at]?.id)
    problems.push(problem(`${path}/edges`, 'cycle', `form a cycle: ${names.join(' → ')}`))
  }
  // Without an order nothing is "before" anything.
  const level: Level = { graph, index, before: found.length > 0 ? null : ancestry(after), outer: place.outer, inside: null, loop: false }
  checkExpressions(problems, level, path)
  for (const [at, node] of graph.nodes.entries())
    checkNode(report, node, { path: `${path}/nodes/${at}`, nesting: place.nesting, outer: { ...level, inside: at } })
}

function checkIds(problems: Problem[], graph: FlowGraph, path: string): Map<string, number> {
  const index = new Map<string, number>()
  for (const [at, { id }] of graph.nodes.entries()) {
    const where = `${path}/nodes/${at}/id`
    if (id.length === 0 || id.length > flowLimits.id) problems.push(problem(where, 'name', `must have 1 to ${flowLimits.id} characters`))
    else if (id.includes('/') || /[\p{C}\p{Zl}\p{Zp}]/u.test(id)) problems.push(problem(where, 'name', 'must be printable text without "/"'))
    if (index.has(id)) problems.push(problem(where, 'duplicate', `"${id}" is the name of another node already`))
    else index.set(id, at)
  }
  return index
}

function checkNode(report: Report, node: FlowNode, place: Place & { readonly outer: Level }): void {
  const { problems } = report
  const { path } = place
  const inner = { path: `${path}/body`, nesting: place.nesting + 1 }
  switch (node.kind) {
    case 'work':
      checkPolicy(problems, node.policy, `${path}/policy`)
      break
    case 'call':
      if (node.policy) checkPolicy(problems, node.policy, `${path}/policy`)
      if (node.operation === '') problems.push(problem(`${path}/operation`, 'empty', 'must name an operation'))
      break
    case 'loop':
      range(problems, `${path}/max_rounds`, node.max_rounds, 1, flowLimits.rounds)
      if ('times' in node.over && typeof node.over.times === 'number') range(problems, `${path}/over/times`, node.over.times, 0, node.max_rounds)
      // A round without steps leaves no row, so nobody could tell after a restart how far the loop had come.
      if (node.body.nodes.length === 0) problems.push(problem(`${path}/body/nodes`, 'empty', 'must hold at least one node'))
      checkGraph(report, node.body, { ...inner, outer: { ...place.outer, loop: true } })
      break
    case 'scope':
      checkGraph(report, node.body, { ...inner, outer: place.outer })
      break
    case 'question':
      if (node.timeout_ms !== null) range(problems, `${path}/timeout_ms`, node.timeout_ms, 1, flowLimits.waitMs)
      if (node.on_timeout === 'continue' && node.default.approved === true) {
        problems.push(problem(`${path}/default/approved`, 'silent_approval', 'must not be true: nobody approves by not answering'))
      }
      break
    case 'timer':
      if ('delay' in node && typeof node.delay === 'number') range(problems, `${path}/delay`, node.delay, 0, flowLimits.waitMs)
      if ('until' in node && typeof node.until === 'number') range(problems, `${path}/until`, node.until, 0, 8_640_000_000_000_000)
      break
    default: // runs and passes hold nothing that could be wrong but expressions
  }
}

function checkPolicy(problems: Problem[], policy: StepPolicy, path: string): void {
  range(problems, `${path}/retries`, policy.retries, 0, flowLimits.retries)
  for (const member of ['retry_delay_ms', 'retry_delay_max_ms', 'grace_ms'] as const)
    range(problems, `${path}/${member}`, policy[member], 0, flowLimits.waitMs)
  if (policy.timeout_ms !== null) range(problems, `${path}/timeout_ms`, policy.timeout_ms, 1, flowLimits.waitMs)
}

function range(problems: Problem[], path: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    problems.push(problem(path, 'range', `must be a whole number from ${least} to ${most}`))
}

function problem(path: string, code: string, message: string): Problem {
  return { path, code, message }
}

export { graphProblems }
