import { describe, expect, test } from 'vitest'
import { isFault } from '../../core/kernel/fault.ts'
import { refusalOf } from './errors.ts'
import { parseForm } from './form.ts'

const boundary = 'XyZ'
const multipart = `multipart/form-data; boundary=${boundary}`
const part = (name: string, value: string, more = '') => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`
const closing = `--${boundary}--\r\n`

function parse(body: string | Uint8Array, type?: string): Record<string, unknown> | string {
  try {
    return Object.fromEntries(parseForm(Buffer.from(body), type))
  } catch (error) {
    if (!isFault(error)) throw error
    return refusalOf(error).code
  }
}

test('an empty body has no fields, whatever its type', () => {
  expect(parse('')).toEqual({})
  expect(parse('', 'text/plain')).toEqual({})
})

test.each([undefined, 'text/plain', 'application/xml', 'multipart/mixed; boundary=a', '', ';;'])('a body of type %s is not understood', (type) => {
  expect(parse('a=b', type)).toBe('unsupported_media_type')
})

describe('multipart/form-data', () => {
  test.each<[string, string, Record<string, unknown>]>([
    ['fields', part('branch', 'dev') + part('schedule', '') + closing, { branch: 'dev' }],
    [
      'a file',
      part('configuration', '{"a":1}', '; filename="manifest.json"\r\nContent-Type: application/json') + closing,
      { configuration: '{"a":1}' },
    ],
    ['lines inside a value', part('configuration', '{\r\n"a":1}\r\n') + closing, { configuration: '{\r\n"a":1}\r\n' }],
    ['text before the first boundary', `hello\r\n${part('a', 'b')}${closing}`, { a: 'b' }],
    ['something like the boundary in a value', part('a', `--${boundary.slice(0, 2)} --`) + closing, { a: `--${boundary.slice(0, 2)} --` }],
    ['no parts', closing, {}],
    ['a name without quotes and other letters', `--${boundary}\r\ncontent-disposition:form-data;name=a\r\n\r\nb\r\n${closing}`, { a: 'b' }],
    ['accents', part('a', 'é') + closing, { a: 'é' }],
  ])('%s', (_, body, fields) => {
    expect(parse(body, multipart)).toEqual(fields)
  })

  test.each<[string, string | Uint8Array]>([
    ['no end', part('a', 'b')],
    ['cut inside a part', part('a', 'b').slice(0, -5)],
    ['no boundary in it', 'hello'],
    ['lines that end without carriage return', part('a', 'b').replaceAll('\r', '') + closing],
    ['a part without name', `--${boundary}\r\nContent-Disposition: form-data\r\n\r\nb\r\n${closing}`],
    ['a part without headers', `--${boundary}\r\n\r\nb\r\n${closing}`],
    ['two names', `--${boundary}\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\nb\r\n${closing}`],
    ['base64', `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nYg==\r\n${closing}`],
    ['bytes that are no UTF-8', Buffer.concat([Buffer.from(part('a', '').slice(0, -2)), Buffer.from([0xff]), Buffer.from(`\r\n${closing}`)])],
    ['text behind a boundary', `--${boundary}x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n${closing}`],
    ['too many parts', part('a', 'b').repeat(101) + closing],
  ])('%s is no form', (_, body) => {
    expect(parse(body, multipart)).toBe('invalid_form')
  })

  test('a content type without boundary, or with two, is no form', () => {
    for (const type of [
      'multipart/form-data',
      'multipart/form-data; boundary=',
      'multipart/form-data; boundary=a; boundary=b',
      `multipart/form-data; boundary=${'x'.repeat(71)}`,
    ]) {
      expect(parse(part('a', 'b') + closing, type)).toBe('invalid_form')
    }
  })

  test('the same field twice is refused, also when one is empty', () => {
    expect(parse(part('a', 'b') + part('a', '') + closing, multipart)).toBe('duplicate_field')
  })
})

test('application/x-www-form-urlencoded is decoded once, strictly', () => {
  const type = 'application/x-www-form-urlencoded; charset=utf-8'
  expect(parse('branch=a%2Bb+c&name=&x', type)).toEqual({ branch: 'a+b c' })
  expect(parse('a=%zz', type)).toBe('invalid_form')
  expect(parse('a=%ff', type)).toBe('invalid_form')
  expect(parse('a=1&%61=2', type)).toBe('duplicate_field')
})

test('application/json is an object with the fields as its members', () => {
  const type = 'application/json'
  expect(parse('{"branch":"dev","name":null,"schedule":"","configuration":{"type":"job"}}', type)).toEqual({
    branch: 'dev',
    configuration: { type: 'job' },
  })
  for (const bad of ['{', '[]', '"a"', '\ufeff{}', '{"__proto__":"x"}']) expect(parse(bad, type)).toBe('invalid_form')
  // Whether a value is one that its field takes is for the route that has the field.
  expect(parse('{"other":{"a":[1]}}', type)).toEqual({ other: { a: [1] } })
  expect(parse('{"branch":"a","branch":"b"}', type)).toBe('duplicate_field')
})
