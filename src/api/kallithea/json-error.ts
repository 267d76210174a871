/**
 * Why a text is no JSON, in the words and with the position that clients know (contract §1.1 row 3). Only asked when parsing has failed, so it looks for
 * the first thing wrong and builds no values. Positions are characters, not UTF-16 units.
 */
function jsonError(text: string): string {
  const problem = new Scanner(text).run()
  const before = text.slice(0, problem.at)
  const lineStart = before.lastIndexOf('\n') + 1
  const line = count(before, /\n/g) + 1
  return `${problem.message}: line ${line} column ${length(before.slice(lineStart)) + 1} (char ${length(before)})`
}

// Characters outside of the basic plane are two units here and one there.
function length(text: string): number {
  return text.length - count(text, /[\ud800-\udbff][\udc00-\udfff]/g)
}

function count(text: string, pattern: RegExp): number {
  let found = 0
  for (const _ of text.matchAll(pattern)) found++
  return found
}

const word = /null|true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y
const blanks = /[ \t\n\r]*/y
// All of a string that needs no second look.
const plain = /[^"\\\u0000-\u001f]*/y

type Problem = { readonly message: string; readonly at: number }
type Expecting = 'value' | 'first-item' | 'first-name' | 'name' | 'after'

/** Where in a document the scanner is: the open brackets, and what may come next. It keeps its own stack, because the text is hostile. */
class Scanner {
  readonly #text: string
  readonly #open: ('[' | '{')[] = []
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  run(): Problem {
    let expecting: Expecting = 'value'
    for (;;) {
      this.#skip()
      const next: Expecting | Problem = this.#step(expecting)
      if (typeof next === 'object') return next
      expecting = next
    }
  }

  #step(expecting: Expecting): Expecting | Problem {
    const char = this.#text[this.#at]
    if (expecting === 'after') return this.#after(char)
    if (expecting === 'first-item' && char === ']') return this.#close()
    if (expecting === 'first-name' && char === '}') return this.#close()
    if (expecting === 'first-name' || expecting === 'name') return this.#name(char)
    return this.#value(char)
  }

  #after(char: string | undefined): Expecting | Problem {
    const inside = this.#open.at(-1)
    if (inside === undefined) return { message: 'Extra data', at: this.#at }
    if ((inside === '[' && char === ']') || (inside === '{' && char === '}')) return this.#close()
    if (char !== ',') return { message: "Expecting ',' delimiter", at: this.#at }
    this.#at++
    return inside === '[' ? 'value' : 'name'
  }

  #close(): Expecting {
    this.#open.pop()
    this.#at++
    return 'after'
  }

  #name(char: string | undefined): Expecting | Problem {
    if (char !== '"') return { message: 'Expecting property name enclosed in double quotes', at: this.#at }
    const wrong = this.#string()
    if (wrong) return wrong
    this.#skip()
    if (this.#text[this.#at] !== ':') return { message: "Expecting ':' delimiter", at: this.#at }
    this.#at++
    return 'value'
  }

  #value(char: string | undefined): Expecting | Problem {
    if (char === '[' || char === '{') {
      this.#open.push(char)
      this.#at++
      return char === '[' ? 'first-item' : 'first-name'
    }
    if (char === '"') return this.#string() ?? 'after'
    const before = this.#at
    this.#take(word)
    return this.#at === before ? { message: 'Expecting value', at: before } : 'after'
  }

  #string(): Problem | null {
    const start = this.#at++
    for (;;) {
      this.#take(plain)
      const char = this.#text[this.#at]
      if (char === undefined) return { message: 'Unterminated string starting at', at: start }
      if (char === '"') break
      if (char < ' ') return { message: 'Invalid control character at', at: this.#at }
      const wrong = char === '\\' ? this.#escape(start) : null
      if (wrong) return wrong
      this.#at++
    }
    this.#at++
    return null
  }

  // Called on the backslash; leaves the position on the last character of the escape.
  #escape(start: number): Problem | null {
    const char = this.#text[++this.#at]
    if (char === undefined) return { message: 'Unterminated string starting at', at: start }
    if ('"\\/bfnrt'.includes(char)) return null
    if (char !== 'u') return { message: 'Invalid \\escape', at: this.#at - 1 }
    const digits = this.#text.slice(this.#at + 1, this.#at + 5)
    // Four digits at the very end of the text count as broken there, too.
    if (!/^[0-9a-fA-F]{4}$/.test(digits) || this.#at + 5 >= this.#text.length) return { message: 'Invalid \\uXXXX escape', at: this.#at }
    this.#at += 4
    return null
  }

  #skip(): void {
    this.#take(blanks)
  }

  // Moves behind what the pattern finds just here.
  #take(pattern: RegExp): void {
    pattern.lastIndex = this.#at
    this.#at += pattern.exec(this.#text)?.[0].length ?? 0
  }
}

export { jsonError }
