import { afterAll, describe, expect, test } from 'vitest'
import { WorkerPatterns } from '../../../adapters/patterns/patterns.ts'
import { pick, randomFrom, upTo } from '../../flow/random.suite.ts'
import { parseQuery, queryPatterns, queryTree, queryVariables } from './query-parser.ts'
import { evaluateQuery, queryHolds } from './query.ts'
import { LanguageError } from './scope.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Scope } from './scope.ts'

const patterns = new WorkerPatterns()
afterAll(() => patterns.close())

const values: JsonObject = {
  a: { n: 5, s: 'hello world', list: [1, 'two', { three: 3 }], none: null, empty: {}, list0: [] },
  'My step': { $success: true },
}
const scope: Scope = { root: (name) => (Object.hasOwn(values, name) ? values[name] : undefined) }
const value = (text: string) => evaluateQuery(parseQuery(text), scope, patterns)

describe('a rule', () => {
  test.each([
    ['{{a.n}} = 5', true],
    ['{{a.n}}==5', true],
    ['{{a.n}} = "5"', false],
    ['{{a.n}} != 6', true],
    ['{{a.n}}>=5 and {{a.n}}<6', true],
    ['"b" > "a"', true],
    ['{{[My step].[$success]}}=true', true],
    ['{{a.s}} contains "lo w"', true],
    ['{{a.list}} CONTAINS "two"', true],
    ['{{a.list}} contains {{a.n}}', false],
    ['[1,"two",[]] contains []', true],
    ['{{a.s}} =~ /^hel+o/', true],
    ['{{a.s}} MATCHES "w.rld$"', true],
    ['{{a.s}} !~ /^w/', true],
    ['{{a.s}} like "hello%"', true],
    ['{{a.s}} like "hello"', false],
    ['{{a.s}} like "hell_ w%d"', true],
    ['{{a.s}} ilike "HELLO W%"', true],
    ['{{a.s}} starts_with "hello" && {{a.s}} ends_with \'world\'', true],
    ['length({{a.list}})>0', true],
    ['length("häßl") = 4', true],
    ['length({{a.empty}}) = 0', true],
    ['is_defined({{a.none}})', true],
    ['is_defined({{a.other}}) AND {{a.other}} > 1', false],
    ['is_defined({{a.other}}) || {{a.n}} > 1', true],
    ['not {{a.none}}', true],
    ['NOT NOT {{a.n}}', true],
    ['{{a.none}} or {{a.empty}} or {{a.list0}} or 0 or ""', false],
    ['"text"', true],
    ['{{a.n}} + 2 * 3 = 11', true],
    ['({{a.n}} + 2) * 3 = 21', true],
    ['10 - 2 - 3 = 5', true],
    ['{{a.n}}-1 = 4', true],
    ['if_error(1/0, 7) = 7', true],
    ['if_error({{a.gone}}) = null', true],
    ['{{a.list}} = [1, "two", {{a.list.[2]}}]', true],
    ['{{a.list.[2].three}} = 3', true],
    ['{{a.s}} =~ /o\\/w|o w/', true],
    ['"a\\"b" = \'a"b\'', true],
    ['true or {{a.gone}}', true],
  ])('%s is %s', async (text, expected) => {
    expect(await queryHolds(parseQuery(text), scope, patterns)).toBe(expected)
  })

  test.each([
    ['{{a.gone}} = 1', "The variable a.gone wasn't defined"],
    ['{{a.constructor}} = 1', "The variable a.constructor wasn't defined"],
    ['{{__proto__}}', "The variable __proto__ wasn't defined"],
    ['1/0', 'division by zero'],
    ['{{a.n}} > "4"', 'is not defined for a number and a string'],
    ['"1" + 1', 'is not defined for a string and a number'],
    ['length(5)', 'is not defined for a number'],
    ['{{a.empty}} contains "x"', 'is not defined for an object'],
    ['{{a.s}} =~ "["', 'the pattern cannot be used'],
    ['{{a.s}} =~ 5', 'a pattern is expected'],
  ])('%s cannot be told: %s', async (text, message) => {
    await expect(value(text)).rejects.toThrow(message)
    await expect(value(text)).rejects.toThrow(LanguageError)
  })

  test.each([
    ['{{a}} =', 'ends too early', 7],
    ['{{a}} = 1 2', 'not expected', 10],
    ['(1 = 1', '")" is missing', 0],
    ['{{a', '"}}" is missing', 0],
    ['"abc', 'not closed', 0],
    ['/abc', 'not closed', 0],
    ['abc = 1', 'is not known', 0],
    ['length(1, 2)', 'takes 1 argument', 0],
    ['is_defined(1)', 'takes a variable', 0],
    ['and', 'is not known', 0],
    [`${'('.repeat(300)}1${')'.repeat(300)}`, 'nested deeper', 201],
    ['1'.repeat(70_000), 'at most 65536', null],
  ])('%s does not parse, and says where', (text, message, position) => {
    let caught: unknown
    try {
      parseQuery(text)
    } catch (error) {
      caught = error
    }
    expect(caught).toBeInstanceOf(LanguageError)
    expect((caught as LanguageError).message).toContain(message)
    expect((caught as LanguageError).position).toBe(position)
  })

  test('has the tree that files keep: chains lean to the right, AND binds tighter, words are normalised and signs are not', () => {
    expect(queryTree(parseQuery('{{[a].[b c].$d}} = 1 or true && not false OR "x" =~ /y\\/z/'))).toEqual({
      type: 'binary',
      op: 'OR',
      left: { type: 'binary', op: '=', left: { type: 'variable', name: 'a.b c.$d' }, right: { type: 'literal', value: 1 } },
      right: {
        type: 'binary',
        op: 'OR',
        left: {
          type: 'binary',
          op: 'AND',
          left: { type: 'literal', value: true },
          right: { type: 'unary', op: 'NOT', expr: { type: 'literal', value: false } },
        },
        right: { type: 'binary', op: '=~', left: { type: 'literal', value: 'x' }, right: { type: 'regexp', regexp: 'y/z' } },
      },
    })
    expect(queryTree(parseQuery('length([1, null]) == 2'))).toEqual({
      type: 'binary',
      op: '==',
      left: {
        type: 'function',
        name: 'length',
        args: [
          {
            type: 'array',
            elements: [
              { type: 'literal', value: 1 },
              { type: 'literal', value: null },
            ],
          },
        ],
      },
      right: { type: 'literal', value: 2 },
    })
  })

  test('tells its variables and patterns', () => {
    const node = parseQuery('is_defined({{a.b}}) and ({{c}} =~ /x/ or not [{{d}}] = 1)')
    expect(queryVariables(node).map(({ name }) => name)).toEqual(['a.b', 'c', 'd'])
    expect(queryPatterns(node)).toEqual(['x'])
  })

  test('ends by its count of steps where its data is too large to compare', async () => {
    const wide: Scope = { root: (name) => (name === 'text' ? 'a'.repeat(3000) : Array.from({ length: 3000 }, (_, at) => at)) }
    const run = (text: string) => evaluateQuery(parseQuery(text), wide, patterns, 10_000)
    const lists = '{{list}}, {{list}}, {{list}}, {{list}}'
    await expect(run(`[${lists}] = [${lists.replaceAll('list', 'other')}]`)).rejects.toThrow('more steps')
    const large: JsonObject = Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [`k${at}`, at]))
    const sides: Scope = { root: (name) => (name === 'large' ? large : Array.from({ length: 50_000 }, (_, id) => ({ id }))) }
    expect(await evaluateQuery(parseQuery('{{many}} contains {{large}}'), sides, patterns)).toBe(false)
    await expect(evaluateQuery(parseQuery('[{{large}}, {{large}}] contains {{many.[0]}}'), sides, patterns, 10_000)).rejects.toThrow('more steps')
    await expect(run(`{{text}} like "%${'a'.repeat(100)}b"`)).rejects.toThrow('more steps')
    await expect(run(`if_error({{text}} like "%${'a'.repeat(100)}b", true)`)).rejects.toThrow('more steps')
  })

  test('goes through chains however long they are, and has them as trees that lean as they should', async () => {
    const many = (op: string, member: string, length = 4_000) => Array.from({ length }, () => member).join(op)
    expect(await value(`${many('+', '1')} = 4000`)).toBe(true)
    expect(await value(many(' or ', 'false'))).toBe(false)
    expect(await value(`${many(' and ', 'true')} and {{a.n}} = 5`)).toBe(true)
    expect(await value(`${many(' or ', 'false')} or 1 = 1 or {{a.gone}}`)).toBe(true)
    expect(queryVariables(parseQuery(many(' or ', '{{a.n}} = 1', 2_000)))).toHaveLength(2_000)
    expect(() => parseQuery(many(' or ', '1 = 1 and 2 = 2', 3_000))).toThrow('too many parts')
  })

  test('looks for a text in time that grows with its length, though both were made to take long', async () => {
    const texts: Scope = { root: (name) => (name === 'text' ? 'a'.repeat(2_000_000) : `${'a'.repeat(500_000)}b${'a'.repeat(500_000)}`) }
    expect(await evaluateQuery(parseQuery('{{text}} contains {{part}}'), texts, patterns)).toBe(false)
  })

  test('of random tokens either has a value or says why it has none', async () => {
    const tokens = [
      '{{a.n}}',
      '{{a.gone}}',
      '(',
      ')',
      '[',
      ']',
      ',',
      ' and ',
      ' OR ',
      'not ',
      '=',
      '!=',
      '>',
      '=~',
      ' like ',
      '/x/',
      '"y"',
      '1',
      '+',
      '-',
      'length',
      'if_error',
      '{{',
      '}}',
      'null',
    ]
    for (let seed = 1; seed <= 2_000; seed++) {
      const random = randomFrom(seed)
      const text = Array.from({ length: 1 + upTo(random, 20) }, () => pick(random, tokens)).join('')
      try {
        expect(await value(text)).not.toBe(undefined)
      } catch (error) {
        expect(error, text).toBeInstanceOf(LanguageError)
      }
    }
  })
})
