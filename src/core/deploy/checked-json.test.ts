import { expect, test } from 'vitest'
import { checkedText, readCheckedJson } from './checked-json.ts'

const read = (text: string) => readCheckedJson(text, { depth: 8 })

test('what JSON.parse reads without doubt is read the same', () => {
  for (const text of [
    '{}',
    '[]',
    ' {"a": [1, -2.5e3, true, false, null, "x\\u00e9\\n"]} ',
    '"text"',
    '0',
    '{"a":{"b":{"c":[[]]}}}',
    '{"":1}',
    '{"a" : "b" }',
  ]) {
    expect(read(text)).toEqual({ value: JSON.parse(text), problems: [] })
  }
})

test('what JSON.parse refuses is refused, with line and column', () => {
  const broken = [
    '',
    ' ',
    '{',
    '[',
    '{"a"}',
    '{"a":}',
    '[1,]',
    '{"a":1,}',
    "{'a':1}",
    '01',
    '+1',
    '.5',
    '1.',
    'NaN',
    'nul',
    '"a',
    '"\t"',
    '"\\x"',
    '{} x',
    '[1 2]',
  ]
  for (const text of broken) {
    expect(() => JSON.parse(text), text).toThrow()
    expect(read(text).value, text).toBeUndefined()
    expect(read(text).problems, text).toHaveLength(1)
  }
  expect(read('{\n  "a": 1,\n  "b" 2\n}').problems[0]?.message).toContain('line 3, column 7')
})

test('a member that is given twice is a problem with its place, at any depth and in any escape', () => {
  expect(read('{"a":1,"b":{"c":[{"x":1,"\\u0078":2}]}}').problems).toMatchObject([{ path: '/b/c/0/x', code: 'duplicate', severity: 'error' }])
  expect(read('{"a/b":1,"a/b":2}').problems[0]?.path).toBe('/a~1b')
})

test('a member named __proto__ changes no prototype and is a problem; constructor is an ordinary member', () => {
  const { value, problems } = read('{"__proto__":{"admin":true},"constructor":1}')
  expect(problems).toMatchObject([{ path: '/__proto__', code: 'member' }])
  expect((value as { admin?: boolean }).admin).toBeUndefined()
  expect(Object.keys(value as object)).toEqual(['constructor'])
})

test('nesting has a bound, so that no text can exhaust the stack', () => {
  expect(read('[[[[[[[[1]]]]]]]]').problems).toEqual([])
  expect(read(`${'['.repeat(9)}1`).problems[0]?.message).toContain('deeper than 8')
  expect(readCheckedJson('['.repeat(1_000_000), { depth: 32 }).value).toBeUndefined()
})

test('half a character and a number beyond all numbers are problems', () => {
  expect(read('["\\ud800"]').problems).toMatchObject([{ path: '/0', code: 'encoding' }])
  expect(read('{"n":1e999}').problems).toMatchObject([{ path: '/n', code: 'number' }])
})

test('bytes must be plain UTF-8: no byte order mark, nothing overlong or cut', () => {
  expect(checkedText(Buffer.from('{}'))).toEqual({ text: '{}' })
  expect(checkedText(Buffer.from('\ufeff{}'))).toMatchObject({ problem: { code: 'encoding' } })
  for (const bytes of [
    [0x7b, 0xff],
    [0xc0, 0xaf],
    [0xe2, 0x82],
    [0xed, 0xa0, 0x80],
  ]) {
    expect(checkedText(Uint8Array.from(bytes))).toMatchObject({ problem: { code: 'encoding' } })
  }
})
