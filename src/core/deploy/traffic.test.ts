import { expect, test } from 'vitest'
import { systemClock } from '../kernel/clock.ts'
import { Traffic } from './traffic.ts'

test('an instance that leaves takes nothing new, and is waited for until its last answer', async () => {
  const traffic = new Traffic({ clock: systemClock })
  const [first, second] = [traffic.enter('a'), traffic.enter('a')]
  let drained = false
  const end = traffic.drain('a', 60_000).then(() => {
    drained = true
  })
  expect(traffic.enter('a')).toBeNull()
  first?.()
  first?.()
  await Promise.resolve()
  expect(drained).toBe(false)
  second?.()
  await end
  expect(drained).toBe(true)
  traffic.forget('a')
  expect(traffic.enter('a')).not.toBeNull()
})

test('what never ends is waited for as long as was said, and one without traffic not at all', async () => {
  const traffic = new Traffic({ clock: systemClock })
  traffic.enter('a')
  await traffic.drain('a', 20)
  await traffic.drain('b', 60_000)
})
