import type { Json, JsonObject } from '../kernel/json.ts'
import type { Problem } from '../kernel/fault.ts'

/** What a hostile JSON text holds: a value, or none because it cannot be read; and everything that is wrong with it. */
type CheckedJson = { readonly value: Json | undefined; readonly problems: readonly Problem[] }

type CheckedJsonOptions = {
  /** Levels of objects and arrays inside each other. */
  readonly depth: number
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of bytes that must be UTF-8 without a byte order mark, or the problem with them. */
function checkedText(bytes: Uint8Array): { readonly text: string } | { readonly problem: Problem } {
  try {
    const text = decoder.decode(bytes)
    if (text.startsWith('\u{feff}')) return { problem: wrong('', 'encoding', 'begins with a byte order mark; save it as plain UTF-8') }
    return { text }
  } catch {
    return { problem: wrong('', 'encoding', 'is not valid UTF-8') }
  }
}

/**
 * Reads JSON that somebody else wrote. Unlike `JSON.parse` it says where a text breaks (line and column), and reports a member that is given twice:
 * two readers of such a text could see two different documents. `__proto__` as a member and unpaired surrogates are problems too.
 */
function readCheckedJson(text: string, options: CheckedJsonOptions): CheckedJson {
  const reader = new Reader(text, options.depth)
  try {
    return { value: reader.document(), problems: reader.problems }
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    return { value: undefined, problems: [reader.broken(error)] }
  }
}

class Broken extends Error {
  override readonly name = 'Broken'
}

const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const stringPattern = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const spacePattern = /[ \t\n\r]*/y
const mostProblems = 100

class Reader {
  readonly problems: Problem[] = []
  readonly #text: string
  readonly #depth: number
  #at = 0

  constructor(text: string, depth: number) {
    this.#text = text
    this.#depth = depth
  }

  document(): Json {
    this.#space()
    const value = this.#value('', 0)
    if (this.#at < this.#text.length) throw new Broken('there is text after the end of the document')
    return value
  }

  broken(error: Broken): Problem {
    const before = this.#text.slice(0, this.#at)
    const line = before.split('\n').length
    const column = this.#at - before.lastIndexOf('\n')
    return wrong('', 'syntax', `is not JSON: line ${line}, column ${column}: ${error.message}`)
  }

  #value(path: string, depth: number): Json {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(path, this.#deeper(depth))
      case '[':
        return this.#array(path, this.#deeper(depth))
      case '"':
        return this.#string(path)
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default:
        return this.#number(path)
    }
  }

  #object(path: string, depth: number): JsonObject {
    const object: JsonObject = {}
    this.#at++
    this.#space()
    if (this.#skip('}')) return object
    do {
      this.#space()
      if (this.#text[this.#at] !== '"') throw new Broken('a member name in double quotes is expected')
      const name = this.#string(path)
      const member = `${path}/${pointerPart(name)}`
      this.#space()
      if (!this.#skip(':')) throw new Broken('a colon is expected')
      const value = this.#value(member, depth)
      if (name === '__proto__') this.#note(wrong(member, 'member', 'is no name that a member may have'))
      else if (Object.hasOwn(object, name)) this.#note(wrong(member, 'duplicate', 'is given twice'))
      else object[name] = value
    } while (this.#skip(','))
    if (!this.#skip('}')) throw new Broken('a comma or } is expected')
    return object
  }

  #array(path: string, depth: number): Json[] {
    const array: Json[] = []
    this.#at++
    this.#space()
    if (this.#skip(']')) return array
    do {
      this.#space()
      array.push(this.#value(`${path}/${array.length}`, depth))
    } while (this.#skip(','))
    if (!this.#skip(']')) throw new Broken('a comma or ] is expected')
    return array
  }

  #string(path: string): string {
    const raw = this.#match(stringPattern)
    if (raw === null) throw new Broken('the text is not closed, or holds a character that must be escaped')
    this.#space()
    // The pattern accepted exactly what JSON.parse does for one text.
    const text = JSON.parse(raw) as string
    if (!text.isWellFormed()) this.#note(wrong(path, 'encoding', 'holds half of a character (an unpaired surrogate)'))
    return text
  }

  #number(path: string): number {
    const raw = this.#match(numberPattern)
    if (raw === null) throw new Broken(this.#at >= this.#text.length ? 'the text ends too early' : 'a value is expected')
    this.#space()
    const number = Number(raw)
    if (Number.isFinite(number)) return number
    this.#note(wrong(path, 'number', 'is too large a number'))
    return 0
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw new Broken('a value is expected')
    this.#at += word.length
    this.#space()
    return value
  }

  #deeper(depth: number): number {
    if (depth >= this.#depth) throw new Broken(`nests deeper than ${this.#depth} levels`)
    return depth + 1
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (!found) return null
    this.#at = pattern.lastIndex
    return found[0]
  }

  #skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    this.#space()
    return true
  }

  #space(): void {
    this.#match(spacePattern)
  }

  #note(problem: Problem): void {
    if (this.problems.length < mostProblems) this.problems.push(problem)
  }
}

/** One part of a JSON pointer, escaped. */
function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

function wrong(path: string, code: string, message: string): Problem {
  return { path, code, message, severity: 'error' }
}

export type { CheckedJson, CheckedJsonOptions }
export { checkedText, readCheckedJson, pointerPart }
