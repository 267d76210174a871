import { expect, test } from 'vitest'
import { manualClock } from '../../../test/support/clock.ts'
import { isFault } from '../kernel/fault.ts'
import { SignInGuard } from './sign-in-guard.ts'

const lab = () => {
  const clock = manualClock()
  const guard = new SignInGuard({ clock, limits: { strict: { failures: 5, windowMs: 15_000, firstDelayMs: 15_000, longestDelayMs: 15_000 } } })
  const admit = (login: string, peer: string, via = 'test') => {
    const admitted = guard.admit({ login, peer, via })
    admitted.beforeHash()
    return admitted
  }
  const fail = (login: string, peer: string, via?: string) => {
    const admitted = admit(login, peer, via)
    const left = admitted.failed()
    admitted.done()
    return left
  }
  const refused = (login: string, peer: string, via?: string): number | null => {
    try {
      admit(login, peer, via).done()
      return null
    } catch (error) {
      if (!isFault(error, 'rate_limited')) throw error
      return error.retryAfterMs ?? -1
    }
  }
  return { clock, guard, admit, fail, refused }
}

test('ten failures for an account from an address are free, then each costs a longer wait', () => {
  const { clock, fail, refused } = lab()
  const left = Array.from({ length: 10 }, () => fail('ann', '192.0.2.1'))
  expect(left).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
  expect(refused('ann', '192.0.2.1')).toBe(15_000)
  clock.advance(14_999)
  expect(refused('ann', '192.0.2.1')).toBe(1)
  clock.advance(1)
  fail('ann', '192.0.2.1')
  expect(refused('ann', '192.0.2.1')).toBe(30_000)
})

test('what is refused is this account from this address only', () => {
  const { fail, refused } = lab()
  for (let i = 0; i < 10; i++) fail('ann', '192.0.2.1')
  expect(refused('ANN ', '192.0.2.1')).not.toBeNull()
  expect(refused('ann', '192.0.2.2')).toBeNull()
  expect(refused('bob', '192.0.2.1')).toBeNull()
})

test('an attacker with many addresses cannot lock an account: others wait two seconds at most, and where it signed in before not at all', () => {
  const { admit, fail, guard } = lab()
  const home = admit('ann', '198.51.100.1')
  home.succeeded()
  home.done()
  for (let i = 0; i < 5000; i++) fail('ann', `203.0.${i >> 8}.${i & 255}`)
  expect(guard.admit({ login: 'ann', peer: '198.51.100.1', via: 'test' }).waitMs).toBe(0)
  const elsewhere = guard.admit({ login: 'ann', peer: '198.51.100.2', via: 'test' }).waitMs
  expect(elsewhere).toBeGreaterThan(0)
  expect(elsewhere).toBeLessThanOrEqual(2000)
})

test('one password tried on many accounts from one address is refused after fifty failures', () => {
  const { fail, refused } = lab()
  for (let i = 0; i < 50; i++) fail(`user${i}`, '192.0.2.9')
  expect(refused('another', '192.0.2.9')).not.toBeNull()
  expect(refused('another', '192.0.2.10')).toBeNull()
})

test('whoever has signed in from an address is not refused for the failures of others there, and is for their own', () => {
  const { admit, fail, refused } = lab()
  const right = admit('ann', '192.0.2.9')
  right.succeeded()
  right.done()
  for (let i = 0; i < 60; i++) if (refused(`user${i}`, '192.0.2.9') === null) fail(`user${i}`, '192.0.2.9')
  expect(refused('another', '192.0.2.9')).not.toBeNull()
  expect(refused('ann', '192.0.2.9')).toBeNull()
  for (let i = 0; i < 10; i++) fail('ann', '192.0.2.9')
  expect(refused('ann', '192.0.2.9')).not.toBeNull()
})

test('all addresses of an IPv6 network of a customer count as one, and IPv4 inside IPv6 as itself', () => {
  const { fail, refused } = lab()
  for (let i = 0; i < 10; i++) fail('ann', `2001:db8:1:2::${i + 1}`)
  expect(refused('ann', '2001:db8:1:2:ffff::9')).not.toBeNull()
  expect(refused('ann', '2001:db8:1:3::1')).toBeNull()
  for (let i = 0; i < 10; i++) fail('bob', '192.0.2.1')
  expect(refused('bob', '::ffff:192.0.2.1')).not.toBeNull()
})

test('guesses that are sent all at once do not get more hashes than free failures', () => {
  const { admit, refused } = lab()
  const held = Array.from({ length: 10 }, () => admit('ann', '192.0.2.1'))
  expect(refused('ann', '192.0.2.1')).not.toBeNull()
  held[0]?.done()
  expect(refused('ann', '192.0.2.1')).toBeNull()
})

test('after the free failures one guess at a time is looked at', () => {
  const { clock, admit, fail, refused } = lab()
  for (let i = 0; i < 10; i++) fail('ann', '192.0.2.1')
  clock.advance(15_000)
  const one = admit('ann', '192.0.2.1')
  expect(refused('ann', '192.0.2.1')).not.toBeNull()
  one.done()
})

test('a success and a quiet time clear the count', () => {
  const { clock, admit, fail } = lab()
  for (let i = 0; i < 9; i++) fail('ann', '192.0.2.1')
  const right = admit('ann', '192.0.2.1')
  right.succeeded()
  right.done()
  expect(fail('ann', '192.0.2.1')).toBe(9)
  clock.advance(300_001)
  expect(fail('ann', '192.0.2.1')).toBe(9)
})

test('an API with a limit of its own has its own count', () => {
  const { fail, refused } = lab()
  for (let i = 0; i < 5; i++) fail('ann', '192.0.2.1', 'strict')
  expect(refused('ann', '192.0.2.1', 'strict')).toBe(15_000)
  expect(refused('ann', '192.0.2.1')).toBeNull()
})
