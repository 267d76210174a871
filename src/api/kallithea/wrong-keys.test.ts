import { expect, test } from 'vitest'
import { manualClock } from '../../../test/support/clock.ts'
import { until } from '../../../test/support/until.ts'
import { isFault } from '../../core/kernel/fault.ts'
import { WrongKeys } from './wrong-keys.ts'

const wrong = () => Promise.resolve(null)
const right = () => Promise.resolve('ann')

function lab() {
  const clock = manualClock()
  const keys = new WrongKeys({ clock, stopping: new AbortController().signal })
  /** How long one wrong key of an address is held up. */
  const heldFor = async (address: string): Promise<number> => {
    const began = clock.now()
    let over = false
    const answer = keys.guard(address, wrong).finally(() => {
      over = true
    })
    await until('the refusal is under way', () => clock.planned > 0)
    while (!over) {
      clock.advance(1)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await answer).toBeNull()
    return clock.now() - began
  }
  return { clock, keys, heldFor }
}

test('a wrong key is answered after the same time whatever is wrong with it, and later and later when there are many', async () => {
  const { heldFor } = lab()
  const times: number[] = []
  for (let n = 0; n < 60; n++) times.push(await heldFor('192.0.2.1'))
  expect(new Set(times.slice(0, 20)).size).toBe(1)
  expect(times[30]).toBeGreaterThan(times[20] ?? 0)
  expect(Math.max(...times)).toBeLessThan(2100)
  expect(await heldFor('192.0.2.2')).toBe(times[0])
})

test('a right key is never held up, whatever its address has sent', async () => {
  const { keys, heldFor } = lab()
  for (let n = 0; n < 40; n++) await heldFor('192.0.2.1')
  expect(await keys.guard('192.0.2.1', right)).toBe('ann')
})

test('after a quiet minute it begins anew', async () => {
  const { clock, heldFor } = lab()
  const first = await heldFor('192.0.2.1')
  for (let n = 0; n < 40; n++) await heldFor('192.0.2.1')
  clock.advance(61_000)
  expect(await heldFor('192.0.2.1')).toBe(first)
})

test('only so many wait at once, and addresses of one network of IPv6 are one', async () => {
  const { clock, keys } = lab()
  const waiting = Array.from({ length: 16 }, (_, n) => keys.guard(`2001:db8:0:1::${n + 1}`, wrong))
  await until('all are waiting', () => clock.planned === 16)
  const refused = await keys.guard('2001:db8:0:1::ffff', wrong).catch((error: unknown) => error)
  expect(isFault(refused, 'rate_limited')).toBe(true)
  clock.advance(5000)
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => null))
})
