import { skipBlanks, take, takeIdentifier, takeRest, takeSegment } from './path.ts'
import { LanguageError, standardBudget } from './scope.ts'
import type { Cursor } from './path.ts'

/** A parsed template: texts, values and blocks in their order (contract §11.1). */
type Part = { readonly kind: 'text'; text: string } | { readonly kind: 'value'; readonly value: Operand } | Block

type BlockName = 'each' | 'if' | 'unless' | 'equal' | 'with'

type Block = {
  readonly kind: 'block'
  /** The ways through it in order: the first whose condition holds is taken. Only the first may be `each` or `with`. */
  readonly branches: Branch[]
  /** The `else` part; empty when there is none. */
  otherwise: Part[]
}

type Branch = { readonly name: BlockName; readonly operands: readonly Operand[]; readonly parts: Part[] }

type Operand =
  | { readonly kind: 'path'; readonly segments: readonly [string, ...string[]] }
  /** `this`, `.` and `../`: `up` elements outwards. */
  | { readonly kind: 'this'; readonly up: number; readonly segments: readonly string[] }
  /** `../name`: looked up from `up` elements outwards on. */
  | { readonly kind: 'outer'; readonly up: number; readonly segments: readonly [string, ...string[]] }
  /** `@index` and its like; others are empty text. */
  | { readonly kind: 'at'; readonly name: string }
  | { readonly kind: 'constant'; readonly value: string | number | boolean }
  | { readonly kind: 'lookup'; readonly of: Operand; readonly key: Operand }

const blocks: ReadonlySet<string> = new Set<BlockName>(['each', 'if', 'unless', 'equal', 'with'])

type OpenBlock = { readonly block: Block; readonly name: BlockName; readonly at: number; parts: Part[]; closed: boolean }

/** How many tags may still be read, in the template and in those that are read with it. */
type TagsLeft = { tags: number }

/** The parts of a template. Throws `LanguageError` with the position of what does not parse. */
function parseTemplate(text: string, left: TagsLeft = { tags: standardBudget.tags }): Part[] {
  const cursor: Cursor = { text, at: 0 }
  const root: Part[] = []
  const open: OpenBlock[] = []
  let trimNext = false
  while (cursor.at < text.length) {
    const tag = text.indexOf('{{', cursor.at)
    const end = tag < 0 ? text.length : tag
    const trimmed = tag >= 0 && text[tag + 2] === '~'
    let piece = text.slice(cursor.at, end)
    if (trimNext) piece = piece.trimStart()
    if (trimmed) piece = piece.trimEnd()
    const parts = open.at(-1)?.parts ?? root
    if (piece !== '') parts.push({ kind: 'text', text: piece })
    cursor.at = end
    if (tag < 0) break
    if (--left.tags < 0) throw new LanguageError(`templates have at most ${standardBudget.tags} tags in all`, tag)
    cursor.at = tag + (trimmed ? 3 : 2)
    readTag(cursor, tag, parts, open)
    skipBlanks(cursor)
    trimNext = take(cursor, '~')
    if (!take(cursor, '}}')) throw new LanguageError('a tag is not closed by "}}" here', cursor.at)
  }
  const last = open.at(-1)
  if (last) throw new LanguageError(`"{{#${last.name}}}" is never closed`, last.at)
  return root
}

function readTag(cursor: Cursor, start: number, parts: Part[], open: OpenBlock[]): void {
  skipBlanks(cursor)
  if (take(cursor, '#')) openBlock(cursor, start, parts, open)
  else if (take(cursor, '/')) closeBlock(cursor, start, open)
  else if (takeElse(cursor)) otherwise(cursor, start, open)
  else parts.push({ kind: 'value', value: readOperand(cursor, true) })
}

function takeElse(cursor: Cursor): boolean {
  const before = cursor.at
  if (takeIdentifier(cursor) === 'else' && cursor.text[cursor.at] !== '.') return true
  cursor.at = before
  return false
}

function openBlock(cursor: Cursor, start: number, parts: Part[], open: OpenBlock[]): void {
  skipBlanks(cursor)
  const name = takeIdentifier(cursor) ?? ''
  if (!isBlock(name)) throw new LanguageError(`there is no block "${name.slice(0, 40)}"`, start)
  if (open.length >= standardBudget.nesting) throw new LanguageError(`blocks are nested deeper than ${standardBudget.nesting}`, start)
  const branch = readBranch(cursor, name)
  const block: Block = { kind: 'block', branches: [branch], otherwise: [] }
  parts.push(block)
  open.push({ block, name, at: start, parts: branch.parts, closed: false })
}

