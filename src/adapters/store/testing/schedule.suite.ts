import { expect, test } from 'vitest'
import { acceptAct, advanceAct, runRow, scheduleRow } from './rows.ts'
import type { RunRow } from '../../../ports/store/rows.ts'
import type { LoadingRow } from '../../../ports/store/loading.ts'
import type { UseStore } from './fixtures.ts'

/** What schedules and loadings add to a store: exported, so that each engine's test is a few lines. */
export function scheduleSuite(use: UseStore): void {
  const made = async (name: string) => {
    const row = scheduleRow(name)
    await use().store.write((t) => t.schedules.insert(row))
    return row
  }
  const occur = async (scheduleId: string, at: number, patch: Partial<RunRow> = {}) => {
    const run = runRow(patch)
    const { outcome } = await use().store.engine.accept(acceptAct({ run, slot: { schedule_id: scheduleId, at }, starts: [] }))
    return { run, outcome }
  }
  const end = (run: RunRow, state: 'succeeded' | 'failed') =>
    use().store.engine.advance(advanceAct(run, { run: { state, active: false, finished_at: 9 } }))

  test('no occurrence of a schedule is accepted after it was suspended or deleted, also in one batch with others', async () => {
    const { store } = use()
    const [open, suspended, deleted] = [await made('open'), await made('suspended'), await made('deleted')]
    await store.write((t) => t.schedules.update(suspended.id, { suspended: true }))
    await store.write((t) => t.schedules.update(deleted.id, { deleted_at: 5 }))
    const all = [open, suspended, deleted].map(({ id }) => occur(id, 60))
    expect((await Promise.all(all)).map(({ outcome }) => outcome)).toEqual(['accepted', 'slot_taken', 'slot_taken'])
    expect(await store.reader.schedules.runOfSlot(suspended.id, 60)).toBeNull()
    await store.write((t) => t.schedules.update(suspended.id, { suspended: false }))
    expect((await occur(suspended.id, 60)).outcome).toBe('accepted')
  })

  test('the runs of a schedule are found by their slots: those that go on, and the latest', async () => {
    const { store } = use()
    const [one, two] = [await made('one'), await made('two')]
    const runs: RunRow[] = []
    for (const at of [100, 200, 300, 400]) runs.push((await occur(one.id, at)).run)
    const { run: other } = await occur(two.id, 100)
    await end(runs[1] as RunRow, 'failed')
    await end(runs[3] as RunRow, 'succeeded')
    const { schedules } = store.reader
    expect((await schedules.activeRuns([one.id])).map(({ id, at }) => [id, at])).toEqual([
      [runs[0]?.id, 100],
      [runs[2]?.id, 300],
    ])
    expect((await schedules.activeRuns([one.id, two.id])).map(({ schedule_id }) => schedule_id).sort()).toEqual([one.id, one.id, two.id].sort())
    expect(await schedules.activeRuns([])).toEqual([])
    const recent = await schedules.recentRuns(one.id, 2, [String(runs[0]?.id), other.id])
    expect(recent).toEqual([
      { schedule_id: one.id, at: 400, id: runs[3]?.id, name: runs[3]?.name, state: 'succeeded', active: false, listed: true },
      { schedule_id: one.id, at: 300, id: runs[2]?.id, name: runs[2]?.name, state: 'queued', active: true, listed: true },
      { schedule_id: one.id, at: 100, id: runs[0]?.id, name: runs[0]?.name, state: 'queued', active: true, listed: true },
    ])
    expect(await schedules.ofRun(other.id)).toBe(two.id)
    expect(await schedules.ofRun('none')).toBeNull()
    expect(await schedules.runOfSlot(one.id, 300)).toBe(runs[2]?.id)
  })

  test('old slots and schedules that were deleted long ago are forgotten, a piece at a time', async () => {
    const { store } = use()
    const [kept, gone] = [await made('kept'), await made('gone')]
    for (const at of [10, 20, 30, 1000]) await occur(kept.id, at)
    await store.write((t) => t.schedules.update(gone.id, { deleted_at: 50 }))
    expect(await store.write((t) => t.schedules.prune(500, 2))).toBe(3)
    expect(await store.write((t) => t.schedules.prune(500, 2))).toBe(1)
    expect(await store.write((t) => t.schedules.prune(500, 2))).toBe(0)
    expect(await store.reader.schedules.byId(gone.id)).toBeNull()
    expect(await store.reader.schedules.byId(kept.id)).not.toBeNull()
    expect(await store.reader.schedules.runOfSlot(kept.id, 1000)).not.toBeNull()
  })

  test('a loading keeps what it was told until it has ended, and nothing after', async () => {
    const { store } = use()
    const row = (id: string, patch: Partial<LoadingRow> = {}): LoadingRow => ({
      ...{
        id,
        kind: 'task',
        user_id: 'u',
        state: 'pending',
        step: 'resolving',
        repository: 'r',
        directory: 'd',
        branch: null,
        commit: null,
        size: 0,
      },
      ...{ created_at: 100, finished_at: null, error: null, problems: [], configuration: null },
      ...patch,
    })
    const rows = [row('a'), row('b', { created_at: 50 }), row('c', { user_id: 'v' })]
    await store.write(async (t) => {
      for (const each of rows) await t.loadings.insert(each)
    })
    expect(await store.reader.loadings.byId('a')).toStrictEqual(rows[0])
    expect((await store.reader.loadings.unfinished(101, 9)).map(({ id }) => id)).toEqual(['b', 'a', 'c'])
    expect((await store.reader.loadings.unfinished(Number.MAX_SAFE_INTEGER, 1)).map(({ id }) => id)).toEqual(['b'])
    const done: Partial<LoadingRow> = {
      state: 'succeeded',
      configuration: { a: [1] },
      problems: [{ path: '/x' }],
      commit: 'f',
      finished_at: 200,
      size: 7,
    }
    expect(await store.write((t) => t.loadings.update('a', done))).toBe(true)
    expect(await store.write((t) => t.loadings.update('a', { state: 'failed' }))).toBe(false)
    expect(await store.reader.loadings.byId('a')).toStrictEqual({ ...rows[0], ...done })
    expect(await store.reader.loadings.usage('u', 199)).toEqual({ open: 2, own: 2, bytes: 7 })
    expect(await store.reader.loadings.usage('u', 200)).toEqual({ open: 2, own: 1, bytes: 0 })
    expect(await store.write((t) => t.loadings.prune(200))).toBe(0)
    expect(await store.write((t) => t.loadings.prune(201))).toBe(1)
    expect(await store.reader.loadings.byId('b')).not.toBeNull()
  })
}
