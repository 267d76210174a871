import type { Json } from '../kernel/json.ts'
import { asText, callFunction, equal, longestText, sizeOf } from './expression-functions.ts'
import type { Meter } from './expression-functions.ts'
import { ExpressionError, parseExpression } from './expression-parser.ts'
import type { Term } from './expression-parser.ts'

/**
 * What an expression may see: plain data, own members only. `steps.<id>.output` is the output of a step before it, `previous.<id>.output` that of the round
 * before in the nearest loop, `input` the run's input, `loop` the nearest loop (`index` from 0, `round` from 1, `item`, `parent`).
 * What is not there is an error where it is used; `defined(path)` and `path ?? other` ask first. A step without an output, or with null as its output, is not there.
 */
type ExpressionContext = { readonly [root in 'input' | 'loop' | 'steps' | 'previous']?: Json }

/** Which data an expression needs. */
type Names = { readonly steps: ReadonlySet<string>; readonly previous: ReadonlySet<string> }

/** How much one evaluation may do: nodes of the expression, elements, members and 64s of characters walked through. */
const evaluationSteps = 1_000_000

/** The value of an expression. Throws `ExpressionError` and nothing else; always ends soon, whatever the expression and the data are. */
function evaluate(expression: string | Term, context: ExpressionContext, budget: Budget = newBudget()): Json {
  const term = typeof expression === 'string' ? parseExpression(expression) : expression
  return new Evaluation(context, budget).value(term)
}

/** Like `evaluate`, for a condition: anything but true and false is an error, so that a misspelt rule never decides silently. */
function evaluateCondition(term: Term, context: ExpressionContext): boolean {
  const value = evaluate(term, context)
  if (typeof value !== 'boolean') throw new ExpressionError('type', term.at, 'this must be true or false')
  return value
}

/** Which step outputs an expression needs. Throws `ExpressionError` when it does not parse. */
function names(expression: string | Term): Names {
  const found = { steps: new Set<string>(), previous: new Set<string>() }
  collectNames(typeof expression === 'string' ? parseExpression(expression) : expression, found)
  return found
}

/** Adds what a term needs to `found`. */
function collectNames(term: Term, found: { steps: Set<string>; previous: Set<string> }): void {
  switch (term.kind) {
    case 'step':
      found[term.from].add(term.id)
      break
    case 'member':
      collectNames(term.of, found)
      collectNames(term.key, found)
      break
    case 'unary':
      collectNames(term.of, found)
      break
    case 'binary':
      collectNames(term.left, found)
      collectNames(term.right, found)
      break
    case 'choose':
      for (const part of [term.test, term.yes, term.no]) collectNames(part, found)
      break
    case 'array':
      for (const item of term.items) collectNames(item, found)
      break
    case 'call':
      for (const arg of term.args) collectNames(arg, found)
      break
    default: // literals and roots need no step
  }
}

/** What is left to spend. Shared by the expressions of one template. */
type Budget = { steps: number }
function newBudget(): Budget {
  return { steps: evaluationSteps }
}

/** How a value looks inside a text, at the cost of `budget`. */
function textIn(value: Json, at: number, budget: Budget): string {
  return asText(meterAt(at, budget), value)
}

/** About how many characters a value is as JSON, at the cost of `budget`. */
function sizeIn(value: Json, at: number, budget: Budget): number {
  return sizeOf(meterAt(at, budget), value)
}

function meterAt(at: number, budget: Budget): Meter {
  return {
    pay(steps) {
      budget.steps -= steps
      if (budget.steps < 0) throw new ExpressionError('too_much', at, `this takes more than ${evaluationSteps} steps; work on less data at once`)
    },
    wrong: (message) => new ExpressionError('type', at, message),
    tooLong: () => new ExpressionError('too_much', at, `this makes a text of more than ${longestText} characters`),
  }
}

/** One evaluation: the data it sees and what it may still spend. */
class Evaluation {
  readonly #context: ExpressionContext
  readonly #budget: Budget

  constructor(context: ExpressionContext, budget: Budget) {
    this.#context = context
    this.#budget = budget
  }

  value(term: Term): Json {
    this.#meter(term).pay(1)
    switch (term.kind) {
      case 'literal':
        return term.value
      case 'root':
      case 'step':
      case 'member': {
        const found = this.#look(term)
        if (found === undefined)
          throw new ExpressionError('missing', term.at, `${describe(term)} is not there; defined() and ?? ask before they use it`)
        return found
      }
      case 'unary': {
        if (term.operator === 'not') return !this.#truth(term.of)
        return -this.#number(term.of)
      }
      case 'binary':
        return this.#binary(term)
      case 'choose':
        return this.#truth(term.test) ? this.value(term.yes) : this.value(term.no)
      case 'array':
        return term.items.map((item) => this.value(item))
      case 'call':
        return this.#call(term)
    }
  }

