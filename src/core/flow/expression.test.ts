import { describe, expect, test } from 'vitest'
import type { Json } from '../kernel/json.ts'
import { evaluate, names } from './expression.ts'
import { ExpressionError, parseExpression } from './expression-parser.ts'
import { fill, parseTemplate, templateLimits } from './template.ts'
import { pick, randomFrom, upTo } from './random.suite.ts'

const context = {
  input: { x: 3, name: 'Ann', list: [1, 2, 3], nested: { 'a b': [{ c: true }] }, nothing: null } as Json,
  steps: { fetch: { output: { rows: [{ id: 7 }], text: 'a,b,c' } }, 'two words': { output: 5 } } as Json,
  loop: { index: 1, round: 2, item: 'pear' } as Json,
}

function failure(work: () => unknown): ExpressionError {
  try {
    work()
  } catch (error) {
    if (error instanceof ExpressionError) return error
    throw error
  }
  throw new Error('It did not fail')
}

describe('an expression', () => {
  test.each<[string, Json]>([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['10 - 2 - 3', 5],
    ['-2 * -3', 6],
    ['7 % 4 + 1.5e1', 18],
    ['\'a\' + "b"', 'ab'],
    ["'it\\'s \\u00e9\\n'", "it's é\n"],
    ['steps.fetch.output.rows[0].id', 7],
    ["steps['two words'].output + 1", 6],
    ["input.nested['a b'].0.c", true],
    ['input.list[input.x - 1]', 3],
    ['loop.item', 'pear'],
    ['1 < 2 and not 2 < 1', true],
    ['not input.x == 4', true],
    ['!(input.x == 3) || true && false', false],
    ["'a' < 'b'", true],
    ['input.x > 2 ? "large" : "small"', 'large'],
    ['true ? false ? 1 : 2 : 3', 2],
    ['[1, [2], "x"]', [1, [2], 'x']],
    ['input.list == [1, 2, 3]', true],
    ['input.missing ?? "other"', 'other'],
    ['input.nothing ?? 1', 1],
    ['steps.absent.output.a.b ?? 2', 2],
    ['defined(input.x) and not defined(input.y) and not defined(steps.absent.output)', true],
    ['length("añ😀") + length(input.list) + length(input)', 11],
    ['contains(input.list, 2) and contains("abc", "bc") and contains(input, "name")', true],
    ['starts_with("abc", "ab") and ends_with("abc", "bc")', true],
    ['join(split(steps.fetch.output.text, ","), "-")', 'a-b-c'],
    ['replace("a.b.c", ".", "/")', 'a/b/c'],
    ['upper("a") + lower("B") + trim("  c ")', 'Abc'],
    ['slice([1, 2, 3, 4], 1, 3)', [2, 3]],
    ['slice("abcd", -2)', 'cd'],
    ['keys(input.nested)', ['a b']],
    ['first(input.list) + last(input.list)', 4],
    ['first([])', null],
    ['min(3, 1, 2) + max([4, 5])', 6],
    ['floor(1.7) + ceil(1.2) + round(2.5) + abs(-1)', 7],
    ['number("12") + 1', 13],
    ['text(12) + text(true) + text(null) + text([1])', '12true[1]'],
    ['json(input.nested)', '{"a b":[{"c":true}]}'],
    ['parse_json("{\\"a\\": [1]}").a[0]', 1],
    ['type(1) + type("") + type(null) + type([]) + type(input) + type(true)', 'numbertextnulllistobjectboolean'],
    ['false and input.missing', false],
    ['true or input.missing', true],
  ])('%s', (text, expected) => {
    expect(evaluate(text, context)).toEqual(expected)
  })

  test.each<[string, ExpressionError['code'], number]>([
    ['', 'syntax', 0],
    ['1 +', 'syntax', 3],
    ['1 2', 'syntax', 1],
    ['a.b', 'syntax', 0],
    ['steps', 'syntax', 5],
    ['steps[input.x]', 'syntax', 6],
    ['(1', 'syntax', 2],
    ["'open", 'syntax', 0],
    ['1 < 2 < 3', 'syntax', 6],
    ['"\\q"', 'syntax', 0],
    ['1e999', 'syntax', 0],
    ['constructor', 'syntax', 0],
    ['eval("1")', 'syntax', 0],
    ['input.missing', 'missing', 5],
    ['input.x.y', 'missing', 7],
    ['input.list[3]', 'missing', 10],
    ['input.list.length', 'missing', 10],
    ['input.constructor', 'missing', 5],
    ['input.__proto__', 'missing', 5],
    ["input['toString']", 'missing', 5],
    ["input.name['length']", 'missing', 10],
    ['1 + "a"', 'type', 2],
    ['1 and true', 'type', 0],
    ['input.x ? 1 : 2', 'type', 5],
    ['1 < "2"', 'type', 2],
    ['1 / 0', 'type', 2],
    ['length(1)', 'type', 0],
    ['length()', 'type', 0],
    ['number("")', 'type', 0],
    ['defined(1)', 'type', 0],
    ['input[true]', 'type', 6],
    ['parse_json("{")', 'type', 0],
  ])('%s is refused, and says where', (text, code, position) => {
    const error = failure(() => evaluate(text, context))
    expect([error.code, error.position]).toEqual([code, position])
    expect(error.message).toContain(`At character ${position + 1}: `)
  })

  test('tells which steps it needs, of this round and the one before', () => {
    const found = names("steps.a.output > 1 ? [steps['b c'].output] : length(previous.d.output[steps.e.output])")
    expect([...found.steps].sort()).toEqual(['a', 'b c', 'e'])
    expect([...found.previous]).toEqual(['d'])
  })

  test('sees own members only, whatever they are called', () => {
    const hostile = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}') as Json // what JSON.parse gives is Json
    expect(evaluate('input.__proto__.x + input.constructor', { input: hostile })).toBe(3)
    expect(evaluate('steps.__proto__.output ?? "none"', { steps: {} })).toBe('none')
  })
})

