import { isDeepStrictEqual } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { WorkerPatterns } from '../../../adapters/patterns/patterns.ts'
import { pick, randomFrom, upTo } from '../../flow/random.suite.ts'
import { parseQuery, queryTree } from './query-parser.ts'
import { evaluateQuery } from './query.ts'
import { LanguageError } from './scope.ts'
import { spoiled } from './spoiled.suite.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Random } from '../../flow/random.suite.ts'
import type { Scope } from './scope.ts'

const patterns = new WorkerPatterns()
afterAll(() => patterns.close())

const values: JsonObject = {
  n: 5,
  f: -1.5,
  s: 'a b%a_😀',
  empty: '',
  none: null,
  yes: true,
  list: [1, 'a', null, [1], { k: 1 }],
  nothing: [],
  bare: {},
  o: { x: 1, 'y z': { k: 'a' }, 'd.t': 2 },
  same: { 'd.t': 2, 'y z': { k: 'a' }, x: 1 },
}
const scope: Scope = { root: (name) => (Object.hasOwn(values, name) ? values[name] : undefined) }

/** Every value that rules know, by how it is named. */
const variables: readonly (readonly [string, readonly string[]])[] = [
  ...Object.keys(values).map((name) => [name, [name]] as const),
  ['o.x', ['o', 'x']],
  ['[o].[y z].k', ['o', 'y z', 'k']],
  ['o.["d.t"]', ['o', 'd.t']],
  ['list.[3].[0]', ['list', '3', '0']],
  ['list.length', ['list', 'length']],
  ['o.constructor', ['o', 'constructor']],
  ['gone', ['gone']],
  ['none.x', ['none', 'x']],
]

const levels = { OR: 1, AND: 2, NOT: 3, '+': 5, '-': 5, '*': 6, '/': 6 } as const
const comparisons = '= == != > >= < <= contains like ilike starts_with ends_with CONTAINS LIKE =~ matches !~'.split(' ')
const expressions = ['a', '^a', 'b$', 'a.b', '[ab]+', '\\d', '(?i)A', 'a/b']

type Binary = { type: 'binary'; op: string; left: Tree; right: Tree }
type Tree =
  | { type: 'variable'; name: string; written: string; path: readonly string[] }
  | { type: 'literal'; value: string | number | boolean | null }
  | { type: 'regexp'; regexp: string }
  | { type: 'array'; elements: Tree[] }
  | { type: 'function'; name: string; args: Tree[] }
  | { type: 'unary'; op: 'NOT'; expr: Tree }
  | Binary

function variable(random: Random): Tree & { type: 'variable' } {
  const [written, path] = pick(random, variables)
  return { type: 'variable', name: path.join('.'), written, path }
}

const texts = ['a', 'A', 'ab', 'aab', 'aabab', 'aXbXab', '\uffff', '😀', 'a\u{10ffff}', '', '%b', 'a_b', '%ab', 'a%b%', '_', '%A%B', '__', '%a%ab']
const lists = [[], [1], [1, 2], [2, 1], [1, 2, 3], ['a'], [[1]], 'a', 1]

function leaf(random: Random, from: readonly (string | number | (string | number | number[])[])[]): Tree {
  const value = pick(random, from)
  const literal = (one: string | number | number[]): Tree =>
    Array.isArray(one) ? { type: 'array', elements: one.map(literal) } : { type: 'literal', value: one }
  return Array.isArray(value) ? { type: 'array', elements: value.map(literal) } : literal(value)
}

function tree(random: Random, depth: number): Tree {
  if (depth === 0 || random() < 0.15) {
    if (random() < 0.5) return variable(random)
    return { type: 'literal', value: pick(random, ['', 'a', 'a%', '_ %', "it's", '"q"', 'x\ny', '\\d', 0, 1, -2, 2.5, 1e21, true, false, null]) }
  }
  const next = () => tree(random, depth - 1)
  const kind = random()
  if (kind < 0.3) return { type: 'binary', op: pick(random, ['AND', 'OR']), left: next(), right: next() }
  if (kind < 0.4) return { type: 'unary', op: 'NOT', expr: next() }
  if (kind < 0.5) return { type: 'binary', op: pick(random, ['+', '-', '*', '/']), left: next(), right: next() }
  if (kind < 0.8) {
    const op = pick(random, comparisons)
    const right: Tree = ['=~', 'matches', '!~'].includes(op) ? { type: 'regexp', regexp: pick(random, expressions) } : next()
    // What is compared by chance is seldom alike: half of the time both are of a kind.
    const alike = pick(random, [texts, texts, lists, null, null])
    if (alike) return { type: 'binary', op, left: leaf(random, alike), right: right.type === 'regexp' ? right : leaf(random, alike) }
    return { type: 'binary', op, left: next(), right }
  }
  if (kind < 0.88) return { type: 'array', elements: Array.from({ length: upTo(random, 3) }, next) }
  const name = pick(random, ['length', 'is_defined', 'if_error'])
  if (name === 'is_defined') return { type: 'function', name, args: [variable(random)] }
  return { type: 'function', name, args: name === 'length' || random() < 0.5 ? [next()] : [next(), next()] }
}