function readBranch(cursor: Cursor, name: BlockName): Branch {
  const first = readOperand(cursor, true)
  return { name, operands: name === 'equal' ? [first, readOperand(cursor, true)] : [first], parts: [] }
}

function closeBlock(cursor: Cursor, start: number, open: OpenBlock[]): void {
  skipBlanks(cursor)
  const name = takeIdentifier(cursor) ?? ''
  const last = open.pop()
  if (last?.name !== name) throw new LanguageError(last ? `"{{/${last.name}}}" is expected here` : 'nothing is open that this could close', start)
}

function otherwise(cursor: Cursor, start: number, open: OpenBlock[]): void {
  const last = open.at(-1)
  if (!last || last.closed) throw new LanguageError('"else" is outside of a block', start)
  skipBlanks(cursor)
  const before = cursor.at
  const word = takeIdentifier(cursor)
  if (word === 'if' || word === 'unless' || word === 'equal') {
    const branch = readBranch(cursor, word)
    last.block.branches.push(branch)
    last.parts = branch.parts
    return
  }
  cursor.at = before
  last.closed = true
  last.parts = last.block.otherwise
}

function readOperand(cursor: Cursor, lookup: boolean, depth = 0): Operand {
  skipBlanks(cursor)
  const { text, at } = cursor
  const next = text[at] ?? ''
  if (take(cursor, '(')) {
    if (depth >= standardBudget.nesting) throw new LanguageError(`brackets are nested deeper than ${standardBudget.nesting}`, at)
    const inner = readOperand(cursor, true, depth + 1)
    skipBlanks(cursor)
    if (!take(cursor, ')')) throw new LanguageError('a "(" is not closed', at)
    return inner
  }
  if (next === '"' || next === "'") return { kind: 'constant', value: readString(cursor, next) }
  if (take(cursor, '@')) return { kind: 'at', name: takeIdentifier(cursor) ?? '' }
  if (next === '.') return readRelative(cursor)
  const number = /^-?\d+(?:\.\d+)?(?![\p{L}\p{Nd}_$-])/u.exec(text.slice(at, at + 64))
  if (number) {
    cursor.at += number[0].length
    return { kind: 'constant', value: Number(number[0]) }
  }
  const word = takeSegment(cursor)
  if (word === null) throw new LanguageError('a reference is expected here', at)
  const bare = next !== '['
  if (bare && word === 'this') return { kind: 'this', up: 0, segments: takeRest(cursor) }
  const more = text[cursor.at] ?? ''
  if (bare && more !== '.' && (word === 'true' || word === 'false')) return { kind: 'constant', value: word === 'true' }
  if (bare && lookup && word === 'lookup' && more !== '.' && beginsOperand(cursor)) {
    return { kind: 'lookup', of: readOperand(cursor, false, depth), key: readOperand(cursor, false, depth) }
  }
  return { kind: 'path', segments: [word, ...takeRest(cursor)] }
}

function readRelative(cursor: Cursor): Operand {
  let up = 0
  while (take(cursor, '../')) up++
  if (take(cursor, '..')) return { kind: 'this', up: up + 1, segments: [] }
  if (take(cursor, './')) return { kind: 'this', up, segments: readRequired(cursor) }
  if (take(cursor, '.')) return { kind: 'this', up, segments: [] }
  const at = cursor.at
  const [first, ...rest] = readRequired(cursor)
  if (first === undefined) throw new LanguageError('a reference is expected here', at)
  return first === 'this' ? { kind: 'this', up, segments: rest } : { kind: 'outer', up, segments: [first, ...rest] }
}

function readRequired(cursor: Cursor): string[] {
  const segment = takeSegment(cursor)
  if (segment === null) throw new LanguageError('a reference is expected here', cursor.at)
  return [segment, ...takeRest(cursor)]
}

function readString(cursor: Cursor, quote: string): string {
  const start = cursor.at
  const end = cursor.text.indexOf(quote, start + 1)
  if (end < 0) throw new LanguageError('a text is not closed', start)
  cursor.at = end + 1
  return cursor.text.slice(start + 1, end)
}

function beginsOperand(cursor: Cursor): boolean {
  const after = cursor.text.slice(cursor.at).trimStart()
  return cursor.text[cursor.at] !== '}' && after !== '' && !after.startsWith('}}') && !after.startsWith('~')
}

function isBlock(name: string): name is BlockName {
  return blocks.has(name)
}

export type { Part, Block, Branch, Operand, TagsLeft }
export { parseTemplate }
