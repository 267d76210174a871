import { expect, test } from 'vitest'
import { callTest, failureOf } from './testing/call.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'

type Row = readonly [action: string, input: JsonObject, output: JsonObject]

const rows: readonly Row[] = [
  ['string.split', { text: 'a,b,,c' }, { items: ['a', 'b', '', 'c'], count: 4 }],
  ['string.split', { text: 'a--b--c', separator: '--', limit: 2 }, { items: ['a', 'b--c'], count: 2 }],
  ['string.split', { text: 'aü😀', separator: '' }, { items: ['a', 'ü', '😀'], count: 3 }],
  ['string.join', { items: ['a', 1, null, { b: 2 }], separator: ' ' }, { text: 'a 1  {"b":2}' }],
  ['string.replace', { text: 'aXbXc', find: 'X', replace_with: '$&' }, { text: 'a$&b$&c', count: 2 }],
  ['string.replace', { text: 'aaa', find: 'a', count: 2 }, { text: 'a', count: 2 }],
  ['string.upper', { text: 'straße' }, { text: 'STRASSE' }],
  ['string.lower', { text: 'ÄB' }, { text: 'äb' }],
  ['string.trim', { text: ' \t a b \u00a0\n' }, { text: 'a b' }],
  ['string.trim', { text: '--a-b--', characters: '-', side: 'start' }, { text: 'a-b--' }],
  ['string.trim', { text: '😀x😀', characters: '😀' }, { text: 'x' }],
  ['string.substring', { text: 'a😀bc', start: 1, length: 2 }, { text: '😀b' }],
  ['string.substring', { text: 'a😀bc', start: -3 }, { text: '😀bc' }],
  ['string.substring', { text: 'abc', start: 9, length: 2 }, { text: '' }],
  ['string.length', { text: 'ä😀\nx\n' }, { characters: 5, bytes: 9, lines: 2 }],
  [
    'string.format',
    { format: '{n} of {host.name} {0} {"a": 1}', values: { n: 2, host: { name: 'web' }, '0': 'x' } },
    { text: '2 of web x {"a": 1}' },
  ],
  ['json.parse', { text: ' [1, {"a": null}] ' }, { value: [1, { a: null }] }],
  ['json.stringify', { object: { a: [1] } }, { text: '{"a":[1]}' }],
  ['json.stringify', { object: { a: 1 }, indent: 2 }, { text: '{\n  "a": 1\n}' }],
  ['json.stringify_array', { array: [1, 'a'] }, { text: '[1,"a"]' }],
  ['json.get', { object: { a: [{ 'b.c': 5 }] }, path: 'a.0.[b.c]' }, { found: true, value: 5 }],
  ['json.get', { object: { a: [{ b: 5 }] }, path: 'a[0].b' }, { found: true, value: 5 }],
  ['json.get', { object: {}, path: 'constructor.name' }, { found: false }],
  ['json.get', { object: { a: 'text' }, path: 'a.length' }, { found: false }],
  ['json.merge', { objects: [{ a: 1, b: { c: 1 } }, { b: { d: 2 } }] }, { object: { a: 1, b: { d: 2 } } }],
  ['json.merge', { objects: [{ b: { c: 1 } }, { b: { d: 2 } }], deep: true }, { object: { b: { c: 1, d: 2 } } }],
  [
    'json.merge',
    { objects: [{ a: { x: 1 } }, { a: 2, b: { y: 1 } }, { a: { z: 3 }, b: { y: { w: 1 } } }, { a: { q: 4 } }], deep: true },
    { object: { a: { z: 3, q: 4 }, b: { y: { w: 1 } } } },
  ],
  [
    'array.group',
    { array: [{ k: 'a', n: 1 }, { k: 'b' }, { k: 'a' }, {}], path: 'k' },
    {
      groups: [
        { key: 'a', items: [{ k: 'a', n: 1 }, { k: 'a' }], count: 2 },
        { key: 'b', items: [{ k: 'b' }], count: 1 },
        { key: '', items: [{}], count: 1 },
      ],
      count: 3,
    },
  ],
  ['array.sum', { array: [{ n: 1 }, { n: '2.5' }, {}, { n: -3 }], path: 'n' }, { sum: 0.5, count: 3, average: 0.5 / 3, smallest: -3, largest: 2.5 }],
  ['array.sum', { array: [] }, { sum: 0, count: 0 }],
  ['string.encode_url', { text: 'a/b ü&\ud800' }, { text: 'a%2Fb%20%C3%BC%26%EF%BF%BD' }],
  ['string.decode_url', { text: 'a%2Fb+%C3%BC', plus: true }, { text: 'a/b ü' }],
  ['string.decode_url', { text: 'a+b' }, { text: 'a+b' }],
  ['string.escape_html', { text: `<a href="x">'&amp;` }, { text: '&#60;a href=&#34;x&#34;&#62;&#39;&#38;amp;' }],
  ['json.keys', { object: { b: 1, a: [2] } }, { keys: ['b', 'a'], values: [1, [2]], count: 2 }],
  ['array.map', { array: [{ a: { b: 1 } }, {}, 7], path: 'a.b' }, { items: [1, null, null], count: 3 }],
  ['array.map', { array: [{ a: 1 }, {}], path: 'a', skip_missing: true }, { items: [1], count: 1 }],
  ['array.pick', { array: [{ a: 1, b: 2 }, { b: 3 }], members: ['a', 'toString'] }, { items: [{ a: 1 }, {}], count: 2 }],
  [
    'array.filter',
    { array: [{ n: 5 }, { n: 10 }], path: 'n', operator: 'greater', value: '9' },
    { items: [{ n: 10 }], others: [{ n: 5 }], count: 1 },
  ],
  ['array.filter', { array: ['Ab', 'cd'], operator: 'starts_with', value: 'a', ignore_case: true }, { items: ['Ab'], others: ['cd'], count: 1 }],
  ['array.filter', { array: [1, '1', 'x'], operator: 'equals', value: '1' }, { items: [1, '1'], others: ['x'], count: 2 }],
  ['array.filter', { array: [['a'], ['b']], operator: 'contains', value: 'b' }, { items: [['b']], others: [['a']], count: 1 }],
  ['array.filter', { array: ['', null, {}, 0], operator: 'empty' }, { items: ['', null, {}], others: [0], count: 3 }],
  ['array.filter', { array: [{ a: 1 }, {}], path: 'a', operator: 'exists' }, { items: [{ a: 1 }], others: [{}], count: 1 }],
  ['array.sort', { array: [10, 'b', null, 9, 'a'] }, { items: [9, 10, 'a', 'b', null] }],
  ['array.sort', { array: [{ n: 1 }, { n: 3 }, {}], path: 'n', descending: true }, { items: [{ n: 3 }, { n: 1 }, {}] }],
  ['array.unique', { array: [{ a: 1, b: 2 }, { b: 2, a: 1 }, 1, '1'] }, { items: [{ a: 1, b: 2 }, 1, '1'], count: 3 }],
  [
    'array.unique',
    {
      array: [
        { a: 1, b: 1 },
        { a: 1, b: 2 },
      ],
      path: 'a',
    },
    { items: [{ a: 1, b: 1 }], count: 1 },
  ],
  ['array.flatten', { array: [1, [2, [3]]] }, { items: [1, 2, [3]], count: 3 }],
  ['array.flatten', { array: [1, [2, [3]]], depth: 2 }, { items: [1, 2, 3], count: 3 }],
  ['array.chunk', { array: [1, 2, 3], size: 2 }, { chunks: [[1, 2], [3]], count: 2 }],
  ['array.count', { array: [1, 2] }, { count: 2 }],
  ['array.item', { array: ['a', 'b'], index: -1 }, { found: true, item: 'b' }],
  ['array.item', { array: [] }, { found: false }],
  ['hash.md5', { text: '' }, { hex: 'd41d8cd98f00b204e9800998ecf8427e', base64: '1B2M2Y8AsgTpgAmY7PhCfg==' }],
  ['hash.sha1', { text: 'YWJj', encoding: 'base64' }, { hex: 'a9993e364706816aba3e25717850c26c9cd0d89d', base64: 'qZk+NkcGgWq6PiVxeFDCbJzQ2J0=' }],
  [
    'hash.sha256',
    { text: 'abc' },
    { hex: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', base64: 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=' },
  ],
  [
    'hash.hmac',
    { text: 'what do ya want for nothing?', key: 'Jefe' },
    { hex: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', base64: 'W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=' },
  ],
  ['base64.encode', { text: '~ü?' }, { data: 'fsO8Pw==' }],
  ['base64.encode', { text: '~ü?>', url_safe: true }, { data: 'fsO8Pz4' }],
  ['base64.decode', { data: 'fsO8\r\nPw' }, { text: '~ü?', size: 4 }],
  ['base64.decode', { data: '_w==', invalid_text: 'replace' }, { text: '\ufffd', size: 1 }],
  ['csv.parse', { csv: 'a,b\r\n1,"x, ""y""\r\nz"\r\n' }, { rows: [{ a: '1', b: 'x, "y"\r\nz' }], columns: ['a', 'b'], count: 1 }],
  [
    'csv.parse',
    { csv: '\ufeffa;b\n;', separator: ';', header: false },
    {
      rows: [
        ['a', 'b'],
        ['', ''],
      ],
      columns: [],
      count: 2,
    },
  ],
  ['csv.parse', { csv: 'a\n""\n\nx', header: false }, { rows: [['a'], [''], [''], ['x']], columns: [], count: 4 }],
  [
    'csv.parse',
    { csv: 'a,b\n1,2\n\n3,4\n\n', header: false },
    {
      rows: [
        ['a', 'b'],
        ['1', '2'],
        ['3', '4'],
      ],
      columns: [],
      count: 3,
    },
  ],
  ['csv.parse', { csv: 'a,b,c\n1\n', short_rows: 'fill' }, { rows: [{ a: '1', b: '', c: '' }], columns: ['a', 'b', 'c'], count: 1 }],
  ['csv.parse', { csv: '' }, { rows: [], columns: [], count: 0 }],
  ['csv.parse', { csv: '__proto__,b\n1,2' }, { rows: [JSON.parse('{"__proto__":"1","b":"2"}')], columns: ['__proto__', 'b'], count: 1 }],
  [
    'csv.make',
    {
      rows: [
        { a: 1, b: 'x,"y"' },
        { a: null, c: true },
      ],
    },
    { csv: 'a,b,c\r\n1,"x,""y""",\r\n,,true\r\n', count: 2 },
  ],
  ['csv.make', { rows: [['a', ''], ['']], header: false, separator: ';' }, { csv: 'a;\r\n""\r\n', count: 2 }],
]

test.each(rows.map((row) => [`${row[0]} ${JSON.stringify(row[1]).slice(0, 60)}`, row] as const))('%s', async (_, [name, input, output]) => {
  const [plugin = '', action = ''] = name.split('.')
  expect(await callTest(plugin, action, input)).toEqual(output)
})

const refusals: readonly (readonly [action: string, input: JsonObject, message: RegExp])[] = [
  ['string.split', { text: 5 }, /The input "text" must be of type string/],
  ['string.split', {}, /The input "text" is required/],
  ['string.trim', { text: '', side: 'left' }, /must be one of both, start, end/],
  ['string.replace', { text: 'a', find: '' }, /nothing to find/],
  ['string.format', { format: '{a.b}', values: { a: {} } }, /no value for "\{a\.b\}"/],
  ['string.format', { format: '{constructor}', values: {} }, /no value/],
  ['json.parse', { text: '{"a":}' }, /not JSON/],
  ['json.parse', { text: '['.repeat(100) + ']'.repeat(100) }, /nests deeper than 64/],
  ['json.get', { object: {}, path: 'a..b' }, /cannot be read at character 3/],
  ['json.get', { object: {}, path: 'a.' }, /cannot be read/],
  ['json.get', { object: {}, path: 'a[b' }, /cannot be read at character 2/],
  ['json.merge', { objects: [{}, 'x'] }, /"objects.1" must be of type object/],
  ['array.sum', { array: [1, 'two'] }, /Element 1 has no number there, but two/],
  ['string.decode_url', { text: '50%' }, /a "%" that is not followed/],
  ['array.chunk', { array: [1], size: 0 }, /1 or more/],
  ['array.flatten', { array: [], depth: 99 }, /from 1 to 10/],
  ['hash.sha512', { text: 'a', encoding: 'hex' }, /must be one of/],
  ['base64.decode', { data: 'a' }, /not Base64/],
  ['base64.decode', { data: 'ab*c' }, /not Base64/],
  ['base64.decode', { data: '/w==' }, /no UTF-8/],
  ['csv.parse', { csv: 'a,b\n1' }, /Row 2 has 1 fields, and the first one 2/],
  ['csv.parse', { csv: 'a,b\n\n1,2,3', short_rows: 'fill' }, /Row 3 has 3 fields, and the first one 2/],
  ['csv.parse', { csv: 'a\n"x' }, /Line 2: a quote is not closed/],
  ['csv.parse', { csv: 'a\nx"y' }, /Line 2: a quote inside/],
  ['csv.parse', { csv: '"a"b' }, /Line 1: something stands behind/],
  ['csv.parse', { csv: 'a,a\n1,2' }, /Two columns are called "a"/],
  ['csv.make', { rows: ['x'] }, /Row 1 is neither/],
  ['csv.make', { rows: [], separator: '"' }, /one character/],
]

test.each(refusals)('%s refuses %j', async (name, input, message) => {
  const [plugin = '', action = ''] = name.split('.')
  const said = await failureOf(plugin, action, input)
  expect(said).toMatch(message)
  expect(said).toMatch(/^ActionFailed: /)
})

test('what a small input could blow up to ends at a bound', async () => {
  const big = 'x'.repeat(1_000_000)
  expect(await failureOf('string', 'replace', { text: 'a'.repeat(100_000), find: 'a', replace_with: big })).toMatch(/would become larger than 10 MiB/)
  expect(await failureOf('string', 'format', { format: '{a}'.repeat(100_000), values: { a: big } })).toMatch(/would become larger than 10 MiB/)
  expect(await failureOf('string', 'split', { text: ','.repeat(200_000) })).toMatch(/at most 100000 elements/)
  expect(await failureOf('csv', 'parse', { csv: `${big}\n${'1\n'.repeat(50_000)}` })).toMatch(/rows would be larger than 32 MiB/)
  expect(await failureOf('json', 'stringify', { object: { a: big.repeat(11) } })).toMatch(/input is larger/)
})

test('members named like those of a prototype stay data and reach nothing', async () => {
  const hostile = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as JsonObject // it is an object
  const { object } = await callTest('json', 'merge', { objects: [{}, hostile, hostile], deep: true })
  expect(JSON.stringify(object)).toBe(JSON.stringify(hostile))
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
})

test('work grows with an input and not with its square', async () => {
  const objects = Array.from({ length: 100_000 }, (_, index) => ({ [`k${index}`]: { [`m${index}`]: 1 } }))
  const { object } = await callTest('json', 'merge', { objects: [...objects, ...objects], deep: true })
  expect(Object.keys(object as JsonObject)).toHaveLength(100_000)
  const { text } = await callTest('date', 'format', { time: '2024-07-01T00:00:00Z', pattern: '%z'.repeat(300_000), zone: 'Europe/Berlin' })
  expect(String(text)).toHaveLength(5 * 300_000)
  let deep: Json = Array.from({ length: 500_000 }, () => 1)
  for (let level = 0; level < 60; level++) deep = [deep]
  expect(await failureOf('json', 'stringify_array', { array: deep as Json[], indent: 10 })).toMatch(/would become larger than 10 MiB/)
  const wide = Array.from({ length: 10_000 }, (_, index) => ({ [`k${index}`]: 1 }))
  expect(await failureOf('csv', 'make', { rows: wide })).toMatch(/would become larger than 10 MiB/)
}, 20_000)
