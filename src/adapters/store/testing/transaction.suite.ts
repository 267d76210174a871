import { expect, test } from 'vitest'
import { firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'
import { acceptAct, resourceRow, runRow, stepRow } from './rows.ts'

export function transactionSuite(use: UseStore): void {
  test('a write that throws is undone alone, while those that share its commit stay', async () => {
    const { store } = use()
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        store.write(async (t) => {
          const made = await t.resources.insert(resourceRow('x', `n${i}`))
          await t.grants.set({ resource_id: made.id, subject_id: 's', subject_kind: 'user', level: 'read', extras: [], created_at: 1 })
          if (i % 3 === 0) throw new Error(`refused ${i}`)
          return made.name
        }),
      ),
    )
    for (const [i, result] of results.entries()) {
      if (i % 3 === 0) expect(result).toMatchObject({ status: 'rejected', reason: { message: `refused ${i}` } })
      else expect(result).toEqual({ status: 'fulfilled', value: `n${i}` })
      expect((await store.reader.resources.byName('x', `n${i}`)) !== null).toBe(i % 3 !== 0)
    }
    expect(await store.reader.grants.ofSubject('s')).toHaveLength(13)
  })

  test('a write sees its own rows, and nobody else does before it is durable', async () => {
    const { store } = use()
    await store.write(async (t) => {
      const made = await t.resources.insert(resourceRow('x', 'new'))
      expect(await t.resources.byId(made.id)).toStrictEqual(made)
      expect(await store.reader.resources.byId(made.id)).toBeNull()
    })
    expect(await store.reader.resources.byName('x', 'new')).not.toBeNull()
  })

  test('writes that check and then act are carried out as if one after the other', async () => {
    const { store } = use()
    const take = (i: number) =>
      store.write(async (t) => {
        const all = await t.resources.page({ kind: 'seat' }, { userId: 'x', administrator: true }, { need: 'read', ownerIsAdmin: false }, firstPage)
        if (all.items.length < 2) await t.resources.insert(resourceRow('seat', `seat${i}`))
      })
    await Promise.all(Array.from({ length: 8 }, (_, i) => take(i)))
    const seats = await store.reader.resources.page(
      { kind: 'seat' },
      { userId: 'x', administrator: true },
      { need: 'read', ownerIsAdmin: false },
      firstPage,
    )
    expect(seats.items).toHaveLength(2)
  })

  test('several reads of one snapshot do not see what was committed between them', async () => {
    const { store } = use()
    await store.write((t) => t.settings.set('a', { n: 1 }))
    await store.read(async (t) => {
      expect(await t.settings.get('a')).toEqual({ n: 1 })
      await store.write((w) => w.settings.set('a', { n: 2 }))
      expect(await t.settings.get('a')).toEqual({ n: 1 })
      expect(await store.reader.settings.get('a')).toEqual({ n: 2 })
    })
    expect(await store.read((t) => t.settings.get('a'))).toEqual({ n: 2 })
    await expect(store.read((t) => t.settings.set('a', { n: 3 }))).rejects.toThrow()
    expect(await store.reader.settings.get('a')).toEqual({ n: 2 })
  })

  test('texts that cannot be kept as they are become the same everywhere, in rows, lists and sets of acts', async () => {
    const { store } = use()
    const odd = 'a\0b\ud800c'
    const kept = 'a\u{fffd}b\u{fffd}c'
    const acts = [odd, `${odd}2`].map((name) => acceptAct({ run: runRow({ name, spec: { odd } }) }))
    const runs = await Promise.all(acts.map((act) => store.engine.accept({ ...act, steps: [...act.steps, stepRow(act.run.id, odd)] })))
    expect(runs.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted'])
    expect((await store.reader.runs.activeNamed('task', 'weather', odd))?.name).toBe(kept)
    expect((await store.reader.runs.byIds([odd, acts[0]?.run.id ?? ''])).map(({ name, spec }) => [name, spec])).toEqual([[kept, { odd }]])
    expect((await store.reader.steps.ofRun(acts[0]?.run.id ?? '')).map(({ key }) => key).sort()).toEqual([kept, 'main'])
    expect((await store.engine.accept(acceptAct({ run: runRow({ name: odd }) }))).outcome).toBe('name_taken')
  })

  test('a store says that it is well and how long a commit takes', async () => {
    const { store } = use()
    expect(await store.health()).toBeNull()
    expect(await store.measureCommit()).toBeGreaterThan(0)
  })

  test('the bus brings a message to every listener of its topic, own ones included, until they let go', async () => {
    const { store } = use()
    const heard: string[] = []
    const two = new Promise<void>((resolve) => {
      store.bus.subscribe('t', (message) => {
        heard.push(`first ${message}`)
        if (message === 'b') resolve()
      })
    })
    const release = store.bus.subscribe('t', (message) => {
      heard.push(`second ${message}`)
      release()
    })
    store.bus.subscribe('other', (message) => heard.push(`other ${message}`))
    store.bus.publish('t', 'a')
    store.bus.publish('t', 'b')
    await two
    expect(heard).toEqual(['first a', 'second a', 'first b'])
  })

  test('a store that is closed refuses, and closing waits for what was handed in', async () => {
    const { store } = use()
    const act = acceptAct()
    const accepted = store.engine.accept(act)
    await Promise.all([store.close(), store.close()])
    expect((await accepted).outcome).toBe('accepted')
    await expect(store.write((t) => t.settings.get('a'))).rejects.toMatchObject({ name: 'StoreUnavailable' })
    await expect(store.engine.accept(act)).rejects.toMatchObject({ name: 'StoreUnavailable' })
    await expect(store.reader.settings.get('a')).rejects.toMatchObject({ name: 'StoreUnavailable' })
  })
}