const isComparison = (op: string) => comparisons.includes(op)
const levelOf = (node: Tree) =>
  node.type === 'unary' ? levels.NOT : node.type === 'binary' ? (isComparison(node.op) ? 4 : levels[node.op as keyof typeof levels]) : 7

/** The rule with no more brackets than it needs, and blanks as chance has it. */
function written(node: Tree, random: Random, least = 1): string {
  const blank = () => pick(random, ['', ' ', '\n\t', '  '])
  if (levelOf(node) < least) return `(${blank()}${written(node, random)}${blank()})`
  const word = (text: string) => (random() < 0.5 ? text.toUpperCase() : text.toLowerCase())
  switch (node.type) {
    case 'variable':
      return `{{${blank()}${node.written}${blank()}}}`
    case 'regexp':
      return `/${node.regexp.replaceAll('/', '\\/')}/`
    case 'array':
      return `[${node.elements.map((element) => `${blank()}${written(element, random)}`).join(`${blank()},`)}]`
    case 'function':
      return `${word(node.name)}${blank()}(${node.args.map((arg) => written(arg, random)).join(', ')})`
    case 'unary':
      return `${word('not')} ${written(node.expr, random, levels.NOT)}`
    case 'literal': {
      if (typeof node.value !== 'string') return JSON.stringify(node.value)
      const quote = pick(random, ['"', "'"])
      return quote + node.value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll(quote, `\\${quote}`) + quote
    }
    default: {
      const level = levelOf(node)
      const [left, right] = level <= 2 ? [level + 1, level] : level === 4 ? [5, 5] : [level, level + 1]
      const logical = node.op === 'AND' ? pick(random, ['and', 'AND', '&&']) : node.op === 'OR' ? pick(random, ['or', 'OR', '||']) : node.op
      const around = /\w/.test(logical) ? ' ' : blank()
      return `${written(node.left, random, left)}${around}${logical}${around}${written(node.right, random, right)}`
    }
  }
}

const shown = (node: Tree): Json => {
  if (node.type === 'variable') return { type: node.type, name: node.name }
  if (node.type === 'array') return { type: node.type, elements: node.elements.map(shown) }
  if (node.type === 'function') return { type: node.type, name: node.name, args: node.args.map(shown) }
  if (node.type === 'unary') return { type: node.type, op: node.op, expr: shown(node.expr) }
  return node.type === 'binary' ? { type: node.type, op: node.op, left: shown(node.left), right: shown(node.right) } : node
}

class Untold extends Error {}
const untold = (): never => {
  throw new Untold()
}

const found = (path: readonly string[]): Json | undefined =>
  path.reduce<Json | undefined>(
    (value, name) =>
      Array.isArray(value)
        ? /^\d+$/.test(name)
          ? value[Number(name)]
          : undefined
        : value !== null && typeof value === 'object' && Object.hasOwn(value, name)
          ? value[name]
          : undefined,
    values,
  )
const holds = (value: Json) =>
  !(value === null || value === false || value === 0 || value === '' || isDeepStrictEqual(value, []) || isDeepStrictEqual(value, {}))
const text = (value: Json) => (value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value))
const scalar = (value: Json) => (value !== null && typeof value === 'object' ? untold() : text(value))

/** What a rule means, from §12.2 and nothing of ours. */
function meant(node: Tree): Json {
  switch (node.type) {
    case 'literal':
      return node.value
    case 'regexp':
      return node.regexp
    case 'variable':
      return found(node.path) ?? (found(node.path) === null ? null : untold())
    case 'array':
      return node.elements.map(meant)
    case 'unary':
      return !holds(meant(node.expr))
    case 'function': {
      const [first, second] = node.args as [Tree, Tree?]
      if (node.name === 'is_defined') return first.type === 'variable' && found(first.path) !== undefined
      if (node.name === 'length') {
        const value = meant(first)
        return typeof value === 'string'
          ? Array.from(value).length
          : value !== null && typeof value === 'object'
            ? Object.keys(value).length
            : untold()
      }
      try {
        return meant(first)
      } catch {
        return second ? meant(second) : null
      }
    }
    default:
      return meantOf(node)
  }
}

