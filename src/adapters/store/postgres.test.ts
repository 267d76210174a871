import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPostgres } from '../../../test/support/postgres.ts'
import type { TestPostgres } from '../../../test/support/postgres.ts'
import { systemClock } from '../../core/kernel/clock.ts'
import type { Store } from '../../ports/store/store.ts'
import { openPostgresStore } from './postgres/store.ts'
import { openSqliteStore } from './sqlite/store.ts'
import { storeSuite } from './store.suite.ts'
import { testLog } from './testing/fixtures.ts'
import { playHistory, randomHistory } from './testing/history.ts'
import { seeded } from './testing/random.ts'
import { acceptAct, advanceAct, resourceRow, runRow, userRow } from './testing/rows.ts'

const postgres = await startPostgres({ durable: false })

if ('missing' in postgres) {
  describe('the store on PostgreSQL', () => {
    test.skip(`skipped: ${postgres.missing}`, () => {})
  })
} else {
  const open = (url: string) => openPostgresStore({ url, log: testLog, clock: systemClock })
  storeSuite('PostgreSQL', { open: async () => open(await postgres.database()), cleanUp: async () => {} })
  describe('several servers over one PostgreSQL', () => ownSuite(postgres, open))
  describe('a PostgreSQL that goes away', () => lossSuite(open))
  afterAll(() => postgres.stop())
}

function ownSuite(server: TestPostgres, open: (url: string) => Promise<Store>): void {
  const serversOf = async (count: number, work: (stores: Store[]) => Promise<void>) => {
    const url = await server.database()
    // All at once: the first to come makes the tables, the others wait for it.
    const stores = await Promise.all(Array.from({ length: count }, () => open(url)))
    try {
      await work(stores)
    } finally {
      await Promise.all(stores.map((store) => store.close()))
    }
  }

  test('of many accepts of one name, key or slot on several servers exactly one goes through', () =>
    serversOf(3, async (stores) => {
      const outcomes = async (act: (i: number) => ReturnType<typeof acceptAct>) => {
        const results = await Promise.all(Array.from({ length: 24 }, (_, i) => stores[i % 3]?.engine.accept(act(i))))
        return results.map((result) => result?.outcome).sort()
      }
      const others = (outcome: string) => ['accepted', ...Array.from({ length: 23 }, () => outcome)].sort()
      expect(await outcomes(() => acceptAct({ run: runRow({ name: 'one' }) }))).toEqual(others('name_taken'))
      expect(await outcomes((i) => acceptAct({ run: runRow({ name: `s${i}` }), slot: { schedule_id: 's', at: 1 } }))).toEqual(others('slot_taken'))
      const record = { identity: 'i', route: 'r', key: 'k', fingerprint: 'f', outcome: {}, at: 1 }
      expect(await outcomes((i) => acceptAct({ run: runRow({ name: `k${i}` }), idempotency: record }))).toEqual(others('replayed'))
    }))

  test('a limit holds over all servers', () =>
    serversOf(3, async (stores) => {
      const places = [
        { gauge: 'namespace:a', amount: 1, limit: 4 },
        { gauge: 'cpu:local', amount: 2, limit: 20 },
      ]
      const acts = Array.from({ length: 30 }, () => acceptAct({}, places))
      const results = await Promise.all(acts.map((act, i) => stores[i % 3]?.engine.accept(act)))
      expect(results.filter((result) => result?.outcome === 'accepted' && result.started.length === 1)).toHaveLength(4)
    }))

  test('serials, names and operations that check first hold over all servers', () =>
    serversOf(2, async (stores) => {
      const made = await Promise.all(Array.from({ length: 12 }, (_, i) => stores[i % 2]?.write((t) => t.users.insert(userRow(`u${i}`)))))
      expect(made.map((user) => user?.serial).sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
      const same = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) => stores[i % 2]?.write((t) => t.resources.insert(resourceRow('repository', 'same')))),
      )
      expect(same.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    }))

  test('who takes a run over is obeyed, and who lost it is fenced off at once', () =>
    serversOf(2, async ([first, second]) => {
      const act = acceptAct()
      await first?.engine.accept(act)
      await second?.write((t) => t.servers.takeOver('server-a', 'server-b'))
      expect((await first?.engine.advance(advanceAct(act.run, { run: { state: 'running' } })))?.fenced).toBe(true)
      expect((await second?.engine.advance(advanceAct(act.run, { owner: 'server-b', fence: 2, run: { state: 'running' } })))?.fenced).toBe(false)
    }))

  test('a message reaches the listeners of all servers once, if it is not too long', () =>
    serversOf(2, async ([first, second]) => {
      const heard: string[] = []
      const done = new Promise<void>((resolve) => {
        first?.bus.subscribe('t', (message) => heard.push(`first ${message.length}`))
        second?.bus.subscribe('t', (message) => {
          heard.push(`second ${message.length}`)
          if (message === 'last') resolve()
        })
      })
      // The connections for listening come up by themselves: ask until one message has gone through.
      const up = new Promise<void>((resolve) => second?.bus.subscribe('up', () => resolve()))
      const asking = setInterval(() => first?.bus.publish('up', ''), 20)
      await up
      clearInterval(asking)
      first?.bus.publish('t', 'x'.repeat(7000))
      first?.bus.publish('t', 'x'.repeat(9000))
      first?.bus.publish('t', 'last')
      await done
      expect(heard.sort()).toEqual(['first 4', 'first 7000', 'first 9000', 'second 4', 'second 7000'])
    }))

  test('both engines give the same answers and keep the same rows for the same acts, whether these come one by one or many at a time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'capstan-history-'))
    const histories = () => randomHistory(seeded(7), 150, 14)
    const embedded = (name: string) => openSqliteStore({ folder: join(folder, name), log: testLog, clock: systemClock })
    const stores = [await embedded('single'), await embedded('groups'), await open(await server.database())] as const
    const expected = await playHistory(stores[0], histories(), 'act')
    expect(expected.results.some((result) => typeof result === 'object' && result !== null && 'failed' in result)).toBe(true)
    for (const store of stores.slice(1)) {
      const found = await playHistory(store, histories(), 'group')
      expect(found.results).toEqual(expected.results)
      expect(found.rows).toStrictEqual(expected.rows)
    }
    for (const store of stores) await store.close()
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  test('a database that cannot be reached refuses to open, in one line without the password', async () => {
    const refused = await open('postgres://somebody:hidden-password@127.0.0.1:1/none').catch((error: unknown) => error)
    expect(refused).toMatchObject({ name: 'StoreRefused', message: expect.stringContaining('Check CAPSTAN_DATABASE_URL') })
    expect(String(refused)).not.toMatch(/\n|hidden-password/)
  })

  test('a backup is left to the tools of PostgreSQL', async () => {
    const store = await open(await server.database())
    await expect(store.backup('/tmp/never')).rejects.toMatchObject({ name: 'StoreUnavailable', message: expect.stringContaining('pg_dump') })
    await store.close()
  })
}