  // Undefined is "not there"; no Json value is undefined.
  #look(term: Term): Json | undefined {
    this.#meter(term).pay(1)
    if (term.kind === 'root') return own(this.#context, term.name)
    if (term.kind === 'step') return own(own(this.#context, term.from), term.id)
    if (term.kind !== 'member') return this.value(term)
    const whole = this.#look(term.of)
    const key = this.value(term.key)
    if (typeof key !== 'string' && typeof key !== 'number') throw new ExpressionError('type', term.key.at, 'a member is named by a text or a number')
    return own(whole, key)
  }

  #binary(term: Term & { kind: 'binary' }): Json {
    const { operator } = term
    if (operator === 'and') return this.#truth(term.left) && this.#truth(term.right)
    if (operator === 'or') return this.#truth(term.left) || this.#truth(term.right)
    if (operator === '??') {
      const left = isPath(term.left) ? this.#look(term.left) : this.value(term.left)
      return left ?? this.value(term.right)
    }
    const left = this.value(term.left)
    const right = this.value(term.right)
    switch (operator) {
      case '==':
        return equal(this.#meter(term), left, right)
      case '!=':
        return !equal(this.#meter(term), left, right)
      case '<':
      case '<=':
      case '>':
      case '>=':
        return this.#compare(term, operator, left, right)
      default:
        return this.#arithmetic(term, operator, left, right)
    }
  }

  #compare(term: Term, operator: '<' | '<=' | '>' | '>=', left: Json, right: Json): boolean {
    const comparable = (typeof left === 'number' && typeof right === 'number') || (typeof left === 'string' && typeof right === 'string')
    if (!comparable) throw new ExpressionError('type', term.at, `"${operator}" compares two numbers or two texts`)
    if (operator === '<') return left < right
    if (operator === '<=') return left <= right
    return operator === '>' ? left > right : left >= right
  }

  #arithmetic(term: Term, operator: '+' | '-' | '*' | '/' | '%', left: Json, right: Json): Json {
    if (operator === '+' && typeof left === 'string' && typeof right === 'string') {
      if (left.length + right.length > longestText) throw this.#meter(term).tooLong()
      return left + right
    }
    if (typeof left !== 'number' || typeof right !== 'number') {
      throw new ExpressionError('type', term.at, operator === '+' ? '"+" takes two numbers or two texts' : `"${operator}" takes two numbers`)
    }
    const result =
      operator === '+'
        ? left + right
        : operator === '-'
          ? left - right
          : operator === '*'
            ? left * right
            : operator === '/'
              ? left / right
              : left % right
    if (!Number.isFinite(result)) throw new ExpressionError('type', term.at, 'the result is not a number that can be kept')
    return result
  }

  #call(term: Term & { kind: 'call' }): Json {
    if (term.name === 'defined') {
      const [path] = term.args
      if (!path || term.args.length !== 1 || !isPath(path))
        throw new ExpressionError('type', term.at, 'defined() takes one path, such as steps.fetch.output.id')
      return this.#look(path) !== undefined
    }
    const args = term.args.map((arg) => this.value(arg))
    return callFunction(this.#meter(term), term.name, args)
  }

  #truth(term: Term): boolean {
    const value = this.value(term)
    if (typeof value !== 'boolean') throw new ExpressionError('type', term.at, 'this must be true or false')
    return value
  }

  #number(term: Term): number {
    const value = this.value(term)
    if (typeof value !== 'number') throw new ExpressionError('type', term.at, 'this must be a number')
    return value
  }

  #meter(term: Term): Meter {
    return meterAt(term.at, this.#budget)
  }
}

function isPath(term: Term): boolean {
  return term.kind === 'member' || term.kind === 'root' || term.kind === 'step'
}

// The one place where data is opened: own members of objects and elements of lists, nothing inherited.
function own(whole: unknown, key: string | number): Json | undefined {
  if (Array.isArray(whole)) return typeof key === 'number' && Number.isInteger(key) && key >= 0 ? whole[key] : undefined
  if (typeof whole !== 'object' || whole === null || !Object.hasOwn(whole, key)) return undefined
  return (whole as Record<string | number, Json>)[key] // plain data, and the member is its own
}

function describe(term: Term): string {
  if (term.kind === 'root') return term.name
  if (term.kind === 'step') return `${term.from}[${JSON.stringify(term.id)}]`
  if (term.kind !== 'member') return 'this'
  return term.key.kind === 'literal' ? `${describe(term.of)}[${JSON.stringify(term.key.value)}]` : `a member of ${describe(term.of)}`
}

export type { ExpressionContext, Names, Budget }
export { evaluationSteps, evaluate, evaluateCondition, names, collectNames, newBudget, textIn, sizeIn }
