import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

test('work of one name goes one after the other, also after some that failed, and other names go on beside it', async () => {
  const turns = new Turns()
  const seen: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = turns.take('a', async () => {
    seen.push('first')
    await gate.promise
    throw new Error('no')
  })
  const second = turns.take('a', async () => seen.push('second'))
  await turns.take('b', async () => seen.push('other'))
  expect(seen).toEqual(['first', 'other'])
  gate.resolve()
  await expect(first).rejects.toThrow('no')
  await second
  expect(seen).toEqual(['first', 'other', 'second'])
  await expect.poll(() => turns.size).toBe(0)
})
