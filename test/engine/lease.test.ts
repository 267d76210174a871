import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.ts'
import { acceptAct, runRow } from '../../src/adapters/store/testing/rows.ts'
import { silentLog } from '../../src/core/kernel/log.ts'
import { Lease } from '../../src/core/run/lease.ts'
import { manualClock } from '../support/clock.ts'
import type { RunRow } from '../../src/ports/store/rows.ts'
import type { Store } from '../../src/ports/store/store.ts'

const folder = mkdtempSync(join(tmpdir(), 'capstan-lease-'))
const clock = manualClock(1_800_000_000_000)
let store: Store
beforeAll(async () => {
  store = await openSqliteStore({ folder, log: silentLog, clock })
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

test('of servers that share a store, one that is known to be dead is followed at once, and one that may live when its lease has ended', async () => {
  const until = clock.now() + 8000
  const owned: string[] = []
  for (const owner of ['dead', 'elsewhere']) {
    await store.write((t) => t.servers.beat({ id: owner, host: 'h', boot: `boot of ${owner}`, started_at: 1, lease_until: until }))
    const act = acceptAct({ run: runRow({ owner }) })
    await store.engine.accept(act)
    owned.push(act.run.id)
  }
  const adopted: RunRow[] = []
  const hasEnded = (boot: string) => boot === 'boot of dead'
  const server = { id: 'next', host: 'h', boot: 'boot of next', hasEnded, shared: true }
  const lease = new Lease({ store, clock, log: silentLog, server, adopt: async (runs) => void adopted.push(...runs) })
  await lease.start()
  expect(adopted.map(({ id, owner }) => [id, owner])).toEqual([[owned[0], 'next']])
  expect((await store.reader.servers.all()).map(({ id }) => id).sort()).toEqual(['elsewhere', 'next'])
  await lease.close()
})
