import { textFinder } from '../../kernel/find-text.ts'
import { PatternRefused } from '../../../ports/patterns.ts'
import { follow, memberOf, textOf } from './path.ts'
import { LanguageError, standardBudget } from './scope.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Patterns } from '../../../ports/patterns.ts'
import type { QueryNode, VariableNode } from './query-parser.ts'
import type { Scope } from './scope.ts'

type BinaryNode = QueryNode & { type: 'binary' }

type Evaluation = { readonly scope: Scope; readonly patterns: Patterns; readonly roots: Map<string, Json | undefined>; steps: number }

/** Whether a rule holds. Throws `LanguageError` where it cannot be told. Contract §12.2. */
async function queryHolds(node: QueryNode, scope: Scope, patterns: Patterns): Promise<boolean> {
  const state = stateOf(scope, patterns)
  return isTrue(await evaluate(node, state), state)
}

/** The value of a rule. Throws `LanguageError` where it has none. */
function evaluateQuery(node: QueryNode, scope: Scope, patterns: Patterns, steps: number = standardBudget.steps): Promise<Json> {
  return evaluate(node, stateOf(scope, patterns, steps))
}

function stateOf(scope: Scope, patterns: Patterns, steps: number = standardBudget.steps): Evaluation {
  return { scope, patterns, roots: new Map(), steps }
}

async function evaluate(node: QueryNode, state: Evaluation): Promise<Json> {
  spend(state, 1)
  switch (node.type) {
    case 'literal':
      return node.value
    case 'regexp':
      return node.regexp
    case 'variable':
      return variableValue(node, state)
    case 'array': {
      const elements: Json[] = []
      for (const element of node.elements) elements.push(await evaluate(element, state))
      return elements
    }
    case 'unary':
      return !isTrue(await evaluate(node.expr, state), state)
    case 'function':
      return callFunction(node, state)
    default:
      return evaluateBinary(node, state)
  }
}

function variableValue(node: VariableNode, state: Evaluation): Json {
  const value = find(node, state)
  if (value === undefined) throw new LanguageError(`The variable ${node.name} wasn't defined`)
  return value
}

function find(node: VariableNode, state: Evaluation): Json | undefined {
  const [first, ...rest] = node.segments
  if (!state.roots.has(first)) state.roots.set(first, state.scope.root(first))
  return follow(state.roots.get(first), rest)
}

async function callFunction(node: QueryNode & { type: 'function' }, state: Evaluation): Promise<Json> {
  const [first, second] = node.args
  if (!first) throw new LanguageError(`"${node.name}" has no argument`)
  if (node.name === 'is_defined') return first.type === 'variable' && find(first, state) !== undefined
  if (node.name === 'length') return lengthOf(await evaluate(first, state), state)
  try {
    return await evaluate(first, state)
  } catch (error) {
    // What a rule may use up in all is not to be had back by an error.
    if (!(error instanceof LanguageError) || state.steps < 0) throw error
    return second ? evaluate(second, state) : null
  }
}

function lengthOf(value: Json, state: Evaluation): number {
  if (typeof value === 'string') {
    spend(state, value.length >> 1)
    let length = 0
    for (const _ of value) length++
    return length
  }
  if (Array.isArray(value)) return value.length
  if (value !== null && typeof value === 'object') return namesOf(value, state).length
  throw new LanguageError(`"length" is not defined for ${nameOf(value)}`)
}

/** Chains are gone through and not down into: they are as deep as they are long, to the left or to the right. */
async function evaluateBinary(node: BinaryNode, state: Evaluation): Promise<Json> {
  if (isLogical(node)) return evaluateLogical(node, state)
  const chain = [node]
  let first = node.left
  while (first.type === 'binary' && !isLogical(first)) {
    chain.push(first)
    first = first.left
  }
  let value = await evaluate(first, state)
  for (const link of chain.reverse()) {
    spend(state, 1)
    value = await applied(link, value, await evaluate(link.right, state), state)
  }
  return value
}

async function evaluateLogical({ op, left, right }: BinaryNode, state: Evaluation): Promise<boolean> {
  const decides = op === 'OR'
  let next = left
  for (let rest: QueryNode | null = right; ; ) {
    if (isTrue(await evaluate(next, state), state) === decides) return decides
    if (rest === null) return !decides
    spend(state, 1)
    const more: BinaryNode | null = rest.type === 'binary' && rest.op === op ? rest : null
    next = more ? more.left : rest
    rest = more ? more.right : null
  }
}

function isLogical({ op }: BinaryNode): boolean {
  return op === 'AND' || op === 'OR'
}

async function applied(node: BinaryNode, left: Json, right: Json, state: Evaluation): Promise<Json> {
  const op = node.op.toLowerCase()
  if (op === '=~' || op === 'matches') return matches(left, right, state)
  if (op === '!~') return !(await matches(left, right, state))
  const compare = operators[op]
  if (!compare) throw new LanguageError(`the operator "${node.op}" is not known`)
  return compare(left, right, state)
}

type Operator = (left: Json, right: Json, state: Evaluation) => Json

