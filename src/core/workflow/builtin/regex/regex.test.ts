import { afterAll, expect, test } from 'vitest'
import { WorkerPatterns } from '../../../../adapters/patterns/patterns.ts'
import { callTest, failureOf } from '../testing/call.ts'
import type { JsonObject } from '../../../kernel/json.ts'

const patterns = new WorkerPatterns()
afterAll(() => patterns.close())
const services = { patterns }

test.each<readonly [string, JsonObject, JsonObject]>([
  [
    'match',
    { text: 'ann@lab, bob@web', pattern: '(?P<user>\\w+)@(\\w+)(x)?' },
    {
      found: true,
      matches: [
        { match: 'ann@lab', start: 0, groups: ['ann', 'lab', ''], named: { user: 'ann' } },
        { match: 'bob@web', start: 9, groups: ['bob', 'web', ''], named: { user: 'bob' } },
      ],
      count: 2,
    },
  ],
  ['match', { text: '😀A', pattern: 'a', ignore_case: true }, { found: true, matches: [{ match: 'A', start: 2, groups: [], named: {} }], count: 1 }],
  ['match', { text: 'aaa', pattern: 'a', limit: 1 }, { found: true, matches: [{ match: 'a', start: 0, groups: [], named: {} }], count: 1 }],
  ['match', { text: 'abc', pattern: 'x' }, { found: false, matches: [], count: 0 }],
  [
    'replace',
    { text: 'ann bob', pattern: '(?P<first>\\w)(\\w+)', replace_with: '\u0024{first}.$2$$1 [$0]' },
    { text: 'a.nn$1 [ann] b.ob$1 [bob]', count: 2 },
  ],
  ['replace', { text: 'abc', pattern: 'x*', replace_with: '-' }, { text: '-a-b-c-', count: 4 }],
  ['replace', { text: 'aaa', pattern: 'a', replace_with: '', limit: 2 }, { text: 'a', count: 2 }],
  ['split', { text: 'a, b;c', pattern: '[,;]\\s*' }, { items: ['a', 'b', 'c'], count: 3 }],
  ['split', { text: ',a,', pattern: ',', skip_empty: true }, { items: ['a'], count: 1 }],
  ['split', { text: 'abc', pattern: '' }, { items: ['a', 'b', 'c'], count: 3 }],
])('%s %j', async (action, input, output) => {
  expect(await callTest('regex', action, input, { services })).toEqual(output)
})

test.each<readonly [string, JsonObject, RegExp]>([
  ['match', { text: 'a', pattern: '(' }, /The pattern was refused/],
  ['match', { text: 'a', pattern: '(a)\\1' }, /The pattern was refused/],
  ['match', { text: 'a'.repeat(1_100_000), pattern: 'a' }, /at most 1048576 bytes/],
  ['replace', { text: 'a', pattern: 'a', replace_with: '$7' }, /no group 7/],
  ['replace', { text: 'a'.repeat(200), pattern: 'a', replace_with: 'x'.repeat(100_000) }, /would become larger than 10 MiB/],
])('%s refuses %#', async (action, input, message) => {
  expect(await failureOf('regex', action, input, { services })).toMatch(message)
})

test('a pattern that explodes elsewhere is over in no time', async () => {
  const input = { text: `${'a'.repeat(5_000)}b`, pattern: '(a+)+$' }
  expect(await callTest('regex', 'match', input, { services })).toMatchObject({ found: false })
})
