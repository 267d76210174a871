import { expect, test } from 'vitest'
import { allPages, expectDuplicate, firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'
import { acceptAct, advanceAct, runRow, scheduleRow, stepRow } from './rows.ts'
import { idempotencyRecord } from './accept.suite.ts'
import type { RunRow } from '../../../ports/store/rows.ts'
import type { RunPlace } from '../../../ports/store/runs.ts'

export function runSuite(use: UseStore): void {
  const accept = async (patch: Partial<RunRow>, unique = false) => {
    const run = runRow(patch)
    await use().store.engine.accept(acceptAct({ run, unique, starts: [] }))
    return run
  }

  test('runs are listed latest first or by name, by every filter, without a gap or a twin', async () => {
    const { store } = use()
    const made: RunRow[] = []
    for (let i = 0; i < 24; i++)
      made.push(
        await accept({
          kind: `k${i % 3}`,
          name: `n${i % 5}`,
          namespace: `s${i % 2}`,
          state: i % 4 ? 'queued' : 'failed',
          active: i % 4 > 0,
          listed: i % 6 > 0,
          parent_id: i % 7 ? null : 'p',
          resource_id: i % 8 ? null : 'r',
          started_by: `u${i % 9}`,
          created_at: 1000 + Math.floor(i / 4),
        }),
      )
    const newest = [...made].sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? 1 : -1))
    const byName = [...made].sort((a, b) => compare([a.namespace, a.name, a.id], [b.namespace, b.name, b.id]))
    expect(await allPages(5, (page) => store.reader.runs.page({}, null, 'newest', page))).toStrictEqual(newest)
    expect(await allPages(5, (page) => store.reader.runs.page({}, null, 'name', page))).toStrictEqual(byName)
    const key = ({ id, active, version }: RunRow) => ({ id, active, version })
    const oldestFirst = [...made].sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1))
    const byKey = oldestFirst.sort((a, b) => compare([a.namespace, a.name], [b.namespace, b.name]))
    expect(await allPages(5, (page) => store.reader.runs.keys({}, null, page))).toStrictEqual(byKey.map(key))
    expect(await allPages(5, (page) => store.reader.runs.keys({ kinds: ['k0'], listed: true }, null, page))).toStrictEqual(
      byKey.filter((run) => run.kind === 'k0' && run.listed).map(key),
    )
    const checks: [Parameters<typeof store.reader.runs.page>[0], (run: RunRow) => boolean][] = [
      [{ kinds: ['k0', 'k2'] }, (run) => run.kind !== 'k1'],
      [{ namespace: 's1', name: 'n3' }, (run) => run.namespace === 's1' && run.name === 'n3'],
      [{ states: ['failed', 'lost'] }, (run) => run.state === 'failed'],
      [{ states: ['failed', 'lost'], resourceId: 'r' }, (run) => run.state === 'failed' && run.resource_id === 'r'],
      [{ states: ['queued', 'waiting'] }, (run) => run.state === 'queued'],
      [{ parentId: 'p' }, (run) => run.parent_id === 'p'],
      [{ resourceId: 'r' }, (run) => run.resource_id === 'r'],
      [{ startedBy: 'u4' }, (run) => run.started_by === 'u4'],
      [{ listed: false }, (run) => !run.listed],
      [{ active: true, listed: true }, (run) => run.active && run.listed],
      [{ kinds: [] }, () => false],
    ]
    for (const [filter, test] of checks)
      expect(await allPages(3, (page) => store.reader.runs.page(filter, null, 'newest', page))).toStrictEqual(newest.filter(test))
    const some = newest.slice(3, 5).reverse()
    expect(new Set((await store.reader.runs.byIds([...some.map(({ id }) => id), 'x'])).map(({ id }) => id))).toEqual(
      new Set(some.map(({ id }) => id)),
    )
    expect(await store.reader.runs.counts()).toEqual(
      ['k0', 'k1', 'k2'].flatMap((kind) =>
        ['failed', 'queued'].map((state) => ({ kind, state, count: made.filter((run) => run.kind === kind && run.state === state).length })),
      ),
    )
  })

  test('steps come in order of position, for one run or several', async () => {
    const { store } = use()
    const runs = [runRow({ id: 'a' }), runRow({ id: 'b' })]
    for (const run of runs)
      await store.engine.accept(acceptAct({ run, steps: [2, 0, 1].map((position) => stepRow(run.id, `s${position}`, { position })), starts: [] }))
    expect((await store.reader.steps.ofRun('a')).map(({ key }) => key)).toEqual(['s0', 's1', 's2'])
    expect((await store.reader.steps.ofRuns(['b', 'a'])).map(({ run_id, key }) => run_id + key)).toEqual(['as0', 'as1', 'as2', 'bs0', 'bs1', 'bs2'])
    const [run] = await store.reader.runs.byIds(['a'])
    const { graph: _, input: __, output: ___, cancel: ____, ...shown } = run ?? runRow()
    expect(await store.reader.runs.summaries(['a'])).toStrictEqual([shown])
    const summaries = await store.reader.steps.summaries(['b', 'a'])
    expect(summaries.map(({ run_id, key }) => run_id + key)).toEqual(['as0', 'as1', 'as2', 'bs0', 'bs1', 'bs2'])
    const [step] = await store.reader.steps.ofRun('a')
    for (const [member, value] of Object.entries(summaries[0] ?? {})) expect(value, member).toEqual(step?.[member as keyof typeof step])
    expect(await store.reader.steps.countActive(['queued'])).toBe(6)
    expect(await store.reader.steps.countActive(['running'])).toBe(0)
  })

  test('a run is patched and its version counted up', async () => {
    const { store } = use()
    const run = await accept({})
    await store.write((t) => t.runs.patch(run.id, { listed: false, cancel: { by: 'ann' }, deleted_at: 5, message: 'm', reason: 'r' }))
    expect(await store.reader.runs.byId(run.id)).toStrictEqual({
      ...run,
      listed: false,
      cancel: { by: 'ann' },
      deleted_at: 5,
      message: 'm',
      reason: 'r',
      version: 2,
    })
  })

  test('pruning takes ended runs that are old or too many, with their steps, and never one that is active', async () => {
    const { store } = use()
    const ended = (n: number, patch: Partial<RunRow> = {}) => ({
      state: 'succeeded' as const,
      active: false,
      finished_at: n,
      created_at: n,
      ...patch,
    })
    const runs: RunRow[] = []
    for (let n = 1; n <= 8; n++) runs.push(await accept(ended(n)))
    await accept(ended(1, { kind: 'other' }))
    const active = await accept({ created_at: 1 })
    const ids = (numbers: number[]) => numbers.map((n) => runs[n - 1]?.id).sort()
    const prune = async (options: { before: number; beyond: RunPlace | null; limit: number }) =>
      (await store.write((t) => t.runs.prune('task', options))).sort()
    expect(await prune({ before: 3, beyond: null, limit: 1 })).toEqual(ids([1]))
    expect(await prune({ before: 3, beyond: null, limit: 10 })).toEqual(ids([2]))
    const back = (count: number, after: RunPlace | null = null) => store.reader.runs.placeOf('task', { back: count, after })
    const second = await back(2)
    expect(second).toEqual({ created_at: 7, id: runs[6]?.id })
    const beyond = await back(2, second)
    expect(beyond).toEqual({ created_at: 5, id: runs[4]?.id })
    expect([await back(6), await back(7), await back(3, beyond)]).toEqual([{ created_at: 3, id: runs[2]?.id }, null, null])
    expect(await prune({ before: 0, beyond, limit: 10 })).toEqual(ids([3, 4]))
    expect(await prune({ before: 0, beyond, limit: 10 })).toEqual([])
    const [child, orphan] = [await accept(ended(1, { parent_id: active.id })), await accept(ended(2, { parent_id: runs[0]?.id ?? '' }))]
    const past = (alone: boolean) => store.reader.runs.prunable('task', { before: 3, beyond: null, limit: 10, alone })
    expect([await past(true), await past(false)]).toEqual([[orphan.id], [child.id, orphan.id]])
    expect(await store.reader.steps.ofRun(runs[0]?.id ?? '')).toEqual([])
    expect(await store.reader.runs.byId(active.id)).not.toBeNull()
    expect((await store.reader.runs.page({ kinds: ['other'] }, null, 'newest', firstPage)).items).toHaveLength(1)
  })

  test('a server that ceased is found by its runs, and who takes them over fences it off', async () => {
    const { store } = use()
    const server = (id: string, lease_until: number) => ({ id, host: 'h', boot: 'b', started_at: 1, lease_until })
    await store.write((t) => t.servers.beat(server('server-a', 100)))
    await store.write((t) => t.servers.beat(server('server-b', 50)))
    await store.write((t) => t.servers.beat(server('server-b', 200)))
    expect(await store.reader.servers.all()).toEqual([server('server-a', 100), server('server-b', 200)])
    const run = await accept({})
    const gone = await accept({ active: false, state: 'succeeded' })
    expect(await store.reader.servers.orphans(99)).toEqual([])
    expect(await store.reader.servers.orphans(100)).toEqual(['server-a'])
    expect((await store.reader.runs.activeOf('server-a')).map(({ id }) => id)).toEqual([run.id])
    const taken = await store.write((t) => t.servers.takeOver('server-a', 'server-b'))
    expect(taken).toStrictEqual([{ ...run, owner: 'server-b', fence: 2, version: 2 }])
    expect((await store.engine.advance(advanceAct(run, { run: { state: 'failed' } }))).fenced).toBe(true)
    expect((await store.engine.advance(advanceAct(run, { owner: 'server-b', fence: 2, run: { state: 'failed' } }))).fenced).toBe(false)
    expect((await store.reader.runs.byId(gone.id))?.owner).toBe('server-a')
    await store.write((t) => t.servers.remove('server-a'))
    expect(await store.reader.servers.all()).toHaveLength(1)
  })

  test('gauges can be counted anew from the steps that hold them', async () => {
    const { store } = use()
    const places = [{ gauge: 'target:a=b', amount: 1, limit: 2 }]
    const acts = [acceptAct({}, places), acceptAct({}, places), acceptAct({}, places)]
    for (const act of acts) await store.engine.accept(act)
    await store.write((t) => t.servers.recount())
    const [first, , third] = acts
    if (first === undefined || third === undefined) throw new Error('there are three')
    const start = () => store.engine.advance(advanceAct(third.run, { starts: [{ key: 'main', places }] }))
    expect((await start()).refused).toHaveLength(1)
    await store.engine.advance(advanceAct(first.run, { steps: [{ key: 'main', attempt: 1, patch: { state: 'failed' } }] }))
    await store.write((t) => t.servers.recount())
    expect((await start()).started).toEqual(['main'])
  })

  test('schedules are unique by name while not deleted, come due in order, and move on once', async () => {
    const { store } = use()
    const row = scheduleRow('nightly', { next_at: 100, spec: { a: [1] } })
    expect(await store.write((t) => t.schedules.insert(row))).toStrictEqual({ ...row, version: 1 })
    await expectDuplicate(
      store.write((t) => t.schedules.insert(scheduleRow('nightly'))),
      'schedules.name',
    )
    for (const [name, patch] of [
      ['early', { next_at: 50 }],
      ['late', { next_at: 300 }],
      ['off', { next_at: 10, suspended: true }],
      ['gone', { next_at: 10, deleted_at: 1 }],
      ['never', {}],
    ] as const)
      await store.write((t) => t.schedules.insert(scheduleRow(name, patch)))
    expect(await store.reader.schedules.nextAt()).toBe(50)
    expect((await store.reader.schedules.due(100, 9)).map(({ name }) => name)).toEqual(['early', 'nightly'])
    expect(await store.reader.schedules.due(100, 1)).toHaveLength(1)
    const moved = await Promise.all([1, 2, 3].map(() => store.write((t) => t.schedules.advance(row.id, 100, { last_slot: 100, next_at: 200 }))))
    expect(moved.filter(Boolean)).toHaveLength(1)
    expect(await store.reader.schedules.byId(row.id)).toMatchObject({ last_slot: 100, next_at: 200 })
    await store.write((t) => t.schedules.update(row.id, { suspended: true, zone: 'Europe/Berlin' }))
    expect(await store.reader.schedules.byName('cron', 'weather', 'nightly')).toMatchObject({ suspended: true, zone: 'Europe/Berlin', version: 2 })
    const listed = await allPages(2, (page) => store.reader.schedules.page({ kind: 'cron', namespace: 'weather' }, null, page))
    expect(listed.map(({ name }) => name)).toEqual(['early', 'late', 'never', 'nightly', 'off'])
    await store.write((t) => t.schedules.update(row.id, { deleted_at: 5 }))
    await store.write((t) => t.schedules.insert(scheduleRow('nightly')))
  })

  test('an idempotency record is kept once and pruned by age', async () => {
    const { store } = use()
    const first = idempotencyRecord('k', { run: 'a' })
    const results = await Promise.all([first, idempotencyRecord('k', { run: 'b' })].map((record) => store.write((t) => t.idempotency.put(record))))
    expect(results[0]).toEqual(results[1])
    expect(await store.reader.idempotency.get('ann', 'POST /task', 'k')).toEqual(results[0])
    expect(await store.reader.idempotency.get('bob', 'POST /task', 'k')).toBeNull()
    expect(await store.write((t) => t.idempotency.prune(1, 10))).toBe(0)
    expect(await store.write((t) => t.idempotency.prune(2, 10))).toBe(1)
  })
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (const [i, text] of a.entries()) if (text !== b[i]) return text < (b[i] ?? '') ? -1 : 1
  return 0
}
