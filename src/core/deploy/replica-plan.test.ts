import { describe, expect, test } from 'vitest'
import { planReplicas } from './replica-plan.ts'
import { freshStatus } from './workload.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { Life } from './replica-plan.ts'
import type { WorkloadSpec } from './workload.ts'

const second = 1000
const now = 1_000_000 * second

function spec(change: Partial<WorkloadSpec> = {}): WorkloadSpec {
  const plan = {} as WorkloadSpec['plan'] // nothing here looks into it
  const about = { type: 'service', name: 'web', namespace: 'lab', generation: 2, replicas: 2, container_port: 80, published: null, plan } as const
  return { ...about, created_by: 'ann', deployed_by: { id: 'x', name: 'ann' }, status: freshStatus, ...change }
}

type Made = { slot?: number; generation?: number; ready?: boolean; active?: boolean; failures?: number; lived?: number; ended?: number; up?: number }

let count = 0
function life({ slot = 0, generation = 2, ready = false, active = true, failures = 0, lived = second, ended = 0, up = second }: Made = {}): Life {
  const finished = now - ended
  const run = {
    id: `run-${++count}`,
    name: `web-${slot}`,
    state: active ? 'running' : 'failed',
    reason: active ? null : 'exit_nonzero',
    message: null,
    active,
    cancel: null,
    spec: { slot, generation, failures, restarts: failures, port: 20_000 + count },
    started_at: active ? now - up : finished - lived,
    finished_at: active ? null : finished,
  }
  const step = { state: active ? 'running' : 'failed', started_at: run.started_at, exit_code: active ? null : 1, reason: run.reason }
  // Only what the plan looks at.
  return { run: run as unknown as RunRow, step: step as unknown as StepRow, ready, leaving: false }
}

const plan = (of: WorkloadSpec, lives: Life[], options = { blocked: false }) => planReplicas(of, lives, now, options)
const ids = (runs: readonly RunRow[]) => runs.map((run) => run.id)

describe('starting', () => {
  test('what was never started is started at once, unless a deleted one of the name still ends: then it says that it waits', () => {
    expect(plan(spec(), [])).toMatchObject({ first: [0, 1], status: { state: 'queued', reason: null } })
    expect(plan(spec(), [], { blocked: true })).toMatchObject({ first: [], status: { state: 'queued', reason: 'still_running' } })
    expect(plan(spec({ replicas: 0 }), []).status).toMatchObject({ state: 'running', ready: [] })
  })

  test('an instance that ended is started again after 10, 20, 40 … at most 300 seconds', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 6, 40].map((failures) => {
      const { again, wakeAt } = plan(spec({ replicas: 1 }), [life({ active: false, failures })])
      expect(again).toEqual([])
      return ((wakeAt ?? 0) - now) / second
    })
    expect(pauses).toEqual([10, 20, 40, 80, 160, 300, 300, 300])
    const ended = life({ active: false, failures: 1, ended: 20 * second })
    expect(plan(spec({ replicas: 1 }), [ended]).again).toEqual([{ run: ended.run, failures: 2 }])
  })

  test('one that lived for ten minutes counts as healthy: its pause is the first again', () => {
    const { wakeAt } = plan(spec({ replicas: 1 }), [life({ active: false, failures: 7, lived: 600 * second })])
    expect(wakeAt).toBe(now + 10 * second)
  })

  test('a service that does not answer within 300 seconds is ended and counts as failed', () => {
    const slow = life({ up: 300 * second })
    expect(ids(plan(spec({ replicas: 1 }), [slow]).overdue)).toEqual([slow.run.id])
    expect(plan(spec({ replicas: 1 }), [life({ up: 299 * second })])).toMatchObject({ overdue: [], wakeAt: now + second })
  })
})

describe('replacing', () => {
  const stable = { ...freshStatus, stable: 1 }

  test('an older instance is stopped for each new one that is ready, and none before', () => {
    const old = [life({ generation: 1, slot: 0, ready: true }), life({ generation: 1, slot: 1, ready: true })]
    const of = spec({ status: stable })
    expect(plan(of, [...old, life({ slot: 0 }), life({ slot: 1 })]).stop).toEqual([])
    expect(plan(of, [...old, life({ slot: 0, ready: true }), life({ slot: 1 })]).stop).toHaveLength(1)
    const whole = plan(of, [...old, life({ slot: 0, ready: true }), life({ slot: 1, ready: true })])
    expect(ids(whole.stop)).toEqual(old.map(({ run }) => run.id))
    expect(whole.status).toMatchObject({ state: 'running', stable: 2 })
  })

  test('a generation that fails leaves the one before at work, and even alive', () => {
    const serving = life({ generation: 1, slot: 0, ready: true })
    const died = life({ generation: 1, slot: 1, active: false, ended: 11 * second })
    const failing = [life({ slot: 0, active: false }), life({ slot: 1, active: false })]
    const { stop, again, status } = plan(spec({ status: stable }), [serving, died, ...failing])
    expect([stop, again.map(({ run }) => run.id)]).toEqual([[], [died.run.id]])
    expect(status).toMatchObject({ state: 'degraded', reason: 'exit_nonzero', stable: 1, ready: [{ run: serving.run.id }] })
  })

  test('of generations that were never whole only what serves is kept', () => {
    const first = life({ generation: 1, ready: true })
    const stuck = life({ generation: 2, slot: 1 })
    const { stop } = plan(spec({ generation: 3, replicas: 1, status: stable }), [first, stuck, life({ generation: 3 })])
    expect(ids(stop)).toEqual([stuck.run.id])
  })

  test('fewer wanted instances, and what is above goes', () => {
    const lives = [0, 1, 2].map((slot) => life({ slot, ready: true }))
    expect(ids(plan(spec({ replicas: 1 }), lives).stop)).toEqual(lives.slice(1).map(({ run }) => run.id))
  })
})

test('where a workload stands is said in one word, and why in another', () => {
  const one = (lives: Life[], change: Partial<WorkloadSpec> = {}) => plan(spec({ replicas: 1, ...change }), lives).status
  expect(one([])).toMatchObject({ state: 'queued' })
  expect(one([life()])).toMatchObject({ state: 'starting', reason: null })
  expect(one([life({ ready: true })])).toMatchObject({ state: 'running', reason: null })
  expect(one([life({ active: false, failures: 1 })])).toMatchObject({ state: 'degraded', reason: 'crash_loop', exit_code: 1 })
  expect(one([life({ failures: 2 })])).toMatchObject({ state: 'degraded', reason: 'crash_loop' })
})
