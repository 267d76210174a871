import { skipBlanks, take, takeRest, takeSegment } from './path.ts'
import { LanguageError } from './scope.ts'
import type { Json } from '../../kernel/json.ts'
import type { Cursor } from './path.ts'

/** A rule as the files keep it beside its text: the members are those of contract §12.3. */
type QueryNode =
  | VariableNode
  | { readonly type: 'literal'; readonly value: string | number | boolean | null }
  | { readonly type: 'regexp'; readonly regexp: string }
  | { readonly type: 'array'; readonly elements: readonly QueryNode[] }
  | { readonly type: 'function'; readonly name: QueryFunction; readonly args: readonly QueryNode[] }
  | { readonly type: 'unary'; readonly op: 'NOT'; readonly expr: QueryNode }
  | { readonly type: 'binary'; readonly op: string; readonly left: QueryNode; readonly right: QueryNode }

type VariableNode = { readonly type: 'variable'; readonly name: string; readonly segments: readonly [string, ...string[]] }

type QueryFunction = 'length' | 'is_defined' | 'if_error'

const bounds = { characters: 64 * 1024, nesting: 200, nodes: 10_000 } as const

// The longer ones first, so that `>=` is not read as `>`.
const symbols = ['==', '!=', '>=', '<=', '=~', '!~', '=', '>', '<'] as const
const words: ReadonlySet<string> = new Set(['matches', 'contains', 'like', 'ilike', 'starts_with', 'ends_with'])
const functions: ReadonlyMap<string, readonly [least: number, most: number]> = new Map([
  ['length', [1, 1]],
  ['is_defined', [1, 1]],
  ['if_error', [1, 2]],
])

type Reading = Cursor & { depth: number; nodes: number }

/** The tree of a rule. Throws `LanguageError` with the position of what does not parse. */
function parseQuery(text: string): QueryNode {
  if (text.length > bounds.characters) throw new LanguageError(`a rule has at most ${bounds.characters} characters`)
  const reading: Reading = { text, at: 0, depth: 0, nodes: 0 }
  const node = readOr(reading)
  skipBlanks(reading)
  if (reading.at < text.length) throw new LanguageError(`"${text.slice(reading.at, reading.at + 20)}" is not expected here`, reading.at)
  return node
}

/** The tree as the files keep it: without what only the reader needs. */
function queryTree(node: QueryNode): Json {
  if (node.type === 'variable') return { type: 'variable', name: node.name }
  if (node.type === 'array') return { type: 'array', elements: node.elements.map(queryTree) }
  if (node.type === 'function') return { type: 'function', name: node.name, args: node.args.map(queryTree) }
  if (node.type === 'unary') return { type: 'unary', op: node.op, expr: queryTree(node.expr) }
  if (node.type === 'binary') return { type: 'binary', op: node.op, left: queryTree(node.left), right: queryTree(node.right) }
  return { ...node }
}

/** Every variable of a rule. */
function queryVariables(node: QueryNode): VariableNode[] {
  return partsOf(node).filter((part) => part.type === 'variable')
}

/** Every pattern that is written in a rule. */
function queryPatterns(node: QueryNode): string[] {
  return partsOf(node).flatMap((part) => (part.type === 'regexp' ? [part.regexp] : []))
}

/** The nodes of a rule in their order. Without recursion: a chain of operators is as deep as it is long. */
function partsOf(root: QueryNode): QueryNode[] {
  const parts: QueryNode[] = []
  const open = [root]
  for (let node = open.pop(); node; node = open.pop()) {
    parts.push(node)
    if (node.type === 'array') open.push(...node.elements.toReversed())
    else if (node.type === 'function') open.push(...node.args.toReversed())
    else if (node.type === 'unary') open.push(node.expr)
    else if (node.type === 'binary') open.push(node.right, node.left)
  }
  return parts
}