const operators: Readonly<Record<string, Operator>> = {
  '=': equal,
  '==': equal,
  '!=': (left, right, state) => !equal(left, right, state),
  '<': (left, right, state) => order('<', left, right, state) < 0,
  '<=': (left, right, state) => order('<=', left, right, state) <= 0,
  '>': (left, right, state) => order('>', left, right, state) > 0,
  '>=': (left, right, state) => order('>=', left, right, state) >= 0,
  contains: (left, right, state) => contains(left, right, state),
  like: (left, right, state) => isLike(scalarText('like', left), scalarText('like', right), state),
  ilike: (left, right, state) => isLike(folded('ilike', left, state), folded('ilike', right, state), state),
  starts_with: (left, right, state) => begins('starts_with', left, right, state, (text, part) => text.startsWith(part)),
  ends_with: (left, right, state) => begins('ends_with', left, right, state, (text, part) => text.endsWith(part)),
  '+': (left, right) => calculate('+', left, right, (a, b) => a + b),
  '-': (left, right) => calculate('-', left, right, (a, b) => a - b),
  '*': (left, right) => calculate('*', left, right, (a, b) => a * b),
  '/': (left, right) => calculate('/', left, right, (a, b) => a / b),
}

function calculate(op: string, left: Json, right: Json, result: (left: number, right: number) => number): number {
  if (typeof left !== 'number' || typeof right !== 'number')
    throw new LanguageError(`"${op}" is not defined for ${nameOf(left)} and ${nameOf(right)}`)
  const value = result(left, right)
  if (!Number.isFinite(value)) throw new LanguageError(op === '/' && right === 0 ? 'division by zero' : 'the number is too large')
  return value
}

function order(op: string, left: Json, right: Json, state: Evaluation): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  if (typeof left === 'string' && typeof right === 'string') {
    spendText(state, left)
    if (left === right) return 0
    return inCodePoints(left, right)
  }
  throw new LanguageError(`"${op}" is not defined for ${nameOf(left)} and ${nameOf(right)}`)
}

// Units of UTF-16 put what is above U+FFFF before the end of the plane below it.
function inCodePoints(left: string, right: string): number {
  for (let at = 0; at < left.length && at < right.length; at++) {
    if (left.charCodeAt(at) !== right.charCodeAt(at)) return (left.codePointAt(at) ?? 0) - (right.codePointAt(at) ?? 0)
  }
  return left.length - right.length
}

function contains(left: Json, right: Json, state: Evaluation): boolean {
  if (Array.isArray(left)) return left.some((element) => equal(element, right, state))
  if (typeof left === 'string') {
    const part = scalarText('contains', right)
    spendText(state, left)
    spendText(state, part)
    return textFinder(part)(left) >= 0
  }
  throw new LanguageError(`"contains" is not defined for ${nameOf(left)}`)
}

function begins(op: string, left: Json, right: Json, state: Evaluation, holds: (text: string, part: string) => boolean): boolean {
  const [text, part] = [scalarText(op, left), scalarText(op, right)]
  spendText(state, part)
  return holds(text, part)
}

function folded(op: string, value: Json, state: Evaluation): string {
  const text = scalarText(op, value)
  spend(state, text.length >> 1)
  return text.toLowerCase()
}

function scalarText(op: string, value: Json): string {
  if (value !== null && typeof value === 'object') throw new LanguageError(`"${op}" is not defined for ${nameOf(value)}`)
  return textOf(value)
}

/** Values are equal member by member; nothing is converted. */
function equal(left: Json, right: Json, state: Evaluation): boolean {
  spend(state, 1)
  if (typeof left === 'string') spendText(state, left)
  if (left === right) return true
  if (left === null || right === null || typeof left !== 'object' || typeof right !== 'object') return false
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false
    return left.every((element, index) => equal(element, right[index] ?? null, state))
  }
  const names = namesOf(left, state)
  const alike = names.every((name) => {
    const [one, other] = [memberOf(left, name), memberOf(right, name)]
    return one !== undefined && other !== undefined && equal(one, other, state)
  })
  // What both have is compared first: the names of a large object are not counted for each of many small ones.
  return alike && namesOf(right, state).length === names.length
}

/** The whole text against a pattern of `%` (any run) and `_` (one character), with one way back at a time: never exponential, and counted. */
function isLike(text: string, pattern: string, state: Evaluation): boolean {
  spendText(state, text)
  spendText(state, pattern)
  const characters = [...text]
  const wanted = [...pattern]
  let at = 0
  let next = 0
  let run = -1
  let resume = 0
  while (at < characters.length) {
    spend(state, 1)
    if (wanted[next] === '%') {
      run = next++
      resume = at
    } else if (next < wanted.length && (wanted[next] === '_' || wanted[next] === characters[at])) {
      at++
      next++
    } else if (run >= 0) {
      next = run + 1
      at = ++resume
    } else return false
  }
  while (wanted[next] === '%') next++
  return next === wanted.length
}

async function matches(left: Json, right: Json, state: Evaluation): Promise<boolean> {
  if (typeof right !== 'string') throw new LanguageError(`a pattern is expected, not ${nameOf(right)}`)
  try {
    const text = textOf(left)
    spendText(state, text)
    return await state.patterns.test(right, text, { ignoreCase: false })
  } catch (error) {
    if (error instanceof PatternRefused) throw new LanguageError(error.message)
    throw error
  }
}

/** Contract §12.2, truth of a bare value. */
function isTrue(value: Json, state: Evaluation): boolean {
  if (value === null || value === false || value === 0 || value === '') return false
  if (Array.isArray(value)) return value.length > 0
  return typeof value !== 'object' || namesOf(value, state).length > 0
}

function namesOf(value: JsonObject, state: Evaluation): string[] {
  const names = Object.keys(value)
  spend(state, names.length >> 3)
  return names
}

function nameOf(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

// A rule may look at a large text many times: what that takes grows with the text.
function spendText(state: Evaluation, text: string): void {
  spend(state, text.length >> 3)
}

function spend(state: Evaluation, steps: number): void {
  state.steps -= steps
  if (state.steps < 0) throw new LanguageError('the rule takes more steps than it may take')
}

export { evaluateQuery, queryHolds }
