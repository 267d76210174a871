import { afterAll, describe, expect, test } from 'vitest'
import { PatternRefused } from '../../ports/patterns.ts'
import { WorkerPatterns } from './patterns.ts'

describe('patterns of users', () => {
  const patterns = new WorkerPatterns()
  afterAll(() => patterns.close())
  const plain = { ignoreCase: false }

  test('are found anywhere in the text, in the case that is written unless it is to be ignored', async () => {
    expect(await patterns.test('b+c', 'abbbcd', plain)).toBe(true)
    expect(await patterns.test('B+C', 'abbbcd', plain)).toBe(false)
    expect(await patterns.test('B+C', 'abbbcd', { ignoreCase: true })).toBe(true)
    expect(await patterns.test('^b', 'abbbcd', plain)).toBe(false)
  })

  test('give the groups of the first match, or of all', async () => {
    const pattern = '(?P<key>\\w+)=(?P<value>\\w*)(?P<odd>!)?'
    expect(await patterns.capture(pattern, 'a=1 b=2!', { ignoreCase: false, all: false })).toEqual(
      new Map([
        ['key', ['a']],
        ['value', ['1']],
      ]),
    )
    expect(await patterns.capture(pattern, 'a=1 b=2!', { ignoreCase: false, all: true })).toEqual(
      new Map([
        ['key', ['a', 'b']],
        ['value', ['1', '2']],
        ['odd', ['!']],
      ]),
    )
    expect(await patterns.capture(pattern, 'nothing', { ignoreCase: false, all: true })).toBeNull()
  })

  test('that do not parse are refused with a reason, and the next one is matched', async () => {
    expect(await patterns.check('a(b')).toMatch(/missing closing \)/)
    expect(await patterns.check('(?<=a)b')).toMatch(/cannot be used/)
    expect(await patterns.check('a(b)')).toBeNull()
    await expect(patterns.test('[', 'x', plain)).rejects.toThrow(PatternRefused)
    expect(await patterns.test('x', 'x', plain)).toBe(true)
  })

  test('and texts that are too long are refused before they are tried', async () => {
    await expect(patterns.test('a'.repeat(4097), 'a', plain)).rejects.toThrow('4096 bytes')
    await expect(patterns.test('a', 'a'.repeat(1024 * 1024 + 1), plain)).rejects.toThrow('1048576 bytes')
  })

  test('that explode elsewhere are linear here', async () => {
    expect(await patterns.test('^(a+)+$', `${'a'.repeat(50_000)}!`, plain)).toBe(false)
  })

  test('on small texts wait for none that take long on large ones', async () => {
    const several = new WorkerPatterns()
    await several.test('a', 'a', plain)
    const done: string[] = []
    const slow = Array.from({ length: 6 }, () =>
      several.capture('(?P<all>(([a-c]|[a-d]|[a-e])+)+[x-z])', 'a'.repeat(1024 * 1024), { ignoreCase: false, all: true }),
    )
    const all = Promise.allSettled(slow.map((each) => each.finally(() => done.push('slow'))))
    // Small, and made to take long all the same: it is matched among the slow ones.
    const hidden = several.test('(a?){900}(a|b){900}[xy]', 'ab'.repeat(30_000), plain).catch(() => null)
    expect(await several.test('b', 'abc', plain)).toBe(true)
    done.push('quick')
    await hidden
    await all
    expect(done[0]).toBe('quick')
    await several.close()
  })

  test('that take too long end with their thread, and those that wait behind are matched', async () => {
    const hasty = new WorkerPatterns({ timeMs: 20 })
    const slow = hasty.capture('(?P<all>(([a-c]|[a-d]|[a-e])+)+[x-z])', 'a'.repeat(1024 * 1024), { ignoreCase: false, all: true })
    const next = hasty.test('a', 'a'.repeat(100_000), plain)
    await expect(slow).rejects.toThrow(/longer than 20 ms/)
    expect(await next).toBe(true)
    await hasty.close()
    await expect(hasty.test('a', 'a', plain)).rejects.toThrow('the server stops')
  })
})
