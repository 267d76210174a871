import { createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createTokens } from './tokens.ts'

const folder = mkdtempSync(join(tmpdir(), 'capstan-tokens-'))
afterAll(() => rmSync(folder, { recursive: true }))

let now = 1_800_000_000_000
const clock = { now: () => now, after: () => ({ cancel: () => {} }) }
const tokens = createTokens({ folder, clock })
const claims = { sub: 'u1', sid: 's1', iat: 1_800_000_000, exp: 1_800_000_060 }
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a token gives its claims back until the second it expires, after a restart too', () => {
  const token = tokens.sign(claims)
  expect(createTokens({ folder, clock }).verify(token)).toEqual(claims)
  now += 60_000
  expect(tokens.verify(token)).toBeNull()
  now -= 60_000
})

test('the algorithm that a token names never chooses', () => {
  const key = readFileSync(join(folder, 'token.key'))
  const signed = (header: object, algorithm: string) => {
    const text = `${part(header)}.${part(claims)}`
    return `${text}.${createHmac(algorithm, key).update(text).digest('base64url')}`
  }
  expect(tokens.verify(signed({ alg: 'HS256', typ: 'JWT' }, 'sha256'))).toEqual(claims)
  expect(tokens.verify(signed({ alg: 'HS512', typ: 'JWT' }, 'sha512'))).toBeNull()
  expect(tokens.verify(signed({ alg: 'HS512', typ: 'JWT' }, 'sha256'))).toBeNull()
  for (const alg of ['none', 'None', 'NONE']) expect(tokens.verify(`${part({ alg, typ: 'JWT' })}.${part(claims)}.`)).toBeNull()
})

test('a changed, foreign, endless or malformed token is no token', () => {
  const token = tokens.sign(claims)
  const [head, , tail] = token.split('.')
  expect(tokens.verify(`${head}.${part({ ...claims, sub: 'root' })}.${tail}`)).toBeNull()
  const other = createTokens({ folder: join(folder, 'other'), clock })
  expect(tokens.verify(other.sign(claims))).toBeNull()
  expect(tokens.verify(tokens.sign({ ...claims, exp: Number.NaN }))).toBeNull()
  for (const text of ['', '.', '..', 'a.b.c', token.slice(1), `${token}x`, 'x'.repeat(9000)])
    expect(tokens.verify(text), text.slice(0, 40)).toBeNull()
  expect(statSync(join(folder, 'token.key')).mode & 0o777).toBe(0o600)
})
