import { expect, test } from 'vitest'
import { systemClock } from '../../../core/kernel/clock.ts'
import { StartError } from '../../../ports/runtime.ts'
import type { FakeKnobs, Work } from '../../../ports/runtime.ts'
import { describeRuntime } from '../runtime.suite.ts'
import { createFakeRuntime } from './runtime.ts'

describeRuntime('fake', {
  make: async () => createFakeRuntime({ clock: systemClock }),
  reopen: async (runtime) => {
    await runtime.close()
    return runtime
  },
  image: null,
  executes: false,
})

const signal = new AbortController().signal
const limits = { cpu: null, memoryBytes: null, processes: null }
const work = (name: string, fake?: FakeKnobs): Work => ({
  name,
  command: [],
  environment: {},
  code: null,
  image: null,
  limits,
  outputLimit: 100,
  labels: {},
  ...(fake ? { fake } : {}),
})

test('work without duration has ended when start resolves', async () => {
  const runtime = createFakeRuntime({ clock: systemClock, knobs: { exitCode: 4 } })
  expect(await runtime.start(work('a-1'))).toMatchObject({ exit: { code: 4, signal: null } })
  expect(await runtime.start(work('a-2', { exitCode: 0 }))).toMatchObject({ exit: { code: 0 } })
})

test('work with a duration runs that long', async () => {
  const runtime = createFakeRuntime({ clock: systemClock })
  const { handle, exit } = await runtime.start(work('b-1', { durationMs: 30 }))
  expect(exit).toBeNull()
  const end = await runtime.wait(handle, { signal })
  expect(end.finishedAt - end.startedAt).toBeGreaterThanOrEqual(29)
})

test('the first attempts fail as often as asked', async () => {
  const runtime = createFakeRuntime({ clock: systemClock, knobs: { failFirst: 2 } })
  const codes = await Promise.all(['c-1', 'c-2', 'c-3'].map(async (name) => (await runtime.start(work(name))).exit?.code))
  expect(codes).toEqual([1, 1, 0])
})

test('refused work throws, and crashed work is gone without an exit code', async () => {
  const runtime = createFakeRuntime({ clock: systemClock })
  await expect(runtime.start(work('d-1', { behaviour: 'refuse' }))).rejects.toThrow(StartError)
  const { exit } = await runtime.start(work('d-2', { behaviour: 'crash' }))
  expect(exit).toMatchObject({ code: null, signal: null })
  expect(await runtime.recover('d-2')).toEqual({ found: 'gone' })
})

test('running work is lost at close when the driver was made to lose it, and ended work is not', async () => {
  const runtime = createFakeRuntime({ clock: systemClock, afterClose: 'lost' })
  await runtime.start(work('e-1', { behaviour: 'hang' }))
  await runtime.start(work('e-2'))
  await runtime.close()
  expect(await runtime.recover('e-1')).toEqual({ found: 'gone' })
  expect(await runtime.recover('e-2')).toMatchObject({ found: 'ended' })
})
