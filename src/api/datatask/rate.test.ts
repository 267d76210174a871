import { expect, test } from 'vitest'
import { manualClock } from '../../../test/support/clock.ts'
import { AnonymousRate } from './rate.ts'

const drained = (rate: AnonymousRate, address: string) => Array.from({ length: 60 }, () => rate.take(address))

test('an address has 60 at once, then 20 a second, and is told how long to wait', () => {
  const clock = manualClock()
  const rate = new AnonymousRate(clock)
  expect(new Set(drained(rate, '10.0.0.1'))).toEqual(new Set([0]))
  expect(rate.take('10.0.0.1')).toBe(50)
  clock.advance(49)
  expect(rate.take('10.0.0.1')).toBeGreaterThan(0)
  clock.advance(1)
  expect([rate.take('10.0.0.1'), rate.take('10.0.0.1')]).toEqual([0, 50])
  clock.advance(1000)
  expect(Array.from({ length: 25 }, () => rate.take('10.0.0.1')).filter((wait) => wait === 0)).toHaveLength(20)
  clock.advance(3_600_000)
  expect(drained(rate, '10.0.0.1').every((wait) => wait === 0) && rate.take('10.0.0.1')).toBe(50)
})

test('addresses are counted apart; those of one IPv6 network together', () => {
  const rate = new AnonymousRate(manualClock())
  drained(rate, '10.0.0.1')
  drained(rate, '2001:db8:1:2::1')
  expect([rate.take('10.0.0.2'), rate.take('2001:db8:1:3::1')]).toEqual([0, 0])
  expect(rate.take('2001:db8:1:2:ffff::9')).toBeGreaterThan(0)
  // However its zeros are written.
  drained(rate, '2001:db8::1')
  expect(rate.take('2001:db8::7:8:9')).toBeGreaterThan(0)
})

test('a clock that goes back gives nothing and takes nothing', () => {
  let now = 1_000_000
  const rate = new AnonymousRate({ ...manualClock(), now: () => now })
  drained(rate, '10.0.0.1')
  now -= 3_600_000
  expect(rate.take('10.0.0.1')).toBe(50)
})

test('however many addresses ask, only the latest are remembered', () => {
  const rate = new AnonymousRate(manualClock())
  drained(rate, 'first')
  expect(rate.take('first')).toBe(50)
  for (let index = 0; index < 20_000; index++) rate.take(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`)
  expect(rate.take('first')).toBe(0)
})
