import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { jsonError } from './json-error.ts'
import { parseBody } from './body.ts'
import { bytesRepr, str } from './python.ts'

const broken = [
  '',
  ' ',
  'hello',
  '{',
  '[',
  '{"a"',
  '{"a":',
  '{"a":1',
  '{"a":1,',
  '{"a":1,}',
  '{a:1}',
  "{'a':1}",
  '[1',
  '[1,',
  '[1,]',
  '[1 2]',
  '{"a" 1}',
  '{"a":1 "b":2}',
  '"abc',
  '"a\nb"',
  '"a\\',
  '"a\\x"',
  '"a\\u12"',
  '"\\u12g4"',
  '"\\u1234',
  '"\\u12345',
  '"\\u',
  '1 2',
  '{} {}',
  '01',
  '-',
  '+1',
  '.5',
  '1.',
  'nul',
  'nullx',
  'True',
  '\n\n  {\n "a": ?\n}',
  '["😀", ?]',
  '[[[[[',
  '{"a":[1,{"b":]}',
  '"\u0001"',
  '[1,2}',
  '{"a":1]',
]

const known: readonly [string, string][] = [
  ['hello', 'Expecting value: line 1 column 1 (char 0)'],
  ['{a:1}', 'Expecting property name enclosed in double quotes: line 1 column 2 (char 1)'],
  ['{"a":1', "Expecting ',' delimiter: line 1 column 7 (char 6)"],
  ['\n {"a" 1}', "Expecting ':' delimiter: line 2 column 7 (char 7)"],
  ['"abc', 'Unterminated string starting at: line 1 column 1 (char 0)'],
  ['1 2', 'Extra data: line 1 column 3 (char 2)'],
]

test.each(known)('%j is broken in the words that clients know', (text, message) => {
  expect(jsonError(text)).toBe(message)
})

function python(): string | null {
  try {
    return execFileSync('python3', ['--version']).toString()
  } catch {
    return null
  }
}

// Newer ones have other words for a comma too many.
const version = /3\.(\d+)/.exec(python() ?? '')?.[1]
const comparable = version !== undefined && Number(version) < 13

test.skipIf(!comparable)('every broken text is described as the originals describe it', () => {
  const script = `
import json, sys
def why(text):
    try:
        json.loads(text)
        return None
    except ValueError as error:
        return str(error)
texts = json.load(sys.stdin)
print(json.dumps([why(text) for text in texts]))`
  const theirs = JSON.parse(execFileSync('python3', ['-c', script], { input: JSON.stringify(broken) }).toString()) as string[]
  expect(broken.map(jsonError)).toEqual(theirs)
})

test.skipIf(!comparable)('bytes and values are written as the originals write them', () => {
  const bodies = [Buffer.from('hello'), Buffer.from('it\'s "x"'), Buffer.from("it's"), Buffer.from([0, 9, 10, 13, 31, 32, 92, 127, 128, 255])]
  const values = [null, true, false, 1, 'a', ['a', "b'c", 'd"e\'f', null], { a: [1, { b: 'x\ny' }] }]
  const script = `
import json, sys, base64
given = json.load(sys.stdin)
print(json.dumps([[repr(base64.b64decode(body)) for body in given[0]], [str(value) for value in given[1]]]))`
  const input = JSON.stringify([bodies.map((body) => body.toString('base64')), values])
  const [reprs, texts] = JSON.parse(execFileSync('python3', ['-c', script], { input }).toString()) as [string[], string[]]
  expect(bodies.map(bytesRepr)).toEqual(reprs)
  expect(values.map(str)).toEqual(texts)
})

test.skipIf(!comparable)('bytes that are no text are described as the originals describe them', () => {
  const bodies = [
    [0x22, 0xff, 0x22, 0x20],
    [0x22, 0xc3, 0x22, 0x20],
    [0x22, 0x20, 0x20, 0xe2, 0x82],
    [0x22, 0xe0, 0x80, 0x80],
    [0x22, 0xe2, 0x82, 0x22, 0x22],
    [0x22, 0xf0, 0x9f, 0x98],
    [0x22, 0x20, 0x20, 0xe2],
    [0x22, 0xf4, 0x90, 0x80, 0x80],
    [0x22, 0x80, 0x20, 0x20],
  ].map((bytes) => Buffer.from(bytes))
  const script = `
import json, sys, base64
def why(body):
    try:
        json.loads(body)
    except ValueError as error:
        return str(error)
print(json.dumps([why(base64.b64decode(body)) for body in json.load(sys.stdin)]))`
  const input = JSON.stringify(bodies.map((body) => body.toString('base64')))
  const theirs = JSON.parse(execFileSync('python3', ['-c', script], { input }).toString()) as string[]
  const ours = bodies.map((body) => {
    const parsed = parseBody(body)
    return 'error' in parsed ? parsed.error.replace(/^JSON parse error ERR:(.*) RAW:.*$/s, '$1') : ''
  })
  expect(ours).toEqual(theirs)
})

test('what nests without end, or is long, is answered at once', () => {
  const began = performance.now()
  expect(parseBody(Buffer.from('['.repeat(200_000)))).toHaveProperty('error')
  expect(parseBody(Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)))).toHaveProperty('error')
  expect(parseBody(Buffer.from(`{"a":"${'x'.repeat(1_000_000)}`))).toHaveProperty('error')
  expect(parseBody(Buffer.from(`[${'1,'.repeat(300_000)}`))).toHaveProperty('error')
  expect(performance.now() - began).toBeLessThan(5000)
})