function readOr(reading: Reading): QueryNode {
  return readChain(reading, 'OR', readAnd, () => takeWord(reading, 'or') || takeSymbol(reading, '||') !== null)
}

function readAnd(reading: Reading): QueryNode {
  return readChain(reading, 'AND', readNot, () => takeWord(reading, 'and') || takeSymbol(reading, '&&') !== null)
}

/** `a OR b OR c` is `OR(a, OR(b, c))`. A long list of alternatives is nested in its tree only, not in what somebody has written. */
function readChain(reading: Reading, op: string, read: (reading: Reading) => QueryNode, more: () => boolean): QueryNode {
  const members = [read(reading)]
  while (more()) members.push(read(reading))
  return members.reduceRight((right, left) => made(reading, { type: 'binary', op, left, right }))
}

function readNot(reading: Reading): QueryNode {
  if (takeWord(reading, 'not')) return made(reading, { type: 'unary', op: 'NOT', expr: deeper(reading, readNot) })
  return readComparison(reading)
}

function readComparison(reading: Reading): QueryNode {
  const left = readSum(reading)
  const op = takeComparison(reading)
  return op === null ? left : made(reading, { type: 'binary', op, left, right: readSum(reading) })
}

function takeComparison(reading: Reading): string | null {
  skipBlanks(reading)
  for (const symbol of symbols) if (take(reading, symbol)) return symbol
  const before = reading.at
  const word = takeName(reading)
  if (word !== null && isOneCase(word) && words.has(word.toLowerCase())) return word
  reading.at = before
  return null
}

function readSum(reading: Reading): QueryNode {
  let left = readTerm(reading)
  for (;;) {
    const op = takeSymbol(reading, '+') ?? takeSymbol(reading, '-')
    if (!op) return left
    left = made(reading, { type: 'binary', op, left, right: readTerm(reading) })
  }
}

function readTerm(reading: Reading): QueryNode {
  let left = readFactor(reading)
  for (;;) {
    const op = takeSymbol(reading, '*') ?? takeSymbol(reading, '/')
    if (!op) return left
    left = made(reading, { type: 'binary', op, left, right: readFactor(reading) })
  }
}

function readFactor(reading: Reading): QueryNode {
  skipBlanks(reading)
  const { text, at } = reading
  if (take(reading, '{{')) return readVariable(reading, at)
  if (take(reading, '(')) return closed(reading, deeper(reading, readOr), ')', at)
  if (take(reading, '[')) return made(reading, { type: 'array', elements: readList(reading, ']', at) })
  const next = text[at]
  if (next === '"' || next === "'") return made(reading, { type: 'literal', value: readText(reading, next) })
  if (next === '/') return made(reading, { type: 'regexp', regexp: readPattern(reading) })
  const number = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?/.exec(text.slice(at, at + 64))
  if (number) {
    reading.at += number[0].length
    return made(reading, { type: 'literal', value: Number(number[0]) })
  }
  return readWord(reading, at)
}

function readWord(reading: Reading, at: number): QueryNode {
  const word = takeName(reading)
  if (word === null) {
    throw new LanguageError(at >= reading.text.length ? 'the rule ends too early' : `"${reading.text.slice(at, at + 20)}" is not expected here`, at)
  }
  const name = isOneCase(word) ? word.toLowerCase() : word
  if (name === 'true' || name === 'false') return made(reading, { type: 'literal', value: name === 'true' })
  if (name === 'null') return made(reading, { type: 'literal', value: null })
  if (!isFunction(name)) throw new LanguageError(`"${word.slice(0, 40)}" is not known; a text stands in quotes, a variable in "{{" and "}}"`, at)
  skipBlanks(reading)
  if (!take(reading, '(')) throw new LanguageError(`"(" is missing after "${name}"`, reading.at)
  const args = readList(reading, ')', at)
  const [least, most] = functions.get(name) ?? [0, 0]
  if (args.length < least || args.length > most) {
    throw new LanguageError(`"${name}" takes ${least === most ? least : `${least} or ${most}`} argument${most === 1 ? '' : 's'}`, at)
  }
  if (name === 'is_defined' && args[0]?.type !== 'variable') throw new LanguageError('"is_defined" takes a variable', at)
  return made(reading, { type: 'function', name, args })
}

