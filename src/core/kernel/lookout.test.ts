import { expect, test } from 'vitest'
import { Lookout } from './lookout.ts'
import { manualClock } from '../../../test/support/clock.ts'

const failed = (error: unknown) => {
  throw error
}

test('looks that are asked for while one is under way become one', async () => {
  const under = Promise.withResolvers<void>()
  let looks = 0
  const look = async () => {
    looks += 1
    await under.promise
    return null
  }
  const lookout = new Lookout({ clock: manualClock, look, failed, retryMs: 1 })
  const first = lookout.look()
  await Promise.resolve()
  const more = [lookout.look(), lookout.look(), lookout.look()]
  under.resolve()
  await Promise.all([first, ...more])
  expect(looks).toBe(2)
})

test('it looks again when the last look said, not before, and then rests until it is told', async () => {
  const clock = manualClock(0)
  const at: number[] = []
  const look = async () => (at.push(clock.now()) === 1 ? 100 : null)
  const lookout = new Lookout({ clock: () => clock, look, failed, retryMs: 1 })
  await lookout.look()
  clock.advance(99)
  await settled(lookout)
  expect(at).toEqual([0])
  clock.advance(1)
  await settled(lookout)
  clock.advance(1_000_000)
  await settled(lookout)
  expect(at).toEqual([0, 100])
})

test('it rests no longer than it may, whatever a look says', async () => {
  const clock = manualClock(0)
  const at: number[] = []
  const look = async () => (at.push(clock.now()) === 1 ? 5000 : null)
  const lookout = new Lookout({ clock: () => clock, look, failed, retryMs: 1, longestMs: 1000 })
  await lookout.look()
  for (let step = 0; step < 2; step++) {
    clock.advance(1000)
    await settled(lookout)
  }
  expect(at).toEqual([0, 1000, 2000])
})

test('a look that failed is told of and made up for', async () => {
  const clock = manualClock(0)
  const failures: unknown[] = []
  let looks = 0
  const look = async () => {
    looks += 1
    if (looks === 1) throw new Error('The store is away')
    return null
  }
  const lookout = new Lookout({ clock: () => clock, look, failed: (error) => failures.push(error), retryMs: 50 })
  await lookout.look()
  expect(failures).toEqual([new Error('The store is away')])
  clock.advance(50)
  await settled(lookout)
  expect(looks).toBe(2)
})

test('closing waits for the look under way, and nothing is looked at afterwards', async () => {
  const clock = manualClock(0)
  const under = Promise.withResolvers<number>()
  let looks = 0
  const look = () => {
    looks += 1
    return under.promise
  }
  const lookout = new Lookout({ clock: () => clock, look, failed, retryMs: 1, longestMs: 10 })
  void lookout.look()
  await Promise.resolve()
  let closed = false
  const closing = lookout.close().then(() => {
    closed = true
  })
  await Promise.resolve()
  expect([closed, lookout.signal.aborted]).toEqual([false, true])
  under.resolve(10)
  await closing
  clock.advance(1000)
  await lookout.look()
  expect(looks).toBe(1)
})

// A look that a timer began has ended when everything that was under way has had its turn.
async function settled(lookout: Lookout): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  expect(lookout.signal.aborted).toBe(false)
}
