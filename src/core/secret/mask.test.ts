import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { formsOf } from './forms.ts'
import { createMasker } from './mask.ts'

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))
const text = (list: Uint8Array[]) => Buffer.concat(list).toString('latin1')
const whole = (values: string[], input: string) => {
  const masker = createMasker(values)
  return text([masker.push(bytes(input)), masker.flush()])
}

test('a value is replaced, and everything else is left as it is, byte by byte', () => {
  expect(whole(['hunter22'], 'the password is hunter22, really hunter2')).toBe('the password is ***, really hunter2')
  const noise = randomBytes(4096).toString('latin1')
  expect(whole(['hunter22'], noise)).toBe(noise)
  expect(whole([], noise)).toBe(noise)
  expect(whole(['hunter22'], `${noise}hunter22${noise}`)).toBe(`${noise}***${noise}`)
})

test('values shorter than four bytes are not masked', () => {
  expect(whole(['abc', ''], 'abc')).toBe('abc')
  expect(whole(['abcd'], 'abcd')).toBe('***')
})

test('overlapping and touching occurrences become one mark', () => {
  expect(whole(['abcd', 'cdef'], 'xabcdefx')).toBe('x***x')
  expect(whole(['abcd'], 'abcdabcd')).toBe('***')
  expect(whole(['abcd', 'abcdefgh'], 'abcdefg')).toBe('***efg')
})

test.each(['s3cr3t/+value?&', 'p"a\\s\ts', 'grüße-und-küsse', '🔑 with space', 'ab%cd'])('%s does not show in any usual spelling', (value) => {
  const plain = Buffer.from(value)
  const spellings = [
    value,
    plain.toString('hex'),
    plain.toString('hex').toUpperCase(),
    plain.toString('base64'),
    plain.toString('base64url'),
    encodeURIComponent(value),
    encodeURIComponent(value).toLowerCase() === encodeURIComponent(value)
      ? value
      : encodeURIComponent(value).replace(/%../g, (code) => code.toLowerCase()),
    new URLSearchParams({ v: value }).toString().slice(2),
    JSON.stringify(value).slice(1, -1),
    JSON.stringify(JSON.stringify(value)).slice(3, -3),
  ]
  for (const spelling of spellings) {
    const input = Buffer.from(`[${spelling}]`).toString('latin1')
    expect(whole([value], input), spelling).toBe('[***]')
  }
})

test('base64 of a longer text around a value shows at most the characters that the neighbours share', () => {
  const value = 'correct-horse-battery'
  for (const before of ['', 'a', 'ab', 'abc', 'user:'])
    for (const after of ['', 'z', 'yz', 'xyz'])
      for (const encoding of ['base64', 'base64url'] as const) {
        const masked = whole([value], Buffer.from(before + value + after).toString(encoding))
        expect(masked, before + after).toContain('***')
        const left = Buffer.from(masked.replace('***', ''), 'base64').toString('latin1')
        for (let at = 0; at + 3 <= value.length; at++) expect(left).not.toContain(value.slice(at, at + 3))
      }
})

test('each line of a longer value is masked where it stands alone', () => {
  const value = '-----BEGIN KEY-----\nAAAABBBBCCCC\nDDDDEEEEFFFF\n-----END KEY-----\n'
  expect(whole([value], '| AAAABBBBCCCC |')).toBe('| *** |')
  expect(whole([value], `x${value.trim()}y`)).toBe('x***y')
})

test('a value of many kilobytes is covered whole, and little is held back', () => {
  const value = randomBytes(30_000).toString('base64')
  expect(whole([value], `<${value}>`)).toBe('<***>')
  const masker = createMasker([value])
  const out = masker.push(bytes(`<${value}`))
  expect(text([out])).toBe('<***')
})

// What must come out, written down as plainly as it can be: mark each byte of each occurrence, then replace the rows.
function reference(values: string[], input: string): string {
  const covered = new Uint8Array(input.length)
  for (const form of values.flatMap(formsOf)) {
    const wanted = Buffer.from(form).toString('latin1')
    for (let at = input.indexOf(wanted); at >= 0; at = input.indexOf(wanted, at + 1)) covered.fill(1, at, at + wanted.length)
  }
  let out = ''
  for (let at = 0; at < input.length; at++) {
    if (!covered[at]) out += input[at]
    else if (at === 0 || !covered[at - 1]) out += '***'
  }
  return out
}

test('what comes out is the same however the stream is cut, and the same as the plain definition', () => {
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    return (seed >> 8) % below
  }
  const word = (letters: string, length: number) => Array.from({ length }, () => letters[random(letters.length)]).join('')
  for (let round = 0; round < 400; round++) {
    // Two letters and repetition make overlaps likely.
    const values = Array.from({ length: 1 + random(4) }, () => word('ab', 4 + random(6)))
    const input = Array.from({ length: 1 + random(30) }, () => (random(3) === 0 ? values[random(values.length)] : word('abc61=', random(9)))).join('')
    const expected = reference(values, input)
    const masker = createMasker(values)
    const out: Uint8Array[] = []
    for (let at = 0; at < input.length; ) {
      const size = random(5)
      out.push(masker.push(bytes(input.slice(at, at + size))))
      at += size
    }
    out.push(masker.flush())
    expect(text(out), JSON.stringify({ values, input })).toBe(expected)
    expect(whole(values, input)).toBe(expected)
    expect(masker.text(input)).toBe(expected)
  }
})

test('only what could be the beginning of a value is held back', () => {
  const masker = createMasker(['abcdef'])
  expect(text([masker.push(bytes('xxabc'))])).toBe('xx')
  expect(text([masker.push(bytes('x'))])).toBe('abcx')
  expect(text([masker.push(bytes('zzabcde'))])).toBe('zz')
  expect(text([masker.flush()])).toBe('abcde')
  expect(text([masker.push(bytes('f'))])).toBe('f')
})

test('hostile input costs linear time: a mebibyte of repeated beginnings', () => {
  const value = `${'a'.repeat(500)}b`
  const start = performance.now()
  const out = whole([value, 'a'.repeat(400)], 'a'.repeat(1 << 20))
  expect(out).toBe('***')
  // A quadratic search would take minutes.
  expect(performance.now() - start).toBeLessThan(5000)
})

test('a whole text is masked as a stream of it is, whatever its length', () => {
  const masker = createMasker(['abab', 'grüße', 'cdcdcd'])
  const streamed = (input: string) => Buffer.concat([masker.push(Buffer.from(input)), masker.flush()]).toString()
  for (let round = 0; round < 2000; round++) {
    const letters = [...randomBytes(round % 20)].map((byte) => ['a', 'b', 'c', 'd', 'ü', 'grüße'][byte % 6])
    const input = letters.join('')
    expect(masker.text(input)).toBe(streamed(input))
  }
  for (const length of [2047, 2048, 2049, 10_000]) expect(masker.text(`${'x'.repeat(length)}abab`)).toBe(`${'x'.repeat(length)}***`)
  expect(masker.text('\ud800')).toBe('\ufffd')
  expect(createMasker([]).text('ab\ud800')).toBe('ab\ufffd')
})
