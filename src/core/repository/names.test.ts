import { describe, expect, test } from 'vitest'
import { isFault } from '../kernel/fault.ts'
import { checkPath, lastSegment, longestPath, parentPath, segmentProblem } from './names.ts'

const settings = { reservedSegments: new Set(['api', 'v1']) }
const takes = (path: string): boolean => {
  try {
    checkPath(path, 'repository', settings)
    return true
  } catch (error) {
    if (isFault(error, 'invalid_name')) return false
    throw error
  }
}

describe('names of repositories and groups (Kallithea contract §12.7, §15 D7)', () => {
  const good = [
    'weather',
    'lab/weather',
    'a/b/c',
    'Größe',
    'погода',
    '天気',
    'a.b',
    'a_b',
    'a-b',
    '1',
    'x.git',
    'lab/_a1',
    '__',
    'rm_x',
    'lab/_admins',
    'lab/api',
    'LAB',
    'e\u0301',
  ]
  test.each(good)('%j is taken', (path) => expect(takes(path)).toBe(true))

  const hostile = [
    '',
    '/',
    '/x',
    'x/',
    'a//b',
    '.',
    '..',
    '../x',
    'lab/../x',
    'lab/.hidden',
    'lab/-x',
    'lab/x-',
    'lab/a--b',
    '--upload-pack=x',
    '_admin/x',
    'lab/_admin',
    'lab/rm__x',
    'lab/_12',
    '_0',
  ]
  const blanks = [
    'lab/a b',
    'lab/a\nb',
    'lab/a\0b',
    'lab/a\tb',
    'lab/a\u00a0b',
    'lab/a\u202eb',
    'lab/a\u200bb',
    'lab/a\u2800',
    'lab/a\ufeff',
    'lab/\u3164',
    'lab/\ud800',
    'lab/a\u0085b',
    'lab/a\ufe0fb',
    'lab/a\u{e0041}',
  ]
  const shell = [
    'lab/$(id)',
    'lab/`id`',
    'lab/a;b',
    'lab/a|b',
    'lab/a?b',
    'lab/a#b',
    'lab/a%2fb',
    'lab/a\\b',
    'lab/a:b',
    'lab/a&amp;b',
    'lab/<b>',
    'lab/a*b',
    'lab/~x',
    "lab/a'b",
    'lab/a"b',
    'lab/a,b',
    'lab/a@b',
    'lab/a+b',
  ]
  test.each([...hostile, ...blanks, ...shell])('%j is refused', (path) => expect(takes(path)).toBe(false))

  test('a first segment that a route uses is refused, further down it is free', () => {
    expect([takes('api'), takes('api/x'), takes('v1/x'), takes('x/v1')]).toEqual([false, false, false, true])
  })

  test('a path that reads as an id is refused: it could never be looked up by name', () => {
    expect([takes('01990000-0000-7000-8000-000000000000'), takes('x/01990000-0000-7000-8000-000000000000')]).toEqual([false, true])
  })

  test('the full path has at most 255 bytes, counted as UTF-8', () => {
    expect(takes('x'.repeat(longestPath))).toBe(true)
    expect(takes('x'.repeat(longestPath + 1))).toBe(false)
    expect(takes('ж'.repeat(longestPath / 2 + 1))).toBe(false)
  })

  test('whatever is thrown at it, what passes holds no character that means anything to a shell, an address or a terminal', () => {
    const alphabet = ['a', 'B', '9', '_', '.', '-', '/', ' ', '%', '\\', '\0', '\n', '\u202e', '\u200d', '$', '`', 'é', '漢', '~', ':', '#', '?']
    let state = 20260101
    const random = (below: number) => (state = (state * 48271) % 2147483647) % below
    let passed = 0
    for (let round = 0; round < 20_000; round++) {
      const path = Array.from({ length: 1 + random(8) }, () => alphabet[random(alphabet.length)]).join('')
      if (!takes(path)) continue
      passed++
      expect(path).toMatch(/^(?!.*(\/\/|--|\/-|-\/|-$))[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]*(\/[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]*)*$/u)
      expect(path.split('/').some((segment) => /^_\d+$/.test(segment))).toBe(false)
    }
    expect(passed).toBeGreaterThan(500)
  })

  test('a refusal says why, and names what was refused without control characters', () => {
    expect(segmentProblem('a b')).toContain('blank')
    try {
      checkPath('lab/a\u202eb', 'repository', settings)
    } catch (error) {
      expect(String(error)).not.toContain('\u202e')
      return
    }
    throw new Error('taken')
  })

  test('the group of a path is everything before its last slash', () => {
    expect([parentPath('x'), parentPath('a/x'), parentPath('a/b/x'), parentPath('/x')]).toEqual([undefined, 'a', 'a/b', undefined])
    expect([lastSegment('x'), lastSegment('a/b/x')]).toEqual(['x', 'x'])
  })
})
