import { expect, test } from 'vitest'
import { LateActs } from './late-acts.ts'
import { newStep } from './rows.ts'
import { manualClock } from '../../../test/support/clock.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { AdvanceAct, AdvanceResult, StepChange } from '../../ports/store/runs.ts'

const done: AdvanceResult = { fenced: false, started: [], refused: [], children: [] }

function row(key: string): StepRow {
  const node = { kind: 'call', id: key, operation: 'x', input: null, instant: true } as never // only its names are read
  return newStep({ id: 'run' } as RunRow, { do: 'create', key, node, input: null, due: null } as never, 0, 0)
}

function act(given: { create?: StepRow[]; ended?: string[]; run?: AdvanceAct['run'] }): AdvanceAct {
  const steps: StepChange[] = (given.ended ?? []).map((key) => ({ key, attempt: 1, patch: { state: 'succeeded', output: { of: key } } }))
  const rest = { starts: [], children: [], audit: [] }
  return { run_id: 'run', owner: 'server', fence: 1, steps, create: given.create ?? [], run: given.run ?? null, ...rest }
}

function open() {
  const clock = manualClock(0)
  const acts: AdvanceAct[] = []
  const fails: unknown[] = []
  const gate = { next: async () => done }
  const late = new LateActs({
    clock,
    persist: (given) => {
      acts.push(given)
      return gate.next()
    },
    written: (write) => void write.catch((error: unknown) => fails.push(error)),
  })
  return { clock, acts, fails, gate, late }
}

test('what was held back is one write with what follows: a step made and ended meanwhile is one row, others are changed in order', async () => {
  const { acts, late } = open()
  const first = late.hold(act({ create: [row('b')], ended: ['a'], run: { state: 'running', started_at: 5 } }), 0)
  const second = late.hold(act({ create: [row('c')], ended: ['b'] }), 0)
  expect(acts).toEqual([])
  const write = late.write(act({ ended: ['c'], run: { state: 'succeeded', active: false } }))
  expect(acts).toHaveLength(1)
  const [one] = acts
  expect(one?.steps.map(({ key }) => key)).toEqual(['a'])
  expect(one?.create.map(({ key, state, output }) => ({ key, state, output }))).toEqual([
    { key: 'b', state: 'succeeded', output: { of: 'b' } },
    { key: 'c', state: 'succeeded', output: { of: 'c' } },
  ])
  expect(one?.run).toEqual({ state: 'succeeded', active: false, started_at: 5 })
  expect(await Promise.all([first, second, write])).toEqual([done, done, done])
})

test('rows that were handed in are kept as they were then', () => {
  const { acts, late } = open()
  const made = row('b')
  void late.hold(act({ create: [made] }), 0)
  made.state = 'running'
  void late.write(act({}))
  expect(acts[0]?.create[0]?.state).toBe('queued')
})

test('nothing is held back for longer than the moment that it may be, nor more than so much', async () => {
  const { clock, acts, late } = open()
  void late.hold(act({ ended: ['a'] }), 0)
  clock.advance(19)
  expect(acts).toHaveLength(0)
  clock.advance(1)
  expect(acts).toHaveLength(1)
  for (let n = 0; n < 99; n++) void late.hold(act({ ended: [`s${n}`] }), 0)
  expect(acts).toHaveLength(1)
  void late.hold(act({ ended: ['last'] }), 0)
  expect(acts[1]?.steps).toHaveLength(100)
  void late.hold(act({ ended: ['large'] }), 2_000_000)
  expect(acts[2]?.steps.map(({ key }) => key)).toEqual(['large'])
  expect(late.writes).toBe(3)
  await expect.poll(() => late.writes).toBe(0)
})

test('a write that fails fails for everyone who went with it, and what was dropped is never written', async () => {
  const { clock, acts, fails, gate, late } = open()
  gate.next = async () => {
    throw new Error('no room')
  }
  const held = late.hold(act({ ended: ['a'] }), 0)
  clock.advance(20)
  await expect(held).rejects.toThrow('no room')
  expect(fails).toHaveLength(1)
  void late.hold(act({ ended: ['b'] }), 0)
  late.drop()
  clock.advance(1000)
  expect(acts).toHaveLength(1)
})
