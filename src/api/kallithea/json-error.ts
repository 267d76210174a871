/**
 * Why a text is no JSON, in the words and with the position that clients know (contract §1.1 row 3). Only asked when parsing has failed, so it looks for
 * the first thing wrong and builds no values. Positions are characters, not UTF-16 units.
 */
function jsonError(text: string): string {
  // Characters outside of the basic plane are two units here and one there.
  const chars = [...text]
  const problem = new Scanner(chars).run()
  const before = chars.slice(0, problem.at)
  const line = before.filter((char) => char === '\n').length + 1
  const column = problem.at - before.lastIndexOf('\n')
  return `${problem.message}: line ${line} column ${column} (char ${problem.at})`
}

type Problem = { readonly message: string; readonly at: number }
type Expecting = 'value' | 'first-item' | 'first-name' | 'name' | 'after'

/** Where in a document the scanner is: the open brackets, and what may come next. It keeps its own stack, because the text is hostile. */
class Scanner {
  readonly #chars: readonly string[]
  readonly #open: ('[' | '{')[] = []
  #at = 0

  constructor(chars: readonly string[]) {
    this.#chars = chars
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
    const char = this.#chars[this.#at]
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
    if (this.#chars[this.#at] !== ':') return { message: "Expecting ':' delimiter", at: this.#at }
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
    const word = /^(?:null|true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)/.exec(this.#chars.slice(this.#at, this.#at + 400).join(''))
    if (!word) return { message: 'Expecting value', at: this.#at }
    this.#at += word[0].length
    return 'after'
  }

  #string(): Problem | null {
    const start = this.#at++
    for (;;) {
      const char = this.#chars[this.#at]
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
    const char = this.#chars[++this.#at]
    if (char === undefined) return { message: 'Unterminated string starting at', at: start }
    if ('"\\/bfnrt'.includes(char)) return null
    if (char !== 'u') return { message: 'Invalid \\escape', at: this.#at - 1 }
    const digits = this.#chars.slice(this.#at + 1, this.#at + 5).join('')
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) return { message: 'Invalid \\uXXXX escape', at: this.#at + 1 }
    this.#at += 4
    return null
  }

  #skip(): void {
    while (' \t\n\r'.includes(this.#chars[this.#at] ?? '-')) this.#at++
  }
}

export { jsonError }
