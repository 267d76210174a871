import { expect, test } from 'vitest'
import { runStates, mayFollow, isEnd } from '../../../core/kernel/run-state.ts'
import { firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'
import { acceptAct, advanceAct, auditRow, runRow, stepRow } from './rows.ts'
import type { StepChange } from '../../../ports/store/runs.ts'

const place = (gauge: string, limit: number, amount = 1) => ({ gauge, amount, limit })
const change = (key: string, patch: StepChange['patch'], attempt = 1): StepChange => ({ key, attempt, patch })

export function advanceSuite(use: UseStore): void {
  test('an act of a server that lost the run changes nothing at all', async () => {
    const { store } = use()
    const act = acceptAct()
    await store.engine.accept(act)
    const before = [await store.reader.runs.byId(act.run.id), await store.reader.steps.ofRun(act.run.id)]
    const full = {
      steps: [change('main', { state: 'succeeded' as const })],
      create: [stepRow(act.run.id, 'next')],
      run: { state: 'succeeded' as const },
      children: [acceptAct()],
      audit: [auditRow()],
    }
    for (const stale of [{ fence: 0 }, { fence: 2 }, { owner: 'server-b' }, { run_id: 'unknown' }])
      expect(await store.engine.advance(advanceAct(act.run, { ...full, ...stale }))).toEqual({ fenced: true, started: [], refused: [], children: [] })
    expect([await store.reader.runs.byId(act.run.id), await store.reader.steps.ofRun(act.run.id)]).toStrictEqual(before)
    expect((await store.reader.audit.page({}, firstPage)).items).toEqual([])
    expect((await store.reader.runs.page({}, null, 'newest', firstPage)).items).toHaveLength(1)
  })

  test('steps, new steps, the run, children and audit lines change in one commit', async () => {
    const { store } = use()
    const act = acceptAct()
    await store.engine.accept(act)
    const child = acceptAct({ run: runRow({ parent_id: act.run.id, parent_step: 'main' }) })
    const taken = acceptAct({ run: runRow({ name: child.run.name }) })
    const attempts = [{ attempt: 1, state: 'failed' as const, reason: null, exit_code: 3, started_at: 1, finished_at: 2 }]
    const result = await store.engine.advance(
      advanceAct(act.run, {
        steps: [change('main', { state: 'running', handle: { pid: 7 }, attempts, started_at: 5, output: { deep: ['x'] } })],
        create: [stepRow(act.run.id, 'b', { position: 1 }), stepRow(act.run.id, 'c', { position: 2 })],
        starts: [{ key: 'c', places: [place('target:local', 1)] }],
        run: { state: 'running', started_at: 5, message: 'going' },
        children: [child, taken],
        audit: [auditRow()],
      }),
    )
    expect(result).toEqual({
      fenced: false,
      started: ['c'],
      refused: [],
      children: [
        { outcome: 'accepted', started: ['main'], refused: [], replaced: null },
        { outcome: 'name_taken', id: child.run.id },
      ],
    })
    expect(await store.reader.runs.byId(act.run.id)).toStrictEqual({ ...act.run, state: 'running', started_at: 5, message: 'going', version: 2 })
    const main = { ...stepRow(act.run.id, 'main'), state: 'running', handle: { pid: 7 }, attempts, started_at: 5, output: { deep: ['x'] } }
    const c = { ...stepRow(act.run.id, 'c', { position: 2 }), state: 'starting', held: ['target:local=1'] }
    expect(await store.reader.steps.ofRun(act.run.id)).toStrictEqual([main, stepRow(act.run.id, 'b', { position: 1 }), c])
    expect((await store.reader.runs.childrenOf(act.run.id)).map(({ id }) => id)).toEqual([child.run.id])
    expect((await store.reader.audit.page({}, firstPage)).items).toHaveLength(1)
  })

  test('a step changes only along the table of transitions, and only in the attempt that is meant', async () => {
    const { store } = use()
    const run = runRow()
    const pairs = runStates.flatMap((from) => runStates.map((to) => ({ from, to, key: `${from}-${to}` })))
    await store.engine.accept(
      acceptAct({ run, steps: pairs.map(({ from, key }, position) => stepRow(run.id, key, { state: from, position })), starts: [] }),
    )
    await store.engine.advance(advanceAct(run, { steps: pairs.map(({ to, key }) => change(key, { state: to, message: 'new' })) }))
    const after = new Map((await store.reader.steps.ofRun(run.id)).map((step) => [step.key, step]))
    for (const { from, to, key } of pairs) {
      const allowed = mayFollow(from, to) || (from === to && !isEnd(to))
      expect([key, after.get(key)?.state, after.get(key)?.message]).toEqual([key, allowed ? to : from, allowed ? 'new' : null])
    }
    await store.engine.advance(advanceAct(run, { steps: [change('queued-running', { state: 'failed' }, 2), change('unknown', { state: 'failed' })] }))
    expect((await store.reader.steps.one(run.id, 'queued-running'))?.state).toBe('running')
    await store.engine.advance(advanceAct(run, { run: { state: 'succeeded' } }))
    await store.engine.advance(advanceAct(run, { run: { state: 'running', message: 'back again' } }))
    expect(await store.reader.runs.byId(run.id)).toMatchObject({ state: 'succeeded', message: null })
  })

  test('a step gives its places back once, when it leaves starting or running', async () => {
    const { store } = use()
    const places = [place('target:local', 1), place('memory:local', 100, 60)]
    const [first, second] = [acceptAct({}, places), acceptAct({}, places)]
    await store.engine.accept(first)
    expect(await store.engine.accept(second)).toMatchObject({ refused: [{ key: 'main', gauge: 'target:local' }] })
    const start = () => store.engine.advance(advanceAct(second.run, { starts: [{ key: 'main', places }] }))
    await store.engine.advance(advanceAct(first.run, { steps: [change('main', { state: 'running' })] }))
    expect(await start()).toMatchObject({ started: [], refused: [{ gauge: 'target:local' }] })
    for (let i = 0; i < 3; i++)
      await store.engine.advance(advanceAct(first.run, { steps: [change('main', { state: 'succeeded', held: ['target:local=9'] })] }))
    expect((await store.reader.steps.one(first.run.id, 'main'))?.held).toEqual([])
    expect(await start()).toMatchObject({ started: ['main'], refused: [] })
    expect(await start()).toMatchObject({ started: [], refused: [] })
    expect(await store.engine.accept(acceptAct({}, places))).toMatchObject({ refused: [{ gauge: 'target:local' }] })
    // Back to queued, as before a new attempt: the place is free for others at once.
    await store.engine.advance(advanceAct(second.run, { steps: [change('main', { state: 'queued', attempt: 2 })] }))
    expect(await store.engine.accept(acceptAct({}, places))).toMatchObject({ started: ['main'] })
    expect(await start()).toMatchObject({ refused: [{ gauge: 'target:local' }] })
    expect(await store.reader.steps.one(second.run.id, 'main')).toMatchObject({
      state: 'queued',
      attempt: 2,
      reason: 'waiting_for_capacity',
      held: [],
    })
  })

  test('a limit is never exceeded, however many acts start and end steps at the same time', async () => {
    const { store } = use()
    const places = [place('namespace:a', 3), place('cpu:local', 8, 2)]
    const acts = Array.from({ length: 40 }, () => acceptAct({}, places))
    const started = new Set<string>()
    let most = 0
    const begin = (id: string) => (most = Math.max(most, started.add(id).size))
    await Promise.all(
      acts.map(async ({ run }, i) => {
        const result = await store.engine.accept(acts[i] ?? acceptAct())
        let running = result.outcome === 'accepted' && result.started.length === 1
        for (let turn = 0; turn < 400 && !running; turn++)
          running = (await store.engine.advance(advanceAct(run, { starts: [{ key: 'main', places }] }))).started.length === 1
        if (!running) return
        begin(run.id)
        await store.engine.advance(advanceAct(run, { steps: [change('main', { state: 'running' })] }))
        // It is counted as ended before it is: what comes between may only make the count too small.
        started.delete(run.id)
        await store.engine.advance(advanceAct(run, { steps: [change('main', { state: 'succeeded' })], run: { state: 'succeeded', active: false } }))
      }),
    )
    expect(most).toBeLessThanOrEqual(3)
    expect(most).toBeGreaterThan(1)
    expect(await store.reader.steps.countActive(['queued', 'starting', 'running', 'waiting'])).toBe(0)
    const again = await Promise.all(Array.from({ length: 4 }, () => store.engine.accept(acceptAct({}, places))))
    expect(again.filter((result) => result.outcome === 'accepted' && result.started.length === 1)).toHaveLength(3)
  })

  test('acts of one run are carried out in the order in which they were handed in', async () => {
    const { store } = use()
    const act = acceptAct()
    const results = [store.engine.accept(act), store.engine.advance(advanceAct(act.run, { steps: [change('main', { state: 'running' })] }))]
    for (let i = 0; i < 20; i++)
      results.push(
        store.engine.advance(
          advanceAct(act.run, { create: [stepRow(act.run.id, `loop/${i}`, { position: i + 1 })], run: { message: `round ${i}` } }),
        ),
      )
    for (let i = 0; i < 20; i++)
      results.push(
        store.engine.advance(
          advanceAct(act.run, {
            steps: [change(`loop/${i}`, { state: 'running', message: String(i) }), change(`loop/${i}`, { state: 'succeeded' })],
          }),
        ),
      )
    await Promise.all(results)
    expect((await store.reader.runs.byId(act.run.id))?.message).toBe('round 19')
    const steps = await store.reader.steps.ofRun(act.run.id)
    expect(steps.map(({ key }) => key)).toEqual(['main', ...Array.from({ length: 20 }, (_, i) => `loop/${i}`)])
    expect(steps.slice(1).every(({ state, message, position }) => state === 'succeeded' && message === String(position - 1))).toBe(true)
  })
}
