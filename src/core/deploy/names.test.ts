import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { checkedName, derivedName, givenName, nameLimits } from './names.ts'
import { isSystemNamespace } from '../access/namespace.ts'
import type { NameKind } from './names.ts'

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

test('a given name is lower-cased and its separators become hyphens; it is never trimmed or cut', () => {
  expect(givenName('Quick_Start', 'job')).toBe('quick-start')
  expect(givenName('a.b c_d', 'namespace')).toBe('a-b-c-d')
  for (const bad of ['', '-a', 'a-', '_a', ' a', 'a ', 'ä', 'a/b', 'a\n', 'a\0', 'K'.replace('K', '\u212a'), 'a'.repeat(64)])
    expect(givenName(bad, 'job'), bad).toBeNull()
})

test('a cron job has 52 characters, a service begins with a letter', () => {
  expect(givenName('a'.repeat(52), 'cronjob')).toBe('a'.repeat(52))
  expect(givenName('a'.repeat(53), 'cronjob')).toBeNull()
  expect(givenName('1a', 'service')).toBeNull()
  expect(givenName('1a', 'deployment')).toBe('1a')
})

test('a derived name drops what does not fit, and is cut with a hash of the whole', () => {
  expect(derivedName('--Quick (Start)!_1--', 'namespace')).toBe('quick-start-1')
  expect(derivedName('!!!', 'namespace')).toBeNull()
  const long = 'x'.repeat(80)
  const digest = createHash('sha256').update(long).digest('hex').slice(0, 8)
  expect(derivedName(long, 'namespace')).toBe(`${'x'.repeat(54)}-${digest}`)
})

test('whatever text comes, a name is a label within its limit or there is none, and both rules are stable', () => {
  const alphabet = ['a', 'Z', '9', '-', '_', '.', ' ', '/', 'é', '\u0130', '\u212a', '\0', '\n', '💥', 'ß', '😀']
  let seed = 12345
  const next = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return seed % below
  }
  for (let round = 0; round < 4000; round++) {
    const text = Array.from({ length: next(90) }, () => alphabet[next(alphabet.length)]).join('')
    for (const kind of Object.keys(nameLimits) as NameKind[]) {
      for (const rule of [givenName, derivedName]) {
        const name = rule(text, kind)
        if (name === null) continue
        expect(name).toMatch(label)
        expect(name.length).toBeLessThanOrEqual(nameLimits[kind])
        expect(rule(name, kind)).toBe(name)
      }
    }
  }
})

test('a wrong name is refused with the member that it came in', () => {
  expect(() => checkedName('no/way', 'job', 'name')).toThrow(expect.objectContaining({ code: 'invalid_name', details: { field: 'name' } }))
})

test('the platform keeps its own namespaces', () => {
  expect(['default', 'kube-system', 'kube-'].map(isSystemNamespace)).toEqual([true, true, true])
  expect(['defaults', 'kube', 'my-kube-x'].map(isSystemNamespace)).toEqual([false, false, false])
})
