import type { Json } from '../kernel/json.ts'
import { functionNames } from './expression-functions.ts'

/** What is wrong with an expression, and where (characters from 0). The only error that expressions and templates throw. */
class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
  readonly code: 'syntax' | 'missing' | 'type' | 'too_much'
  readonly position: number

  constructor(code: ExpressionError['code'], position: number, message: string) {
    super(`At character ${position + 1}: ${message}`)
    this.code = code
    this.position = position
  }
}

const roots = ['input', 'loop'] as const
type BinaryOperator = 'or' | 'and' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '%' | '??'

/** A parsed expression. `at` is its position in the text. */
type Term = { readonly at: number; readonly depth: number } & (
  | { readonly kind: 'literal'; readonly value: Json }
  | { readonly kind: 'root'; readonly name: (typeof roots)[number] }
  | { readonly kind: 'step'; readonly from: 'steps' | 'previous'; readonly id: string }
  | { readonly kind: 'member'; readonly of: Term; readonly key: Term }
  | { readonly kind: 'unary'; readonly operator: 'not' | '-'; readonly of: Term }
  | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Term; readonly right: Term }
  | { readonly kind: 'choose'; readonly test: Term; readonly yes: Term; readonly no: Term }
  | { readonly kind: 'array'; readonly items: readonly Term[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Term[] }
)
type Shape = Term extends infer T ? (T extends Term ? Omit<T, 'depth'> : never) : never

/** Characters of an expression, and how deep it may nest: evaluation recurses, and must never run out of stack. */
const expressionLimits = { length: 10_000, depth: 150 } as const

type Token = { readonly kind: 'name' | 'number' | 'text' | 'sign' | 'end'; readonly text: string; readonly at: number; readonly end: number }

const tokenPattern =
  /\s*(?:(?<name>[A-Za-z_$][A-Za-z0-9_$]*)|(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<sign>\?\?|[=!<>]=|&&|\|\||[-+*/%()[\].,?:<>!]))/suy

// From weak to strong. `&&` and `||` are other spellings of the words.
const levels: readonly (readonly string[])[] = [['??'], ['or', '||'], ['and', '&&'], ['==', '!=', '<', '<=', '>', '>='], ['+', '-'], ['*', '/', '%']]
const spelling: Readonly<Record<string, BinaryOperator>> = Object.assign(Object.create(null), { '||': 'or', '&&': 'and' })
const comparison = 3

/** The whole text as one expression. Throws `ExpressionError` with the code `syntax`. */
function parseExpression(text: string): Term {
  const { term, end } = parseAt(text, 0)
  if (skipBlank(text, end) < text.length) throw new ExpressionError('syntax', end, `"${text.slice(end, end + 20).trim()}" does not belong here`)
  return term
}

/** The expression that begins at `start`, and where it ends: what follows is the caller's. */
function parseAt(text: string, start: number): { term: Term; end: number } {
  const parser = new Parser(text, start)
  const term = parser.expression(0)
  return { term, end: parser.end }
}

/** A parse in progress: where it stands, and the token that comes next. */
class Parser {
  readonly #text: string
  readonly #limit: number
  #next: Token
  #end: number

  constructor(text: string, start: number) {
    this.#text = text
    this.#limit = start + expressionLimits.length
    this.#end = start
    this.#next = this.#read(start)
  }

  /** Where the last token that was used ends. */
  get end(): number {
    return this.#end
  }

