import type { Problem } from '../kernel/fault.ts'
import type { Json } from '../kernel/json.ts'
import { names } from './expression.ts'
import type { Names } from './expression.ts'
import { ExpressionError } from './expression-parser.ts'
import type { FlowGraph } from './graph.ts'
import type { Ancestry } from './order.ts'
import { parseTemplate, templateNames } from './template.ts'

/** A graph as its expressions see it. `inside` is the node whose body is being looked at, `loop` whether that node is a loop; `outer` is the graph around. */
type Level = {
  readonly graph: FlowGraph
  readonly index: ReadonlyMap<string, number>
  readonly before: Ancestry | null
  readonly outer: Level | null
  readonly inside: number | null
  readonly loop: boolean
}

type Check = { readonly problems: Problem[]; readonly level: Level }

/** Reports expressions that do not parse, and names of steps that are not there or need not have ended when the expression is evaluated. */
function checkExpressions(problems: Problem[], level: Level, path: string): void {
  const check: Check = { problems, level }
  for (const [at, edge] of level.graph.edges.entries()) {
    const from = level.index.get(edge.from)
    if (edge.if !== undefined) expression(check, edge.if, `${path}/edges/${at}/if`, { at: from ?? null, itself: true })
  }
  for (const [at, node] of level.graph.nodes.entries()) {
    const here = `${path}/nodes/${at}`
    const before = { at, itself: false }
    switch (node.kind) {
      case 'work':
      case 'call':
      case 'run':
      case 'question':
        if (node.input !== undefined) template(check, node.input, `${here}/input`, before)
        break
      case 'pass':
        if (node.output !== undefined) template(check, node.output, `${here}/output`, before)
        break
      case 'timer':
        if ('until' in node && typeof node.until === 'string') expression(check, node.until, `${here}/until`, before)
        if ('delay' in node && typeof node.delay === 'string') expression(check, node.delay, `${here}/delay`, before)
        break
      case 'scope':
        if (node.output !== undefined) template({ problems, level: bodyOf(level, at, node.body) }, node.output, `${here}/output`, null)
        break
      case 'loop': {
        const round = { problems, level: bodyOf(level, at, node.body) }
        if ('items' in node.over) expression(check, node.over.items, `${here}/over/items`, before)
        if ('times' in node.over && typeof node.over.times === 'string') expression(check, node.over.times, `${here}/over/times`, before)
        if ('while' in node.over) expression(round, node.over.while, `${here}/over/while`, null)
        if (node.collect !== undefined) expression(round, node.collect, `${here}/collect`, null)
        if (node.break_if !== undefined) expression(round, node.break_if, `${here}/break_if`, null)
      }
    }
  }
}

/** After which node an expression is evaluated; null: when the whole graph has ended. */
type When = { readonly at: number | null; readonly itself: boolean } | null

function bodyOf(level: Level, at: number, body: FlowGraph): Level {
  const loop = level.graph.nodes[at]?.kind === 'loop'
  const index = new Map(body.nodes.map((node, place) => [node.id, place]))
  return { graph: body, index, before: null, outer: { ...level, inside: at, loop }, inside: null, loop: false }
}

function expression(check: Check, text: string, path: string, when: When): void {
  guarded(check, path, () => checkNames(check, names(text), path, when))
}

function template(check: Check, value: Json, path: string, when: When): void {
  guarded(check, path, () => checkNames(check, templateNames(parseTemplate(value)), path, when))
}

function guarded(check: Check, path: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    check.problems.push({ path, code: 'expression', message: error.message })
  }
}

function checkNames(check: Check, needed: Names, path: string, when: When): void {
  for (const id of needed.steps) {
    const message = stepProblem(check.level, id, when)
    if (message) check.problems.push({ path, code: message.code, message: message.text })
  }
  for (const id of needed.previous) {
    if (!hasPrevious(check.level, id))
      check.problems.push({ path, code: 'unknown', message: `names the step "${id}" of a round before, which the nearest loop has not` })
  }
}

function stepProblem(from: Level, id: string, when: When): { code: string; text: string } | null {
  let at = when
  for (let level: Level | null = from; level; level = level.outer) {
    const found = level.index.get(id)
    if (found !== undefined) {
      if (at === null || at.at === null || level.before === null || (at.itself && at.at === found) || level.before.has(at.at, found)) return null
      return { code: 'not_before', text: `names the step "${id}", which need not have ended by then; lead a way from it to here` }
    }
    at = { at: level.outer?.inside ?? null, itself: false }
  }
  return { code: 'unknown', text: `names the step "${id}", which is not here` }
}

// A level whose outer one is inside a loop is that loop's body.
function hasPrevious(from: Level, id: string): boolean {
  let level: Level | null = from
  while (level?.outer && !level.outer.loop) level = level.outer
  return level?.outer?.loop === true && level.index.has(id)
}

export type { Level }
export { checkExpressions }
