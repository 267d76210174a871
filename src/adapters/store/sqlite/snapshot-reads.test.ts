import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../core/kernel/clock.ts'
import { silentLog } from '../../../core/kernel/log.ts'
import { acceptAct, runRow } from '../testing/rows.ts'
import { openSqliteStore } from './store.ts'
import type { Store } from '../../../ports/store/store.ts'
import type { Tables } from '../../../ports/store/tables.ts'

let folder: string
let store: Store

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-snapshot-reads-'))
  store = await openSqliteStore({ folder, log: silentLog, clock: systemClock })
})

afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const accepted = async (name: string) => {
  const run = runRow({ name, namespace: 'lists' })
  await store.engine.accept(acceptAct({ run }))
  return run.id
}
const keys = (tables: Tables) => tables.runs.keys({ namespace: 'lists' }, null, { limit: 1000, after: null })

test('a long list that was read before shows what was committed since, and nothing else', async () => {
  const ids = await Promise.all(Array.from({ length: 150 }, (_, n) => accepted(`run-${n}`)))
  const before = await store.read(keys)
  expect(before.items).toHaveLength(150)
  before.items.length = 0
  expect((await store.read(keys)).items).toHaveLength(150)
  const added = await accepted('one-more')
  await store.write((tables) => tables.runs.patch(String(ids[7]), { deleted_at: 1 }))
  const { items } = await store.read(keys)
  expect(items.map(({ id }) => id).sort()).toEqual([...ids, added].sort())
  expect(items.find(({ id }) => id === ids[7])?.version).toBe((await store.reader.runs.byId(String(ids[7])))?.version)
})

test('what is read in one snapshot is the same until its end, whatever is committed meanwhile', async () => {
  await Promise.all(Array.from({ length: 120 }, (_, n) => accepted(`run-${n}`)))
  await store.read(keys)
  await store.read(async (tables) => {
    await accepted('meanwhile')
    expect((await keys(tables)).items).toHaveLength(120)
    expect((await keys(tables)).items).toHaveLength(120)
  })
  expect((await store.read(keys)).items).toHaveLength(121)
})
