import { expect, test } from 'vitest'
import { firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'
import { acceptAct, advanceAct, auditRow, runRow, stepRow } from './rows.ts'
import type { AcceptAct, IdempotencyRecord } from '../../../ports/store/runs.ts'

const place = (gauge: string, limit: number, amount = 1) => ({ gauge, amount, limit })

export function acceptSuite(use: UseStore): void {
  test('an accepted run is there whole: run, steps, places and audit line, member by member', async () => {
    const { store } = use()
    const run = runRow({ input: [1, null, { a: 'ü' }], graph: { nodes: {} }, message: 'm', resource_id: 'r' })
    const line = auditRow()
    const act = acceptAct({
      run,
      steps: [
        stepRow(run.id, 'a', { handle: { x: 1 }, output: 'text', attempts: [] }),
        stepRow(run.id, 'b', { position: 1, state: 'waiting', due_at: 9 }),
      ],
      starts: [{ key: 'a', places: [place('namespace:weather', 2), place('cpu:local', 4, 1.5)] }],
      audit: [line],
    })
    expect(await store.engine.accept(act)).toStrictEqual({ outcome: 'accepted', started: ['a'], refused: [], replaced: null })
    // A step that starts in the same commit makes the run a running one.
    expect(await store.reader.runs.byId(run.id)).toStrictEqual({ ...run, state: 'running', started_at: run.created_at })
    const [a, b] = act.steps
    expect(await store.reader.steps.ofRun(run.id)).toStrictEqual([{ ...a, state: 'starting', held: ['namespace:weather=1', 'cpu:local=1.5'] }, b])
    expect((await store.reader.audit.page({}, firstPage)).items).toStrictEqual([line])
  })

  test('of many runs under one active name exactly one is accepted, and the others learn which', async () => {
    const { store } = use()
    const acts = Array.from({ length: 20 }, () => acceptAct({ run: runRow({ name: 'one' }), audit: [auditRow()] }))
    const results = await Promise.all(acts.map((act) => store.engine.accept(act)))
    const accepted = acts.filter((_, i) => results[i]?.outcome === 'accepted')
    expect(accepted).toHaveLength(1)
    for (const result of results) if (result.outcome !== 'accepted') expect(result).toEqual({ outcome: 'name_taken', id: accepted[0]?.run.id })
    expect((await store.reader.audit.page({}, firstPage)).items).toHaveLength(1)
    expect((await store.reader.runs.page({}, null, 'newest', firstPage)).items).toHaveLength(1)
    // Another kind or namespace, or a run that does not ask for it, may share the name.
    for (const act of [acceptAct({ run: runRow({ name: 'one', kind: 'pipeline' }) }), acceptAct({ run: runRow({ name: 'one', namespace: '' }) })])
      expect((await store.engine.accept(act)).outcome).toBe('accepted')
    const shared = await Promise.all(
      [1, 2].map(() => store.engine.accept(acceptAct({ run: runRow({ name: 'many', kind: 'build' }), unique: false }))),
    )
    expect(shared.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted'])
  })

  test('a name is free again when its run has ended: the ended ones leave the lists and the newest of them is named', async () => {
    const { store } = use()
    const ended = [
      runRow({ name: 'n', active: false, state: 'failed', created_at: 5 }),
      runRow({ name: 'n', active: false, state: 'failed', created_at: 9 }),
    ]
    for (const run of ended) await store.engine.accept(acceptAct({ run, unique: false, starts: [] }))
    const next = acceptAct({ run: runRow({ name: 'n', created_at: 10 }) })
    expect(await store.engine.accept(next)).toEqual({ outcome: 'accepted', started: ['main'], refused: [], replaced: ended[1]?.id })
    const listed = (await store.reader.runs.page({ listed: true }, null, 'newest', firstPage)).items
    expect(listed.map(({ id }) => id)).toEqual([next.run.id])
    expect((await store.reader.runs.byId(ended[0]?.id ?? ''))?.listed).toBe(false)
    expect((await store.reader.runs.activeNamed('task', 'weather', 'n'))?.id).toBe(next.run.id)
    expect((await store.reader.runs.listedNamed('task', 'weather', 'n'))?.id).toBe(next.run.id)
  })

  test('a run that is marked as deleted gives its name up, though it is still active', async () => {
    const { store } = use()
    const old = runRow({ name: 'going' })
    await store.engine.accept(acceptAct({ run: old }))
    await store.write(({ runs }) => runs.patch(old.id, { listed: false, deleted_at: 7 }))
    const next = acceptAct({ run: runRow({ name: 'going' }) })
    expect(await store.engine.accept(next)).toMatchObject({ outcome: 'accepted', replaced: null })
    expect(await store.engine.accept(acceptAct({ run: runRow({ name: 'going' }) }))).toEqual({ outcome: 'name_taken', id: next.run.id })
    expect((await store.reader.runs.byId(old.id))?.active).toBe(true)
  })

  test('one idempotency key accepts one run, whoever asks at the same time, and keeps what the first answer was', async () => {
    const { store } = use()
    const old = runRow({ name: 'x', active: false, state: 'succeeded' })
    await store.engine.accept(acceptAct({ run: old, unique: false, starts: [] }))
    const acts = Array.from({ length: 15 }, () => {
      const run = runRow({ name: 'x' })
      return acceptAct({ run, idempotency: idempotencyRecord('k', { run: run.id, replaced: null }), audit: [auditRow()] })
    })
    const results = await Promise.all(acts.map((act) => store.engine.accept(act)))
    const winner = acts[results.findIndex(({ outcome }) => outcome === 'accepted')]
    const kept = { ...winner?.idempotency, outcome: { run: winner?.run.id, replaced: old.id } }
    expect(results.filter(({ outcome }) => outcome === 'accepted')).toEqual([
      { outcome: 'accepted', started: ['main'], refused: [], replaced: old.id },
    ])
    for (const result of results) if (result.outcome !== 'accepted') expect(result).toEqual({ outcome: 'replayed', record: kept })
    expect(await store.reader.idempotency.get('ann', 'POST /task', 'k')).toEqual(kept)
    expect((await store.reader.audit.page({}, firstPage)).items).toHaveLength(1)
  })

  test('a refused name is remembered under the idempotency key, a full queue or a taken slot is not', async () => {
    const { store } = use()
    const first = acceptAct({ run: runRow({ name: 'x' }) })
    await store.engine.accept(first)
    const again = acceptAct({ run: runRow({ name: 'x' }), idempotency: idempotencyRecord('c', { run: 'r' }) })
    expect(await store.engine.accept(again)).toEqual({ outcome: 'name_taken', id: first.run.id })
    const kept = { ...idempotencyRecord('c', { conflict: first.run.id }) }
    expect(await store.engine.accept(again)).toEqual({ outcome: 'replayed', record: kept })
    const full = acceptAct({ queueLimit: 0, idempotency: idempotencyRecord('q', {}), slot: { schedule_id: 's', at: 60 } })
    expect(await store.engine.accept(full)).toEqual({ outcome: 'queue_full' })
    expect(await store.reader.idempotency.get('ann', 'POST /task', 'q')).toBeNull()
    expect(await store.reader.runs.byId(full.run.id)).toBeNull()
    // The slot was given back with it, and is then taken once.
    expect((await store.engine.accept({ ...full, queueLimit: null })).outcome).toBe('accepted')
    const late = acceptAct({ idempotency: idempotencyRecord('l', {}), slot: { schedule_id: 's', at: 60 } })
    expect(await store.engine.accept(late)).toEqual({ outcome: 'slot_taken' })
    expect(await store.reader.idempotency.get('ann', 'POST /task', 'l')).toBeNull()
  })

  test('a slot of a schedule makes one run, even when the name is free again', async () => {
    const { store } = use()
    const acts = Array.from({ length: 10 }, (_, i) => acceptAct({ run: runRow({ name: `c-${i}` }), slot: { schedule_id: 's', at: 120 } }))
    const results = await Promise.all(acts.map((act) => store.engine.accept(act)))
    expect(results.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(1)
    expect(results.filter(({ outcome }) => outcome === 'slot_taken')).toHaveLength(9)
    const taken = acceptAct({ run: runRow({ name: 'x' }) })
    await store.engine.accept(taken)
    const refused = acceptAct({ run: runRow({ name: 'x' }), slot: { schedule_id: 's', at: 180 } })
    expect((await store.engine.accept(refused)).outcome).toBe('name_taken')
    await store.engine.advance(advanceAct(taken.run, { run: { state: 'succeeded', active: false } }))
    expect((await store.engine.accept(refused)).outcome).toBe('accepted')
  })

  test('a queue holds as many waiting runs of a kind and namespace as its limit says', async () => {
    const { store } = use()
    const some = (patch: Partial<AcceptAct['run']> = {}) => acceptAct({ run: runRow(patch), queueLimit: 3, starts: [] })
    const results = await Promise.all(Array.from({ length: 8 }, () => store.engine.accept(some())))
    expect(results.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(3)
    expect(results.filter(({ outcome }) => outcome === 'queue_full')).toHaveLength(5)
    expect((await store.engine.accept(some({ namespace: 'other' }))).outcome).toBe('accepted')
    const [waiting] = (await store.reader.runs.page({ namespace: 'weather' }, null, 'newest', firstPage)).items
    if (waiting === undefined) throw new Error('three were accepted')
    await store.engine.advance(advanceAct(waiting, { run: { state: 'running' } }))
    expect((await store.engine.accept(some())).outcome).toBe('accepted')
    expect((await store.engine.accept(some())).outcome).toBe('queue_full')
  })

  test('a step that finds no place stays queued and says which limit it waits for', async () => {
    const { store } = use()
    const accept = (places: ReturnType<typeof place>[]) => {
      const act = acceptAct({}, places)
      return store.engine.accept(act).then((result) => ({ act, result }))
    }
    await accept([place('namespace:a', 1), place('target:local', 5)])
    const quota = await accept([place('target:local', 5), place('namespace:a', 1)])
    expect(quota.result).toMatchObject({ started: [], refused: [{ key: 'main', gauge: 'namespace:a' }] })
    expect(await store.reader.steps.one(quota.act.run.id, 'main')).toMatchObject({ state: 'queued', reason: 'waiting_for_quota', held: [] })
    const capacity = await accept([place('memory:local', 100, 101)])
    expect(await store.reader.steps.one(capacity.act.run.id, 'main')).toMatchObject({ state: 'queued', reason: 'waiting_for_capacity' })
    // The refused one gave back what it had taken of the other gauge: four more fit, a fifth does not.
    const results = await Promise.all(Array.from({ length: 6 }, () => accept([place('target:local', 5)])))
    expect(results.filter(({ result }) => result.outcome === 'accepted' && result.started.length === 1)).toHaveLength(4)
  })

  test('a run that cannot be accepted takes nothing of the commit that it shared', async () => {
    const { store } = use()
    const good = Array.from({ length: 5 }, () => acceptAct({ audit: [auditRow()] }))
    const line = auditRow()
    await store.write((t) => t.audit.append([line]))
    const bad = acceptAct({ audit: [auditRow(), line] }, [place('target:one', 1)])
    const results = await Promise.allSettled([...good, bad].map((act) => store.engine.accept(act)))
    expect(results.map(({ status }) => status)).toEqual([...good.map(() => 'fulfilled'), 'rejected'])
    expect(await store.reader.runs.byId(bad.run.id)).toBeNull()
    expect(await store.reader.steps.ofRun(bad.run.id)).toEqual([])
    expect((await store.engine.accept(acceptAct({}, [place('target:one', 1)]))).outcome).toBe('accepted')
    expect((await store.reader.audit.page({}, firstPage)).items).toHaveLength(6)
  })
}

export function idempotencyRecord(key: string, outcome: IdempotencyRecord['outcome']): IdempotencyRecord {
  return { identity: 'ann', route: 'POST /task', key, fingerprint: 'f', outcome, at: 1 }
}