function meantOf({ op, left, right }: Binary): Json {
  if (op === 'AND') return holds(meant(left)) ? holds(meant(right)) : false
  if (op === 'OR') return holds(meant(left)) ? true : holds(meant(right))
  const [a, b] = [meant(left), meant(right)]
  const number = (value: Json) => (typeof value === 'number' ? value : untold())
  const finite = (value: number) => (Number.isFinite(value) ? value : untold())
  const points = (value: string) => Array.from(value, (character) => (character.codePointAt(0) ?? 0).toString(16).padStart(6, '0')).join('')
  const sign = () =>
    typeof a === 'number' && typeof b === 'number'
      ? a - b
      : typeof a === 'string' && typeof b === 'string'
        ? points(a).localeCompare(points(b), 'en')
        : untold()
  const like = (flags: string) => {
    const pattern = Array.from(scalar(b), (one) => (one === '%' ? '.*' : one === '_' ? '.' : one.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))).join('')
    return new RegExp(`^(?:${pattern})$`, `su${flags}`).test(scalar(a))
  }
  const matches = () => new RegExp(String(b).replace('(?i)', ''), String(b).includes('(?i)') ? 'i' : '').test(text(a))
  switch (op.toLowerCase()) {
    case '=':
    case '==':
      return isDeepStrictEqual(a, b)
    case '!=':
      return !isDeepStrictEqual(a, b)
    case '<':
      return sign() < 0
    case '<=':
      return sign() <= 0
    case '>':
      return sign() > 0
    case '>=':
      return sign() >= 0
    case 'contains':
      return Array.isArray(a)
        ? a.some((one) => isDeepStrictEqual(one, b))
        : typeof a === 'string'
          ? a.split(scalar(b)).length > 1 || scalar(b) === ''
          : untold()
    case 'like':
      return like('')
    case 'ilike':
      return like('i')
    case 'starts_with':
      return scalar(a).slice(0, scalar(b).length) === scalar(b)
    case 'ends_with':
      return scalar(a).slice(Math.max(scalar(a).length - scalar(b).length, 0)) === scalar(b)
    case '=~':
    case 'matches':
      return matches()
    case '!~':
      return !matches()
    case '+':
      return finite(number(a) + number(b))
    case '-':
      return finite(number(a) - number(b))
    case '*':
      return finite(number(a) * number(b))
    default:
      return finite(number(a) / number(b))
  }
}

describe('rules made by chance', () => {
  const rules = Array.from({ length: 4_000 }, (_, seed) => {
    const random = randomFrom(seed + 1)
    const node = tree(random, 1 + (seed % 4))
    return { node, text: written(node, random) }
  })

  test('have the tree that they were written from', () => {
    for (const { node, text } of rules) expect(queryTree(parseQuery(text)), text).toEqual(shown(node))
  })

  test('mean what the contract says, or cannot be told where it says so', async () => {
    const seen = { told: 0, untold: 0 }
    for (const { node, text } of rules) {
      let want: { value: Json } | null = null
      try {
        want = { value: meant(node) }
      } catch (error) {
        expect(error).toBeInstanceOf(Untold)
      }
      const value = evaluateQuery(parseQuery(text), scope, patterns)
      if (want) expect(await value, text).toEqual(want.value)
      else await expect(value, text).rejects.toThrow(LanguageError)
      seen[want ? 'told' : 'untold']++
    }
    // Chance that tells nothing tests nothing.
    expect(Math.min(seen.told, seen.untold)).toBeGreaterThan(500)
  })

  test('of every operator on values of every kind mean what the contract says', async () => {
    const value = (of: string | number | boolean | null): Tree => ({ type: 'literal', value: of })
    const named = (name: string): Tree => ({ type: 'variable', name, written: name, path: [name] })
    const all = [...texts.map(value), ...[0, 1, -1.5, true, false, null].map(value), ...Object.keys(values).map(named), named('gone')]
    const ops = [...comparisons.filter((op) => !['=~', 'matches', '!~'].includes(op)), '+', '-', '*', '/', 'AND', 'OR']
    for (const op of ops) {
      for (const left of all) {
        for (const right of all) {
          const node: Tree = { type: 'binary', op, left, right }
          const text = written(node, randomFrom(1))
          const known = await evaluateQuery(parseQuery(text), scope, patterns).catch((error: unknown) => error)
          try {
            expect(known, text).toEqual(meant(node))
          } catch (error) {
            if (!(error instanceof Untold)) throw error
            expect(known, text).toBeInstanceOf(LanguageError)
          }
        }
      }
    }
  })

  test('and spoiled afterwards parse, or say where they do not', () => {
    for (const [seed, { text }] of rules.entries()) {
      const bad = spoiled(text, randomFrom(seed))
      try {
        parseQuery(bad)
      } catch (error) {
        expect(error, bad).toBeInstanceOf(LanguageError)
        const { position } = error as LanguageError
        if (position !== null) expect(position >= 0 && position <= bad.length, bad).toBe(true)
      }
    }
  })
})