function readList(reading: Reading, end: string, start: number): QueryNode[] {
  const elements: QueryNode[] = []
  skipBlanks(reading)
  if (take(reading, end)) return elements
  for (;;) {
    elements.push(deeper(reading, readOr))
    skipBlanks(reading)
    if (take(reading, end)) return elements
    if (!take(reading, ',')) throw new LanguageError(`"${end}" is missing`, reading.at >= reading.text.length ? start : reading.at)
  }
}

function readVariable(reading: Reading, start: number): QueryNode {
  skipBlanks(reading)
  const first = takeSegment(reading)
  if (first === null) throw new LanguageError('a variable has no name', start)
  const segments: [string, ...string[]] = [first, ...takeRest(reading)]
  skipBlanks(reading)
  return closed(reading, made(reading, { type: 'variable', name: segments.join('.'), segments }), '}}', start)
}

function closed(reading: Reading, node: QueryNode, end: string, start: number): QueryNode {
  skipBlanks(reading)
  if (!take(reading, end)) throw new LanguageError(`"${end}" is missing`, reading.at >= reading.text.length ? start : reading.at)
  return node
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }

function readText(reading: Reading, quote: string): string {
  const { text, at: start } = reading
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === quote) {
      reading.at = at + 1
      return value
    }
    if (character === '\\') {
      at++
      const escaped = text.charAt(at)
      // Other backslashes are meant as they stand: paths of Windows and patterns are written in texts.
      value += escapes[escaped] ?? (escaped === quote || escaped === '\\' ? escaped : `\\${escaped}`)
    } else value += character
  }
  throw new LanguageError('a text is not closed', start)
}

function readPattern(reading: Reading): string {
  const { text, at: start } = reading
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '/') {
      reading.at = at + 1
      return text.slice(start + 1, at).replaceAll('\\/', '/')
    }
  }
  throw new LanguageError('a pattern is not closed by "/"', start)
}

const nameOfRule = /[\p{L}_$][\p{L}\p{Nd}_$]*/uy

/** A word of the language itself: unlike names in paths it has no "-", which may be the sign of what comes next. */
function takeName(reading: Reading): string | null {
  nameOfRule.lastIndex = reading.at
  const word = nameOfRule.exec(reading.text)?.[0] ?? null
  if (word !== null) reading.at += word.length
  return word
}

/** A word in upper or lower case, not followed by more of a word. */
function takeWord(reading: Reading, word: string): boolean {
  skipBlanks(reading)
  const before = reading.at
  const found = takeName(reading)
  if (found === word || found === word.toUpperCase()) return true
  reading.at = before
  return false
}

function takeSymbol(reading: Reading, symbol: string): string | null {
  skipBlanks(reading)
  return take(reading, symbol) ? symbol : null
}

function isOneCase(word: string): boolean {
  return word === word.toLowerCase() || word === word.toUpperCase()
}

function isFunction(name: string): name is QueryFunction {
  return functions.has(name)
}

function deeper(reading: Reading, read: (reading: Reading) => QueryNode): QueryNode {
  if (++reading.depth > bounds.nesting) throw new LanguageError(`a rule is nested deeper than ${bounds.nesting}`, reading.at)
  const node = read(reading)
  reading.depth--
  return node
}

function made<Node extends QueryNode>(reading: Reading, node: Node): Node {
  if (++reading.nodes > bounds.nodes) throw new LanguageError('a rule has too many parts', reading.at)
  return node
}

export type { QueryNode, QueryFunction, VariableNode }
export { parseQuery, queryTree, queryVariables, queryPatterns }
