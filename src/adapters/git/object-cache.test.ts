import { expect, test } from 'vitest'
import { createObjectCache } from './object-cache.ts'

test('what was used last stays within the bytes that are allowed', () => {
  const cache = createObjectCache({ largest: 10_000 })
  for (let n = 0; n < 20; n++) {
    cache.put('/r', `blob ${n}`, n, 800)
    expect(cache.get('/r', 'blob 0')).toBe(0)
  }
  const kept = Array.from({ length: 20 }, (_, n) => n).filter((n) => cache.get('/r', `blob ${n}`) !== undefined)
  expect(kept).toEqual([0, ...Array.from({ length: 9 }, (_, n) => n + 11)])
})

test('one large thing is not kept at the cost of all others, and a repository is forgotten alone', () => {
  const cache = createObjectCache({ largest: 10_000 })
  cache.put('/r', 'blob small', 'small', 10)
  cache.put('/r2', 'blob small', 'other', 10)
  cache.put('/r', 'blob large', 'large', 9000)
  expect(cache.get('/r', 'blob large')).toBeUndefined()
  expect(cache.get('/r', 'blob small')).toBe('small')
  cache.forget('/r')
  expect(cache.get('/r', 'blob small')).toBeUndefined()
  expect(cache.get('/r2', 'blob small')).toBe('other')
})
