import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chain, draft, engineLab, graph, limits, until, work } from '../support/engine-lab.ts'
import type { EngineLab } from '../support/engine-lab.ts'
import type { FlowNode } from '../../src/core/flow/graph.ts'
import type { RunRow, StepRow } from '../../src/ports/store/rows.ts'
import type { Store } from '../../src/ports/store/store.ts'

const once = { join: 'all', when: 'no-error' } as const
const ends = (steps: readonly StepRow[]) => Object.fromEntries(steps.map((step) => [step.key, step.state]))

/** What the run engine promises, over any store: exported, so that each store's test is a few lines. */
export function engineSuite(title: string, options: { openStore?: (folder: string) => Promise<Store>; skip?: string | null }) {
  describe.skipIf(options.skip)(options.skip ? `${title} (skipped: ${options.skip})` : title, () => {
    let lab: EngineLab
    beforeAll(async () => {
      lab = await engineLab(options.openStore ? { openStore: options.openStore } : {})
    })
    afterAll(() => lab?.close())

    describe('the graph', () => {
      test('steps run one after the other, and the run has succeeded when the last has', async () => {
        const { id } = await lab.start(draft(chain([work('a'), work('b'), work('c')])))
        const { run, steps } = await lab.ended(id)
        expect(run).toMatchObject({ state: 'succeeded', active: false, reason: null })
        expect(steps.map((step) => [step.key, step.state, step.exit_code, step.position])).toEqual([
          ['a', 'succeeded', 0, 0],
          ['b', 'succeeded', 0, 1],
          ['c', 'succeeded', 0, 2],
        ])
      })

      test('after a failure only what runs in any case is started, and the run has failed', async () => {
        const nodes = [work('make'), work('break', { exitCode: 3 }), work('use'), work('tidy', {}, { when: 'always' })]
        const flow = graph(nodes, [
          { from: 'make', to: 'break', on: 'finished' },
          { from: 'break', to: 'use', on: 'finished' },
          { from: 'use', to: 'tidy', on: 'finished' },
        ])
        const { run, steps } = await lab.ended((await lab.start(draft(flow))).id)
        expect(run).toMatchObject({ state: 'failed', reason: 'step_failed' })
        expect(ends(steps)).toEqual({ make: 'succeeded', break: 'failed', use: 'skipped', tidy: 'succeeded' })
        expect(steps.find((step) => step.key === 'break')).toMatchObject({ exit_code: 3, reason: 'exit_nonzero' })
        expect(steps.find((step) => step.key === 'use')?.reason).toBe('run_in_error')
      })

      test('a decision takes one way, the other is dead, and a join on any goes on', async () => {
        const nodes: FlowNode[] = [
          { id: 'decide', kind: 'pass', ...once, output: '{{input.size}}' },
          work('large'),
          work('small'),
          { ...work('after'), join: 'any' },
        ]
        const flow = graph(
          nodes,
          [
            { from: 'decide', to: 'large', on: 'success', if: 'steps.decide.output > 10' },
            { from: 'decide', to: 'small', on: 'success', if: 'steps.decide.output <= 10' },
            { from: 'large', to: 'after', on: 'success' },
            { from: 'small', to: 'after', on: 'success' },
          ],
          { on_error: 'edges' },
        )
        const { run, steps } = await lab.ended((await lab.start(draft(flow, { input: { size: 99 } }))).id)
        expect(run.state).toBe('succeeded')
        expect(ends(steps)).toEqual({ decide: 'succeeded', large: 'succeeded', small: 'skipped', after: 'succeeded' })
      })

      test('a loop runs its rounds as rows, with its index, and collects', async () => {
        const body = graph([{ id: 'twice', kind: 'call', ...once, operation: 'probe.echo', input: { value: '{{loop.index * 2}}' } }])
        const loop: FlowNode = {
          id: 'each',
          kind: 'loop',
          ...once,
          body,
          over: { times: 4 },
          max_rounds: 10,
          collect: 'steps.twice.output.value',
          parallel: 1,
        }
        const { run, steps } = await lab.ended((await lab.start(draft(graph([loop], [], { on_error: 'edges' })))).id)
        expect(run.state).toBe('succeeded')
        expect(steps.map((step) => step.key)).toEqual(['each', 'each/1/twice', 'each/2/twice', 'each/3/twice', 'each/4/twice'])
        expect(steps[0]?.output).toEqual({ rounds: 4, broke: false, collected: [0, 2, 4, 6] })
      })

      test('a loop of 10,000 rounds runs in linear time and flat memory', async () => {
        const rounds = async (times: number) => {
          const body = graph([{ id: 'count', kind: 'pass', ...once, output: '{{loop.index}}' }])
          const loop: FlowNode = { id: 'each', kind: 'loop', ...once, body, over: { times }, max_rounds: 10_000, parallel: 1 }
          const began = performance.now()
          const { run } = await lab.ended((await lab.start(draft(graph([loop])))).id, 90)
          expect(run.state).toBe('succeeded')
          return performance.now() - began
        }
        await rounds(500)
        const quarter = await rounds(2500)
        const heap = process.memoryUsage().heapUsed
        const whole = await rounds(10_000)
        // Four times the rounds; what is beyond is noise of the machine. What it kept would be a row in hand for each round.
        expect(whole).toBeLessThan(quarter * 12)
        expect(process.memoryUsage().heapUsed - heap).toBeLessThan(64 * 1024 * 1024)
      }, 120_000)

      test('a question waits for a person, and the answer is what later steps see', async () => {
        const ask: FlowNode = { id: 'ask', kind: 'question', ...once, ask: { text: 'Go on?' }, timeout_ms: null, on_timeout: 'fail' }
        const echo: FlowNode = { id: 'echo', kind: 'call', ...once, operation: 'probe.echo', input: { value: '{{steps.ask.output.approved}}' } }
        const { id } = await lab.start(draft(chain([ask, echo])))
        await until(async () => (await lab.steps(id))[0]?.state === 'waiting', 'the question')
        expect((await lab.run(id)).state).toBe('waiting')
        await lab.invoke('run.answer', { run: id, step: 'ask', answer: { approved: true } })
        const { run, steps } = await lab.ended(id)
        expect(run.state).toBe('succeeded')
        expect(steps[1]?.output).toEqual({ value: true })
        await expect(lab.invoke('run.answer', { run: id, step: 'ask', answer: { approved: false } })).rejects.toMatchObject({
          code: 'state_conflict',
        })
      })

      test('a question that nobody answers in time fails', async () => {
        const ask: FlowNode = { id: 'ask', kind: 'question', ...once, ask: {}, timeout_ms: 30, on_timeout: 'fail' }
        const { run, steps } = await lab.ended((await lab.start(draft(chain([ask, work('go')])))).id)
        expect(run.state).toBe('failed')
        expect(ends(steps)).toEqual({ ask: 'timed_out', go: 'skipped' })
      })

      test('a timer waits, then the flow goes on', async () => {
        const { run, steps } = await lab.ended((await lab.start(draft(chain([{ id: 'wait', kind: 'timer', ...once, delay: 40 }, work('go')])))).id)
        expect(run.state).toBe('succeeded')
        const [wait, go] = steps as [StepRow, StepRow]
        expect((go.created_at as number) - wait.created_at).toBeGreaterThanOrEqual(40)
      })

      test('a sub-flow in place and a child run are waited for', async () => {
        const child = draft(chain([work('in-child', { exitCode: 0 })]))
        const flow = chain([
          { id: 'part', kind: 'scope', ...once, body: chain([work('one'), work('two')]) },
          { id: 'sub', kind: 'run', ...once, draft: child as never },
          work('last'),
        ])
        const { run, steps } = await lab.ended((await lab.start(draft(flow))).id)
        expect(run.state).toBe('succeeded')
        expect(ends(steps)).toEqual({ part: 'succeeded', 'part/0/one': 'succeeded', 'part/0/two': 'succeeded', sub: 'succeeded', last: 'succeeded' })
        const childId = steps.find((step) => step.key === 'sub')?.child_id as string
        expect(await lab.run(childId)).toMatchObject({ parent_id: run.id, parent_step: 'sub', state: 'succeeded' })
      })

      test('a failed child fails its step with the reason and exit code of the child', async () => {
        const flow = graph([{ id: 'sub', kind: 'run', ...once, draft: draft(chain([work('x', { exitCode: 7 })])) as never }])
        const { run, steps } = await lab.ended((await lab.start(draft(flow))).id)
        expect(run.state).toBe('failed')
        expect(steps[0]).toMatchObject({ state: 'failed', reason: 'exit_nonzero', exit_code: 7 })
      })
    })

    describe('attempts', () => {
      test('a failed attempt is repeated with its own number until it succeeds', async () => {
        const policy = { retries: 3, retry_delay_ms: 5, retry_delay_max_ms: 10, timeout_ms: null, grace_ms: 100 }
        const { run, steps } = await lab.ended((await lab.start(draft(graph([work('flaky', { failFirst: 2, exitCode: 0 }, { policy })])))).id)
        expect(run.state).toBe('succeeded')
        expect(steps[0]).toMatchObject({ attempt: 3, max_attempts: 4, state: 'succeeded' })
        expect(steps[0]?.attempts.map((attempt) => [attempt.attempt, attempt.state])).toEqual([
          [1, 'failed'],
          [2, 'failed'],
          [3, 'succeeded'],
        ])
      })

      test('work that cannot be started fails the step and says why', async () => {
        const { run, steps } = await lab.ended((await lab.start(draft(graph([work('x', { behaviour: 'refuse' })])))).id)
        expect(run).toMatchObject({ state: 'failed', reason: 'start_failed' })
        expect(steps[0]?.message).toBeTruthy()
      })

      test('a time limit counts over all attempts and ends what runs', async () => {
        const policy = { retries: 5, retry_delay_ms: 1, retry_delay_max_ms: 1, timeout_ms: 60, grace_ms: 0 }
        const { run, steps } = await lab.ended((await lab.start(draft(graph([work('x', { behaviour: 'hang' }, { policy })])))).id)
        expect(run).toMatchObject({ state: 'timed_out', reason: 'timeout' })
        expect(steps[0]).toMatchObject({ state: 'timed_out', attempt: 1 })
      })
    })

    describe('limits', () => {
      test('a namespace never runs more at once than it may, the others wait and say why, and all end', async () => {
        limits.namespace = 3
        try {
          const ids = await Promise.all(
            Array.from({ length: 20 }, () => lab.start(draft(graph([work('x', { durationMs: 15 })]), { namespace: 'narrow' }))),
          )
          const seen = new Set<string | null>()
          let most = 0
          await until(async () => {
            const page = await lab.store.reader.runs.page({ namespace: 'narrow' }, null, 'newest', { limit: 100, after: null })
            const steps = (await lab.store.reader.steps.ofRuns(page.items.map((run) => run.id))) as StepRow[]
            most = Math.max(most, steps.filter((step) => step.state === 'starting' || step.state === 'running').length)
            for (const step of steps) if (step.state === 'queued') seen.add(step.reason)
            return page.items.every((run) => run.state === 'succeeded') && page.items.length === ids.length
          }, 'twenty runs')
          expect(most).toBeLessThanOrEqual(3)
          expect(seen).toContain('waiting_for_quota')
        } finally {
          limits.namespace = 200
        }
      })

      test('thousands queued in one namespace do not hold up the first of another', async () => {
        limits.target = 4
        try {
          await Promise.all(Array.from({ length: 300 }, () => lab.start(draft(graph([work('x', { durationMs: 20 })]), { namespace: 'crowd' }))))
          const began = performance.now()
          const { run } = await lab.ended((await lab.start(draft(graph([work('x', { durationMs: 1 })]), { namespace: 'lone' }))).id)
          const took = performance.now() - began
          expect(run.state).toBe('succeeded')
          const left = await lab.store.reader.runs.page({ namespace: 'crowd', active: true }, null, 'newest', { limit: 1000, after: null })
          expect(left.items.length).toBeGreaterThan(100)
          expect(took).toBeLessThan(1000)
          await until(
            async () =>
              (await lab.store.reader.runs.page({ namespace: 'crowd', active: true }, null, 'newest', { limit: 1, after: null })).items.length === 0,
            'the crowd',
          )
        } finally {
          limits.target = 1000
        }
      })

      test('of many runs of one name at once exactly one is accepted, and the others learn its id', async () => {
        const same = () => draft(graph([work('x', { behaviour: 'hang' })]), { namespace: 'names', name: 'same', unique: true })
        const results = await Promise.allSettled(Array.from({ length: 12 }, () => lab.start(same())))
        const accepted = results.filter((result) => result.status === 'fulfilled')
        expect(accepted).toHaveLength(1)
        const id = (accepted[0] as PromiseFulfilledResult<{ id: string }>).value.id
        for (const result of results) {
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'name_taken', details: { existing_id: id } })
        }
        await lab.invoke('run.cancel', { run: id })
        await lab.ended(id)
        const again = await lab.start({ ...same(), graph: graph([work('x')]) })
        expect(again.replaced).toBe(true)
        expect(await lab.run(id)).toMatchObject({ listed: false, state: 'cancelled' })
        await lab.ended(again.id)
      })

      test('one idempotency key makes one run, and another request under it is refused', async () => {
        const idempotency = { route: 'probe', key: 'k1', fingerprint: 'f' }
        const results = await Promise.all(Array.from({ length: 8 }, () => lab.start(draft(graph([work('x')])), { idempotency })))
        expect(new Set(results.map((result) => result.id)).size).toBe(1)
        expect(results.filter((result) => !result.replayed)).toHaveLength(1)
        await expect(lab.start(draft(graph([work('x')])), { idempotency: { ...idempotency, fingerprint: 'g' } })).rejects.toMatchObject({
          code: 'idempotency_key_reuse',
        })
      })
    })

    describe('cancelling', () => {
      test('what runs is ended, what waits is cancelled, nothing new starts, and repeating it changes nothing', async () => {
        const flow = chain([work('hang', { behaviour: 'hang' }), work('never')])
        const { id } = await lab.start(draft(flow))
        await until(async () => (await lab.steps(id))[0]?.state === 'running', 'the first step')
        expect(await lab.invoke('run.cancel', { run: id })).toMatchObject({ accepted: true })
        await lab.invoke('run.cancel', { run: id })
        const { run, steps } = await lab.ended(id)
        expect(run).toMatchObject({ state: 'cancelled', reason: 'cancelled' })
        expect(ends(steps).hang).toBe('cancelled')
        expect(['cancelled', 'skipped', undefined]).toContain(ends(steps).never)
        expect(await lab.invoke('run.cancel', { run: id })).toMatchObject({ accepted: false, state: 'cancelled' })
      })

      test('with clean-up, what runs in any case runs after everything else has ended', async () => {
        const flow = graph(
          [work('hang', { behaviour: 'hang' }), work('tidy', {}, { when: 'always' })],
          [{ from: 'hang', to: 'tidy', on: 'finished' }],
        )
        const { id } = await lab.start(draft(flow))
        await until(async () => (await lab.steps(id))[0]?.state === 'running', 'the first step')
        await lab.invoke('run.cancel', { run: id, cleanup: true })
        const { run, steps } = await lab.ended(id)
        expect(run.state).toBe('cancelled')
        expect(ends(steps)).toEqual({ hang: 'cancelled', tidy: 'succeeded' })
      })

      test('a cancelled parent takes its children with it', async () => {
        const flow = graph([{ id: 'sub', kind: 'run', ...once, draft: draft(chain([work('x', { behaviour: 'hang' })])) as never }])
        const { id } = await lab.start(draft(flow))
        await until(async () => {
          const child = (await lab.steps(id))[0]?.child_id
          return child != null && (await lab.steps(child))[0]?.state === 'running'
        }, 'the child')
        await lab.invoke('run.cancel', { run: id })
        const { run, steps } = await lab.ended(id)
        expect(run.state).toBe('cancelled')
        expect(await lab.run(steps[0]?.child_id as string)).toMatchObject({ state: 'cancelled' })
      })
    })

    describe('running again', () => {
      test('a retry is a new run that names the old one', async () => {
        const first = await lab.ended((await lab.start(draft(chain([work('a'), work('b', { exitCode: 1 })])))).id)
        const again = (await lab.invoke<{ id: string }>('run.retry', { run: first.run.id })).id
        const second = await lab.ended(again)
        expect(second.run).toMatchObject({ retry_of: first.run.id, state: 'failed' })
        expect(second.steps).toHaveLength(2)
      })

      test('from a step inside a loop on, earlier rounds count as done', async () => {
        const body = chain([{ id: 'value', kind: 'call', ...once, operation: 'probe.echo', input: { value: '{{loop.index}}' } }, work('x')])
        const loop: FlowNode = { id: 'each', kind: 'loop', ...once, body, over: { times: 3 }, max_rounds: 5, parallel: 1 }
        const first = await lab.ended((await lab.start(draft(chain([loop, work('end')])))).id)
        expect(first.steps).toHaveLength(8)
        const { id } = await lab.invoke<{ id: string }>('run.retry', { run: first.run.id, from: 'each/2/x' })
        const { run, steps } = await lab.ended(id)
        expect(run.state).toBe('succeeded')
        const kept = new Set(first.steps.map((step) => `${step.key} ${step.created_at}`))
        const again = steps.filter((step) => !kept.has(`${step.key} ${step.created_at}`)).map((step) => step.key)
        expect(steps).toHaveLength(8)
        expect(again).not.toContain('each/1/x')
        expect(again).not.toContain('each/2/value')
        expect(again).toEqual(expect.arrayContaining(['each/2/x', 'each/3/value', 'each/3/x', 'end']))
      })
    })

    describe('after the server went away', () => {
      test('work that ran on is found again, and what had not begun begins', async () => {
        const running = await lab.start(draft(chain([work('long', { durationMs: 200 }), work('after')])))
        const asked = await lab.start(
          draft(chain([{ id: 'ask', kind: 'question', ...once, ask: {}, timeout_ms: null, on_timeout: 'fail' }, work('after')])),
        )
        const later = await lab.start(draft(chain([{ id: 'wait', kind: 'timer', ...once, delay: 300 }, work('after')])))
        const parent = await lab.start(
          draft(graph([{ id: 'sub', kind: 'run', ...once, draft: draft(chain([work('x', { durationMs: 250 })])) as never }])),
        )
        await until(async () => (await lab.steps(running.id))[0]?.state === 'running', 'the long step')
        await until(async () => (await lab.steps(parent.id))[0]?.child_id != null, 'the child')
        await lab.restart()
        await lab.invoke('run.answer', { run: asked.id, step: 'ask', answer: { approved: true } })
        for (const { id } of [running, asked, later, parent]) {
          const { run, steps } = await lab.ended(id)
          expect([id, run.state]).toEqual([id, 'succeeded'])
          expect(new Set(steps.map((step) => step.key)).size).toBe(steps.length)
        }
      })

      test('work that vanished is lost: repeated if it has attempts left, else the run ends as lost', async () => {
        const policy = { retries: 1, retry_delay_ms: 1, retry_delay_max_ms: 1, timeout_ms: null, grace_ms: 0 }
        const single = await lab.start(draft(graph([work('x', { durationMs: 60_000 })])))
        const retried = await lab.start(draft(graph([work('x', { durationMs: 60_000 }, { policy })])))
        for (const { id } of [single, retried]) await until(async () => (await lab.steps(id))[0]?.state === 'running', 'the step')
        await lab.restart(async () => {
          for (const name of await lab.fake.list()) {
            const found = await lab.fake.recover(name)
            if (found.found === 'running') await lab.fake.remove(name)
          }
        })
        const one = await lab.ended(single.id)
        expect(one.run).toMatchObject({ state: 'lost', reason: 'lost' })
        await until(async () => (await lab.steps(retried.id))[0]?.attempt === 2, 'the second attempt')
        await lab.invoke('run.cancel', { run: retried.id })
        await lab.ended(retried.id)
      })

      test('an order to cancel that was stored and not carried out is carried out', async () => {
        const { id } = await lab.start(draft(graph([work('x', { behaviour: 'hang' })])))
        await until(async () => (await lab.steps(id))[0]?.state === 'running', 'the step')
        await lab.restart(async () => {})
        await lab.store.write((tables) => tables.runs.patch(id, { cancel: { cleanup: false, reason: 'cancelled' } }))
        await lab.restart()
        expect((await lab.ended(id)).run.state).toBe('cancelled')
      })

      test('an answer that was stored and not acted on is taken, and it takes only one', async () => {
        const ask = { id: 'ask', kind: 'question', ...once, ask: {}, timeout_ms: 60_000, on_timeout: 'fail' } as const
        const { id } = await lab.start(draft(chain([ask, work('after')])))
        await until(async () => (await lab.run(id)).state === 'waiting', 'the run to wait')
        const answer = (said: string) => lab.store.write((tables) => tables.steps.answer(id, 'ask', { said }))
        expect([await answer('yes'), await answer('no')]).toEqual([true, false])
        await lab.restart()
        const { run, steps } = await lab.ended(id)
        expect(run.state).toBe('succeeded')
        expect(steps[0]).toMatchObject({ state: 'succeeded', reason: 'answered', output: { said: 'yes' } })
        expect(await lab.store.write((tables) => tables.steps.answer(id, 'after', {}))).toBe(false)
      })

      test('a run that was taken over ignores what its former owner still says', async () => {
        const { id } = await lab.start(draft(graph([work('x', { behaviour: 'hang' })])))
        await until(async () => (await lab.steps(id))[0]?.state === 'running', 'the step')
        const before = (await lab.run(id)) as RunRow
        await lab.restart()
        const act = { run_id: id, owner: before.owner, fence: before.fence, create: [], starts: [], children: [], audit: [] }
        const steps = [{ key: 'x', attempt: 1, patch: { state: 'failed' as const } }]
        const late = await lab.store.engine.advance({ ...act, steps, run: { state: 'failed', active: false } })
        expect(late.fenced).toBe(true)
        expect((await lab.run(id)).state).not.toBe('failed')
        await lab.invoke('run.cancel', { run: id })
        await lab.ended(id)
      })
    })
  })
}
