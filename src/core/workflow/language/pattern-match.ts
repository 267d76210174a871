import { PatternRefused } from '../../../ports/patterns.ts'
import { LanguageError } from './scope.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Patterns } from '../../../ports/patterns.ts'

/** A pattern with captures, as the files keep it (contract §13). */
type PatternPart =
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'variable'; readonly value: { readonly ident: string; readonly regex: string } }

type PatternOptions = { readonly captureAll: boolean; readonly ignoreCase: boolean }

const opening = /\{\{\s*([\p{L}_$][\p{L}\p{Nd}_$-]*)\s*:\s*\//uy

/** The parts of a pattern in their order. Throws `LanguageError` with the position of what does not parse. */
function parsePatternMatch(text: string): PatternPart[] {
  const parts: PatternPart[] = []
  let at = 0
  while (at < text.length) {
    const tag = nextCapture(text, at)
    const end = tag < 0 ? text.length : tag
    if (end > at) parts.push({ type: 'text', value: text.slice(at, end) })
    if (tag < 0) break
    opening.lastIndex = tag
    const ident = opening.exec(text)?.[1]
    if (ident === undefined) throw new LanguageError('a capture is written {{name:/pattern/}}', tag)
    const begin = opening.lastIndex
    const close = endOfPattern(text, begin)
    if (close === null) throw new LanguageError(`the capture "${ident}" is not closed by "/}}"`, tag)
    parts.push({ type: 'variable', value: { ident, regex: text.slice(begin, close.pattern) } })
    at = close.tag
  }
  return parts
}

/** The regular expression that a pattern means: each capture is a group `c<number>`. */
function patternOf(parts: readonly PatternPart[]): string {
  return parts.map((part, index) => (part.type === 'text' ? part.value : `(?P<c${index}>${part.value.regex.replaceAll('\\/', '/')})`)).join('')
}

/** What a pattern finds: `$matched`, and a value for each capture (a list of all with `captureAll`). Throws `LanguageError`. */
async function matchPattern(parts: readonly PatternPart[], text: string, options: PatternOptions, patterns: Patterns): Promise<JsonObject> {
  try {
    const found = await patterns.capture(patternOf(parts), text, { ignoreCase: options.ignoreCase, all: options.captureAll })
    if (!found) return { $matched: false }
    const captures = new Map<string, Json>([['$matched', true]])
    for (const [index, part] of parts.entries()) {
      if (part.type !== 'variable') continue
      const values = found.get(`c${index}`) ?? []
      const { ident } = part.value
      if (options.captureAll) captures.set(ident, [...(asList(captures.get(ident)) ?? []), ...values])
      else if (!captures.has(ident) && values[0] !== undefined) captures.set(ident, values[0])
    }
    return Object.fromEntries(captures)
  } catch (error) {
    if (error instanceof PatternRefused) throw new LanguageError(error.message)
    throw error
  }
}

// A brace behind a backslash is one that is looked for.
function nextCapture(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text.startsWith('{{', at)) return at
  }
  return -1
}

// The pattern itself may hold "/" and braces: it ends at the first "/" that is not escaped and is followed by "}}".
function endOfPattern(text: string, begin: number): { pattern: number; tag: number } | null {
  for (let at = begin; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '/') {
      const after = /^\s*\}\}/.exec(text.slice(at + 1, at + 66))
      if (after) return { pattern: at, tag: at + 1 + after[0].length }
    }
  }
  return null
}

function asList(value: Json | undefined): readonly Json[] | null {
  return Array.isArray(value) ? value : null
}

export type { PatternPart, PatternOptions }
export { parsePatternMatch, patternOf, matchPattern }
