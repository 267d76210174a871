import { describe, expect, test } from 'vitest'
import { textFinder } from './find-text.ts'

describe('a text in another', () => {
  test('is found where the platform finds it, from anywhere on, for parts short and long', () => {
    for (let seed = 1; seed <= 2_000; seed++) {
      const letters = (length: number, salt: number) =>
        Array.from({ length }, (_, at) => 'ab'[(Math.imul(seed * 31 + salt, at + 7) >>> 5) & 1 & (at % (2 + (seed % 5)))]).join('')
      const text = letters(300, 1) + letters(40, 2)
      const part = seed % 2 === 0 ? text.slice(seed % 200, (seed % 200) + 20 + (seed % 90)) : letters(30 + (seed % 40), 3)
      for (const from of [0, 1, 17, 339, 400]) expect(textFinder(part)(text, from), `${part} in ${text}`).toBe(text.indexOf(part, from))
    }
    expect(textFinder('')('abc', 2)).toBe(2)
  })

  test('is looked for in time that grows with the lengths, though both were made to take long', () => {
    // The search of the platform takes minutes for these two.
    const text = 'a'.repeat(4_000_000)
    expect(textFinder(`${'a'.repeat(1_000_000)}b${'a'.repeat(1_000_000)}`)(text)).toBe(-1)
  })
})