function lossSuite(open: (url: string) => Promise<Store>): void {
  let server: TestPostgres

  beforeAll(async () => {
    // One of its own: what is to survive a kill must be synced, and recovery takes the longer the more databases there are.
    const started = await startPostgres()
    if ('missing' in started) throw new Error(started.missing)
    server = started
  }, 60_000)
  afterAll(() => server.stop())

  test('a database that is gone fails what was under way, and the store goes on by itself when it is back', async () => {
    const store = await open(await server.database())
    const kept = acceptAct()
    await store.engine.accept(kept)
    await server.kill()
    await expect(store.engine.accept(acceptAct())).rejects.toMatchObject({ name: 'StoreUnavailable' })
    await expect(store.write((t) => t.settings.set('a', {}))).rejects.toMatchObject({ name: 'StoreUnavailable' })
    await expect(store.reader.settings.get('a')).rejects.toMatchObject({ name: 'StoreUnavailable' })
    expect(await store.health()).not.toBeNull()
    await server.restart()
    expect(await store.health()).toBeNull()
    expect((await store.reader.runs.byId(kept.run.id))?.id).toBe(kept.run.id)
    expect((await store.engine.accept(acceptAct())).outcome).toBe('accepted')
    await store.close()
  })

  test('a database server that is killed under load has kept every run that was acknowledged', async () => {
    const url = await server.database()
    const store = await open(url)
    const acknowledged: string[] = []
    const client = async () => {
      for (;;) {
        const act = acceptAct()
        try {
          await store.engine.accept(act)
        } catch {
          return
        }
        acknowledged.push(act.run.id)
      }
    }
    const clients = Array.from({ length: 16 }, client)
    while (acknowledged.length < 300) await new Promise((resolve) => setImmediate(resolve))
    await server.kill()
    await Promise.all(clients)
    await server.restart()
    const kept = new Set((await store.reader.runs.byIds(acknowledged)).map(({ id }) => id))
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
    await store.close()
  })
}