  expression(depth: number): Term {
    if (depth > expressionLimits.depth) throw this.#wrong('this is nested too deeply')
    const test = this.#binary(0, depth)
    if (!this.#take('?')) return test
    const yes = this.expression(depth + 1)
    this.#expect(':')
    return this.#make({ kind: 'choose', at: test.at, test, yes, no: this.expression(depth + 1) }, test, yes)
  }

  #binary(level: number, depth: number): Term {
    const operators = levels[level]
    if (operators === undefined) return this.#unary(depth)
    let left = this.#binary(level + 1, depth)
    while (operators.includes(this.#next.text) && (this.#next.kind === 'sign' || this.#next.kind === 'name')) {
      const { text, at } = this.#use()
      const right = this.#binary(level + 1, depth)
      left = this.#make({ kind: 'binary', at, operator: spelling[text] ?? (text as BinaryOperator), left, right }, left, right) // one of `levels`
      // `a < b < c` reads as something that it is not.
      if (level === comparison && operators.includes(this.#next.text)) throw this.#wrong('comparisons cannot be chained; write "and" between two')
    }
    return left
  }

  #unary(depth: number): Term {
    if (depth > expressionLimits.depth) throw this.#wrong('this is nested too deeply')
    const { at } = this.#next
    if (this.#take('not') || this.#take('!')) return this.#wrap('not', at, depth)
    if (this.#take('-')) return this.#wrap('-', at, depth)
    return this.#postfix(depth)
  }

  #wrap(operator: 'not' | '-', at: number, depth: number): Term {
    // `not a == b` means not (a == b): the word binds weaker than a comparison, the sign stronger.
    const word = operator === 'not' && this.#text.startsWith('not', at)
    const of = word ? this.#binary(comparison, depth + 1) : this.#unary(depth + 1)
    return this.#make({ kind: 'unary', at, operator, of }, of)
  }

  #postfix(depth: number): Term {
    let term = this.#primary(depth)
    for (;;) {
      const { at } = this.#next
      if (this.#take('.')) {
        const key = this.#next
        if (key.kind !== 'name' && !(key.kind === 'number' && /^\d+$/.test(key.text))) throw this.#wrong('after "." comes the name of a member')
        this.#use()
        const value = key.kind === 'name' ? key.text : Number(key.text)
        term = this.#make({ kind: 'member', at, of: term, key: { kind: 'literal', at: key.at, depth: 0, value } }, term)
      } else if (this.#take('[')) {
        const key = this.expression(depth + 1)
        this.#expect(']')
        term = this.#make({ kind: 'member', at, of: term, key }, term, key)
      } else return term
    }
  }

  #primary(depth: number): Term {
    const token = this.#use()
    const { at } = token
    if (token.kind === 'number') return this.#make({ kind: 'literal', at, value: this.#number(token) })
    if (token.kind === 'text') return this.#make({ kind: 'literal', at, value: this.#unquote(token) })
    if (token.kind === 'sign' && token.text === '(') {
      const inner = this.expression(depth + 1)
      this.#expect(')')
      return inner
    }
    if (token.kind === 'sign' && token.text === '[') return this.#list(at, ']', depth, (items) => ({ kind: 'array', at, items }))
    if (token.kind === 'name') return this.#named(token, depth)
    if (token.kind === 'end') throw new ExpressionError('syntax', at, 'something is missing here')
    throw new ExpressionError('syntax', at, `"${token.text}" does not belong here`)
  }

  #named(token: Token, depth: number): Term {
    const { text, at } = token
    if (text === 'true' || text === 'false') return this.#make({ kind: 'literal', at, value: text === 'true' })
    if (text === 'null') return this.#make({ kind: 'literal', at, value: null })
    if (text === 'steps' || text === 'previous') return this.#make({ kind: 'step', at, from: text, id: this.#stepName() })
    if (functionNames.has(text) && this.#take('(')) return this.#list(at, ')', depth, (args) => ({ kind: 'call', at, name: text, args }))
    const root = roots.find((name) => name === text)
    if (root) return this.#make({ kind: 'root', at, name: root })
    throw new ExpressionError(
      'syntax',
      at,
      `"${text}" is not known; there are steps, previous, input, loop, and the functions ${[...functionNames].join(', ')}`,
    )
  }

  // Which steps an expression reads must be known before it runs, so the name is never computed.
  #stepName(): string {
    if (this.#take('.')) {
      if (this.#next.kind === 'name') return this.#use().text
    } else if (this.#take('[')) {
      const token = this.#next
      if (token.kind === 'text') {
        this.#use()
        this.#expect(']')
        return this.#unquote(token)
      }
    }
    throw this.#wrong('here comes the name of a step: .name or ["name"]')
  }

  #list(at: number, close: string, depth: number, build: (items: Term[]) => Shape): Term {
    const items: Term[] = []
    if (!this.#take(close)) {
      do items.push(this.expression(depth + 1))
      while (this.#take(','))
      this.#expect(close)
    }
    return this.#make({ ...build(items), at }, ...items)
  }

  #make(shape: Shape, ...parts: readonly Term[]): Term {
    let depth = 0
    for (const part of parts) depth = Math.max(depth, part.depth + 1)
    if (depth > expressionLimits.depth) throw new ExpressionError('syntax', shape.at, 'this is nested too deeply')
    return { ...shape, depth }
  }

  #number(token: Token): number {
    const value = Number(token.text)
    if (!Number.isFinite(value)) throw new ExpressionError('syntax', token.at, 'this number is too large')
    return value
  }

  #unquote(token: Token): string {
    return token.text.slice(1, -1).replace(/\\(u[0-9a-fA-F]{4}|.)/gsu, (_, code: string) => {
      if (code.length === 5) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
      if (code === 'n') return '\n'
      if (code === 't') return '\t'
      if (code === 'r') return '\r'
      if (code === '\\' || code === "'" || code === '"') return code
      throw new ExpressionError('syntax', token.at, `"\\${code}" is not known in a text`)
    })
  }

  #take(text: string): boolean {
    if (this.#next.text !== text || (this.#next.kind !== 'sign' && this.#next.kind !== 'name')) return false
    this.#use()
    return true
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#wrong(`"${text}" is missing here`)
  }

  #use(): Token {
    const token = this.#next
    this.#end = token.end
    // Read lazily past the end of a template's tag: what follows it is not ours to judge.
    this.#next = token.kind === 'end' ? token : this.#read(token.end)
    return token
  }

  #wrong(message: string): ExpressionError {
    return new ExpressionError('syntax', this.#next.at, message)
  }

  #read(from: number): Token {
    tokenPattern.lastIndex = from
    const groups = tokenPattern.exec(this.#text)?.groups
    if (!groups) return { kind: 'end', text: '', at: skipBlank(this.#text, from), end: from }
    const end = tokenPattern.lastIndex
    if (end > this.#limit) throw new ExpressionError('syntax', this.#limit, `an expression has at most ${expressionLimits.length} characters`)
    const kind = groups.name !== undefined ? 'name' : groups.number !== undefined ? 'number' : groups.text !== undefined ? 'text' : 'sign'
    const text = groups[kind] as string // the group that matched
    return { kind, text, at: end - text.length, end }
  }
}

function skipBlank(text: string, from: number): number {
  let at = from
  while (at < text.length && text[at]?.trim() === '') at++
  return at
}

export type { Term }
export { ExpressionError, roots, expressionLimits, parseExpression, parseAt }
