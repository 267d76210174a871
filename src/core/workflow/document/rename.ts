import { takeSegment } from '../language/path.ts'
import { LanguageError } from '../language/scope.ts'
import type { Cursor } from '../language/path.ts'

const words: ReadonlySet<string> = new Set(['each', 'if', 'unless', 'equal', 'with', 'else', 'lookup', 'this', 'true', 'false'])

/**
 * The template or rule with its steps called otherwise: the first segment of every path that `names` has, and the segment behind `$outputs` of a loop. Texts
 * between quotes and what is outside of tags stay as they are, and so does a text that does not parse.
 */
function renameSteps(text: string, names: ReadonlyMap<string, string>): string {
  let renamed = ''
  let at = 0
  try {
    for (let tag = text.indexOf('{{'); tag >= 0; tag = text.indexOf('{{', at)) {
      const cursor: Cursor = { text, at: tag + 2 }
      renamed += text.slice(at, cursor.at) + renamedTag(cursor, names)
      at = cursor.at
    }
  } catch (error) {
    if (error instanceof LanguageError) return text
    throw error
  }
  return renamed + text.slice(at)
}

/** What stands in a tag, up to its end. */
function renamedTag(cursor: Cursor, names: ReadonlyMap<string, string>): string {
  const { text } = cursor
  let renamed = ''
  let path: string[] = []
  while (cursor.at < text.length && !text.startsWith('}}', cursor.at)) {
    const start = cursor.at
    const before = text[start - 1] ?? ''
    const next = text[start] ?? ''
    if (before !== '.' && next !== '.') path = []
    if (next === '"' || next === "'") {
      const end = text.indexOf(next, start + 1)
      if (end < 0) throw new LanguageError('a text is not closed', start)
      cursor.at = end + 1
      renamed += text.slice(start, cursor.at)
      continue
    }
    const segment = takeSegment(cursor)
    if (segment === null) {
      cursor.at++
      renamed += next
      continue
    }
    const bare = next !== '['
    const first = path.length === 0 && before !== '.' && before !== '@' && before !== '/' && !(bare && words.has(segment))
    const to = first || isInner(path) ? names.get(segment) : undefined
    path.push(segment)
    renamed += to === undefined ? text.slice(start, cursor.at) : bracketed(to, text[start + 1] === '"')
  }
  return renamed
}

/** Whether the next segment names a step of a loop: `$outputs` is keyed by them, in each of its rounds. */
function isInner(path: readonly string[]): boolean {
  return path.at(-1) === '$outputs' || (path.at(-2) === '$outputs' && /^\d+$/.test(path.at(-1) ?? ''))
}

function bracketed(name: string, quoted: boolean): string {
  return quoted || name.includes(']') ? `["${name}"]` : `[${name}]`
}

/** Whether templates have a way to name a step that is called so. */
function isNameable(name: string): boolean {
  return !name.includes('"]') && !(name.startsWith('"') && !name.includes(']'))
}

export { renameSteps, isNameable }
