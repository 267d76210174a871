import { expect, test } from 'vitest'
import { systemIds } from '../../../core/kernel/id.ts'
import type { RunPlace } from '../../../ports/store/runs.ts'
import type { TriggerEventRow, WorkflowTriggerRow, WorkflowVersionRow } from '../../../ports/store/workflows.ts'
import { allPages, firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'
import { acceptAct, runRow, stepRow } from './rows.ts'

function versionRow(patch: Partial<WorkflowVersionRow> = {}): WorkflowVersionRow {
  return {
    id: systemIds.record(),
    workflow_id: 'workflow',
    number: 1,
    state: 'draft',
    document: { steps: [{ name: 'Ä "x"' }] },
    created_by: 'ann',
    created_by_name: 'Ann',
    created_at: 5,
    ...patch,
  }
}

function triggerRow(patch: Partial<WorkflowTriggerRow> = {}): WorkflowTriggerRow {
  return {
    id: systemIds.opaque(),
    name: 'When pushed',
    type: 'push',
    spec: { repository: 'lab/weather', branches: ['main'] },
    require_auth: true,
    owner_id: 'ann',
    sealed: null,
    last_error: null,
    created_at: 5,
    updated_at: 6,
    ...patch,
  }
}

function eventRow(patch: Partial<TriggerEventRow> = {}): TriggerEventRow {
  return {
    id: systemIds.record(),
    trigger_id: 'trigger',
    workflow_id: 'workflow',
    message: { deep: [1, { yes: true }] },
    depth: 0,
    state: 'waiting',
    attempt: 0,
    next_at: 10,
    owner: '',
    lease_until: 0,
    job_id: null,
    error: null,
    created_at: 10,
    finished_at: null,
    ...patch,
  }
}

const most = 1000
const started = { state: 'started', attempt: 1, next_at: 10, job_id: 'job', error: null, finished_at: 40 } as const

/** What every store must do with versions of workflows, their triggers and events, and shared lists. */
export function workflowSuite(use: UseStore): void {
  test('versions of a workflow come back whole, are listed newest first and count up', async () => {
    const { store } = use()
    const first = versionRow()
    const second = versionRow({ number: 2 })
    expect(await store.reader.workflowVersions.lastNumber('workflow')).toBe(0)
    await store.write(async (t) => {
      await t.workflowVersions.insert(first)
      await t.workflowVersions.insert(second)
      await t.workflowVersions.insert(versionRow({ workflow_id: 'other', number: 7 }))
    })
    const { workflowVersions } = store.reader
    expect(await workflowVersions.byId(first.id)).toStrictEqual(first)
    expect((await workflowVersions.ofWorkflow('workflow')).map(({ id }) => id)).toEqual([second.id, first.id])
    expect(await workflowVersions.lastNumber('workflow')).toBe(2)
    await store.write((t) => t.workflowVersions.publish(second.id))
    expect((await workflowVersions.byId(second.id))?.state).toBe('published')
    await store.write((t) => t.workflowVersions.delete(first.id))
    expect(await workflowVersions.byId(first.id)).toBeNull()
  })

  test('a trigger starts the workflows that are bound to it, each of which is bound to one', async () => {
    const { store } = use()
    const push = triggerRow()
    const timer = triggerRow({ type: 'cron', created_at: 7, sealed: 'v1.x', require_auth: false })
    await store.write(async (t) => {
      await t.workflowTriggers.insert(push)
      await t.workflowTriggers.insert(timer)
      await t.workflowTriggers.bind('a', push.id)
      await t.workflowTriggers.bind('b', push.id)
      await t.workflowTriggers.bind('b', timer.id)
    })
    const { workflowTriggers } = store.reader
    expect(await workflowTriggers.byId(timer.id)).toStrictEqual(timer)
    expect([await workflowTriggers.boundTo(push.id), await workflowTriggers.boundTo(timer.id)]).toEqual([['a'], ['b']])
    expect(await workflowTriggers.bound('push')).toStrictEqual([push])
    expect(await workflowTriggers.bound()).toStrictEqual([push, timer])
    expect(await allPages(1, (page) => workflowTriggers.page({}, page))).toHaveLength(2)
    expect((await workflowTriggers.page({ type: 'cron' }, firstPage)).items).toStrictEqual([timer])
    await store.write(async (t) => {
      await t.workflowTriggers.update(push.id, { last_error: 'broken', updated_at: 9 })
      await t.workflowTriggers.bind('a', null)
      await t.workflowTriggers.delete(timer.id)
    })
    expect(await workflowTriggers.byId(push.id)).toStrictEqual({ ...push, last_error: 'broken', updated_at: 9 })
    expect([await workflowTriggers.bound(), await workflowTriggers.byId(timer.id)]).toEqual([[], null])
  })

  test('an event is taken up once, however often it comes, and not where too many wait', async () => {
    const { store } = use()
    const row = eventRow()
    const queue = (one: TriggerEventRow, limit = most) => store.write((t) => t.triggerEvents.queue(one, limit))
    expect(await queue(row)).toBe('taken')
    expect(await queue({ ...row, message: {} })).toBe('known')
    expect(await store.reader.triggerEvents.byId(row.id)).toStrictEqual(row)
    expect([await queue(row, 1), await queue(eventRow(), 1), await queue(eventRow({ workflow_id: 'other' }), 1)]).toEqual(['known', 'full', 'taken'])
    expect(await queue(eventRow({ state: 'refused', error: 'too deep', finished_at: 3 }), 1)).toBe('taken')
    expect(await allPages(1, (page) => store.reader.triggerEvents.page('trigger', page))).toHaveLength(3)
  })

  test('a due event is taken by one server, the longest waiting first, and settled by that one only', async () => {
    const { store } = use()
    const { triggerEvents } = store.reader
    const [late, early, future] = [eventRow({ next_at: 20 }), eventRow({ next_at: 10 }), eventRow({ next_at: 90 })]
    await store.write(async (t) => {
      for (const row of [late, early, future]) await t.triggerEvents.queue(row, most)
    })
    expect(await triggerEvents.nextAt()).toBe(10)
    const take = (owner: string, now: number, until: number, limit = 10) => store.write((t) => t.triggerEvents.take(owner, now, until, limit))
    const mine = await take('one', 50, 80, 1)
    expect(mine).toStrictEqual([{ ...early, owner: 'one', lease_until: 80 }])
    expect((await take('two', 50, 80)).map(({ id }) => id)).toEqual([late.id])
    expect(await take('two', 50, 80)).toEqual([])
    expect(await triggerEvents.nextAt()).toBe(80)
    const settle = (id: string, owner: string, patch: Parameters<typeof triggerEvents.settle>[2]) =>
      store.write((t) => t.triggerEvents.settle(id, owner, patch))
    expect(await settle(early.id, 'two', started)).toBe(false)
    expect(await settle(early.id, 'one', started)).toBe(true)
    expect(await settle(early.id, 'one', { ...started, state: 'refused' })).toBe(false)
    expect(await triggerEvents.byId(early.id)).toStrictEqual({ ...early, ...started })
    expect((await take('one', 85, 99)).map(({ id }) => id)).toEqual([late.id])
    expect(await store.write((t) => t.triggerEvents.release('two'))).toBe(1)
    expect((await take('two', 86, 99)).map(({ id }) => id)).toEqual([late.id])
    expect(await store.write((t) => t.triggerEvents.prune(40, 10))).toBe(0)
    expect(await store.write((t) => t.triggerEvents.prune(41, 10))).toBe(1)
  })

  test('of two servers that take events at the same time each gets others', async () => {
    const { store } = use()
    const rows = Array.from({ length: 40 }, () => eventRow())
    await store.write(async (t) => {
      for (const row of rows) await t.triggerEvents.queue(row, most)
    })
    const takes = Array.from({ length: 8 }, (_, server) => store.write((t) => t.triggerEvents.take(`server-${server}`, 20, 50, 7)))
    const taken = (await Promise.all(takes)).flat().map(({ id }) => id)
    expect(new Set(taken).size).toBe(taken.length)
    for (let more = taken.length; more < 40; ) {
      const next = await store.write((t) => t.triggerEvents.take('last', 20, 60, 40))
      expect(next.length).toBeGreaterThan(0)
      more += next.length
      taken.push(...next.map(({ id }) => id))
    }
    expect(new Set(taken).size).toBe(40)
  })

  test('one server keeps a trigger, until its time is over or it lets go of it', async () => {
    const { store } = use()
    const claim = (owner: string, now: number, until: number) => store.write((t) => t.triggerKeepers.claim('trigger', owner, now, until))
    expect([await claim('one', 0, 30), await claim('two', 10, 40), await claim('one', 20, 50), await claim('two', 30, 60)]).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(await claim('two', 50, 80)).toBe(true)
    await store.write((t) => t.triggerKeepers.release('trigger', 'one'))
    expect(await claim('one', 60, 90)).toBe(false)
    await store.write((t) => t.triggerKeepers.release('trigger', 'two'))
    expect(await claim('one', 60, 90)).toBe(true)
    await store.write((t) => t.triggerKeepers.releaseOthers('two'))
    expect(await claim('two', 61, 90)).toBe(true)
  })

  test('ended runs of one workflow are told apart from those of others, and their steps go a few at a time', async () => {
    const { store } = use()
    const ended = (resource: string | null, n: number) =>
      runRow({ kind: 'workflow', resource_id: resource, state: 'succeeded', active: false, created_at: n, finished_at: n })
    const [own, other, none] = [ended('own', 1), ended('other', 2), ended(null, 3)]
    const active = runRow({ kind: 'workflow', resource_id: 'own', created_at: 1 })
    for (const run of [own, other, none, active]) {
      const steps = ['a', 'b', 'c'].map((key) => stepRow(run.id, key))
      await store.engine.accept(acceptAct({ run, steps, unique: false }))
    }
    const past = (more: object) => store.reader.runs.prunable('workflow', { before: 10, beyond: null, limit: 10, ...more })
    const placeOf = (back: number, after: RunPlace | null) => store.reader.runs.placeOf('workflow', { back, after, except: ['other'] })
    expect(await past({})).toEqual([own.id, other.id, none.id])
    expect(await past({ of: 'own' })).toEqual([own.id])
    expect(await past({ except: ['own', 'nowhere'] })).toEqual([other.id, none.id])
    const [first, second] = [await placeOf(1, null), await placeOf(2, null)]
    expect([first, second, await placeOf(1, first), await placeOf(3, null)]).toEqual([
      { created_at: 3, id: none.id },
      { created_at: 1, id: own.id },
      { created_at: 1, id: own.id },
      null,
    ])
    expect(await past({ before: 0, beyond: first, except: ['other'] })).toEqual([own.id])
    const drop = (ids: string[]) => store.write((t) => t.steps.drop(ids, 2))
    expect([await drop([own.id, active.id]), await drop([own.id]), await drop([own.id])]).toEqual([2, 1, 0])
    expect(await store.reader.steps.ofRun(active.id)).toHaveLength(3)
    expect(await store.write((t) => t.runs.prune('workflow', { before: 10, beyond: null, limit: 10, of: 'own' }))).toEqual([own.id])
    expect(await past({})).toEqual([other.id, none.id])
  })

  test('the rows of a shared list come oldest first and go one by one or all', async () => {
    const { store } = use()
    const row = (at: number, artifact = 'list') => ({ id: systemIds.record(), artifact_id: artifact, value: { at, text: 'ä' }, created_at: at })
    const rows = [row(3), row(1), row(2)]
    await store.write(async (t) => {
      for (const one of [...rows, row(1, 'other')]) await t.artifactEntities.insert(one)
    })
    const { artifactEntities } = store.reader
    expect(await allPages(2, (page) => artifactEntities.page('list', page))).toStrictEqual([rows[1], rows[2], rows[0]])
    expect(await artifactEntities.count('list')).toBe(3)
    const id = rows[0]?.id ?? ''
    expect(await store.write((t) => t.artifactEntities.delete('other', id))).toBe(false)
    expect(await store.write((t) => t.artifactEntities.delete('list', id))).toBe(true)
    expect(await store.write((t) => t.artifactEntities.clear('list'))).toBe(2)
    expect([await artifactEntities.count('list'), await artifactEntities.count('other')]).toEqual([0, 1])
  })
}