describe('no expression runs away', () => {
  test.each([
    ['nested brackets', `${'('.repeat(5000)}1${')'.repeat(5000)}`],
    ['nested lists', `${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['signs', `${'-'.repeat(5000)}1`],
    ['nots', `${'not '.repeat(2000)}true`],
    ['a long sum', Array.from({ length: 3000 }, () => '1').join('+')],
    ['a long path', `input${'.a'.repeat(3000)}`],
    ['ternaries', `${'true ? 1 : '.repeat(900)}1`],
    ['length', `'${'x'.repeat(20_000)}'`],
  ])('%s beyond the limits are refused', (_, text) => {
    expect(failure(() => evaluate(text, context)).code).toBe('syntax')
  })

  test('texts cannot be blown up, nor large data be walked through for ever', () => {
    const large = { input: { text: 'x'.repeat(1_000_000), list: Array.from({ length: 300_000 }, (_, at) => at) } as Json }
    const costly = [
      'input.text + input.text',
      'replace(input.text, "x", "yyyyyyyyyy")',
      'join(split(input.text, ""), "--")',
      '[input.list == input.list, input.list == input.list, input.list == input.list, input.list == input.list]',
      'text(input.list)',
    ]
    for (const text of costly) expect(failure(() => evaluate(text, large)).code, text).toBe('too_much')
  })

  test('deep data is not compared beyond the stack, and not read from text at all', () => {
    let deep: Json = []
    for (let level = 0; level < 50_000; level++) deep = [deep]
    expect(failure(() => evaluate('input == input', { input: deep })).code).toBe('type')
    expect(failure(() => evaluate('parse_json(input)', { input: '['.repeat(5000) + ']'.repeat(5000) })).code).toBe('type')
  })

  const words = [
    ...'()[].,?:+-*/%!<>=&| ',
    ...[
      'steps',
      'previous',
      'input',
      'loop',
      'and',
      'or',
      'not',
      '==',
      '!=',
      '<=',
      '??',
      '&&',
      '||',
      'true',
      'null',
      '1',
      '2.5',
      '1e9',
      '"a"',
      "'b'",
      '{{',
      '}}',
    ],
    ...[
      '.output',
      '.x',
      '[0]',
      'length(',
      'contains(',
      'split(',
      'join(',
      'defined(',
      'replace(',
      'parse_json(',
      'min(',
      '\\',
      '"',
      "'",
      '\u0000',
      '😀',
      '__proto__',
    ],
  ]

  test('random text gives a value or the one error, and both soon', () => {
    const random = randomFrom(42)
    let parsed = 0
    for (let round = 0; round < 30_000; round++) {
      const text = Array.from({ length: upTo(random, 12) }, () => pick(random, words)).join(random() < 0.5 ? ' ' : '')
      try {
        parseExpression(text)
        parsed++
        evaluate(text, context)
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error
      }
      try {
        fill({ [text]: `a ${text} {{${text}}}` }, context)
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error
      }
    }
    expect(parsed).toBeGreaterThan(500)
  })
})

describe('a template', () => {
  test('that is one tag keeps the type of the value, else it is text', () => {
    const template = {
      whole: '{{ input.list }}',
      text: 'n={{input.x}}, {{input.nothing}}{{input.list}}',
      deep: [{ a: '{{loop.index}}' }, 1, null],
      plain: 'x',
    }
    expect(fill(template, context)).toEqual({ whole: [1, 2, 3], text: 'n=3, [1,2,3]', deep: [{ a: 1 }, 1, null], plain: 'x' })
  })

  test('knows where a tag ends, and has a spelling for the braces themselves', () => {
    expect(fill("{{'}}' + '{{'}} and {{ '{{' }}", context)).toBe('}}{{ and {{')
    expect(fill('} }} { {', context)).toBe('} }} { {')
  })

  test('leaves names of members as they are, `__proto__` too, and fills nothing twice', () => {
    const template = JSON.parse('{"__proto__": "{{input.t}}", "{{input.t}}": 1}') as Json // what JSON.parse gives is Json
    const filled = fill(template, { input: { t: '{{input.secret}}' } })
    expect(JSON.stringify(filled)).toBe('{"__proto__":"{{input.secret}}","{{input.t}}":1}')
  })

  test.each(['{{', '{{input.x', '{{input.x}', '{{}}', '{{input.x extra}}', 'a {{1 +}} b'])('%s is refused', (text) => {
    expect(failure(() => parseTemplate(text)).code).toBe('syntax')
  })

  test('data that looks like a parsed template is data', () => {
    expect(fill({ kind: 'value', term: 1 }, context)).toEqual({ kind: 'value', term: 1 })
  })

  test('cannot be made to fill memory', () => {
    const input: Json = 'x'.repeat(500_000)
    const many = Array.from({ length: 100 }, () => '{{input}}')
    expect(failure(() => fill(many, { input })).code).toBe('too_much')
    expect(failure(() => fill(many.join(' '), { input })).code).toBe('too_much')
    let deep: Json = '{{input}}'
    for (let level = 0; level <= templateLimits.nesting; level++) deep = [deep]
    expect(failure(() => fill(deep, { input })).code).toBe('too_much')
  })
})
