import { LanguageError } from './scope.ts'
import type { Json } from '../../kernel/json.ts'

/** The text being read, and how far. Readers move `at`; they throw `LanguageError` with the position where they could not go on. */
type Cursor = { readonly text: string; at: number }

const identifier = /[\p{L}_$][\p{L}\p{Nd}_$-]*/uy

/** Steps over blanks and line ends. */
function skipBlanks(cursor: Cursor): void {
  while (cursor.at < cursor.text.length && isBlank(cursor.text.charCodeAt(cursor.at))) cursor.at++
}

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 160
}

/** Takes the text if it is next. */
function take(cursor: Cursor, text: string): boolean {
  if (!cursor.text.startsWith(text, cursor.at)) return false
  cursor.at += text.length
  return true
}

/** A word of letters, digits, `_`, `$` and `-` that begins with no digit, or null and nothing is taken. */
function takeIdentifier(cursor: Cursor): string | null {
  identifier.lastIndex = cursor.at
  const word = identifier.exec(cursor.text)?.[0] ?? null
  if (word !== null) cursor.at += word.length
  return word
}

/** A segment of a path, or null when none begins here. */
function takeSegment(cursor: Cursor): string | null {
  if (cursor.text[cursor.at] !== '[') return takeIdentifier(cursor)
  const start = cursor.at
  const quoted = cursor.text[start + 1] === '"'
  const end = cursor.text.indexOf(quoted ? '"]' : ']', start + (quoted ? 2 : 1))
  if (end < 0) throw new LanguageError('a "[" is not closed', start)
  const name = cursor.text.slice(start + (quoted ? 2 : 1), end)
  if (name === '') throw new LanguageError('a name between brackets is empty', start)
  cursor.at = end + (quoted ? 2 : 1)
  return name
}

/** The segments after the first one of a path: as many as are joined by dots. */
function takeRest(cursor: Cursor): string[] {
  const segments: string[] = []
  while (cursor.text[cursor.at] === '.') {
    cursor.at++
    const segment = takeSegment(cursor)
    if (segment === null) throw new LanguageError('a name is missing after "."', cursor.at)
    segments.push(segment)
  }
  return segments
}

/** A member of an object or an element of an array; undefined when it has none of its own. Nothing that JSON does not hold is ever reached. */
function memberOf(value: Json | undefined, name: string): Json | undefined {
  if (value === null || typeof value !== 'object') return undefined
  if (Array.isArray(value)) return /^(?:0|[1-9]\d{0,8})$/.test(name) ? value[Number(name)] : undefined
  return Object.hasOwn(value, name) ? value[name] : undefined
}

/** What a path leads to from a value. */
function follow(value: Json | undefined, segments: readonly string[]): Json | undefined {
  let current = value
  for (const segment of segments) {
    if (current === undefined) return undefined
    current = memberOf(current, segment)
  }
  return current
}

/** How a value reads inside of text: strings as they are, nothing for null and undefined, the rest as compact JSON. */
function textOf(value: Json | undefined): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export type { Cursor }
export { skipBlanks, take, takeIdentifier, takeSegment, takeRest, memberOf, follow, textOf }
