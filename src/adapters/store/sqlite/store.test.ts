import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../core/kernel/clock.ts'
import { silentLog } from '../../../core/kernel/log.ts'
import type { Store } from '../../../ports/store/store.ts'
import { acceptAct, runRow } from '../testing/rows.ts'
import { openSqliteStore } from './store.ts'

let folder = ''
const opened: Store[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-sqlite-'))
})

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const open = async () => {
  const store = await openSqliteStore({ folder, log: silentLog, clock: systemClock })
  opened.push(store)
  return store
}

test('a data folder is used by one server at a time, and is free again when that one has closed it', async () => {
  const store = await open()
  const refused = await open().catch((error: unknown) => error)
  expect(refused).toMatchObject({ name: 'StoreRefused', message: expect.stringContaining(`is used by another server (pid ${process.pid})`) })
  expect(String(refused)).not.toContain('\n')
  // The look must not have taken the lock away from the one who holds it.
  await expect(open()).rejects.toMatchObject({ name: 'StoreRefused' })
  await store.close()
  expect(await (await open()).health()).toBeNull()
})

test('every file of the store is for its owner alone', async () => {
  const store = await open()
  await store.measureCommit()
  await store.backup(join(folder, 'copy.db'))
  const files = readdirSync(folder)
  expect(files).toEqual(expect.arrayContaining(['capstan.db', 'capstan.db-wal', 'capstan.db-shm', 'copy.db']))
  for (const file of files) expect([file, statSync(join(folder, file)).mode & 0o077]).toEqual([file, 0])
})

test('a file that is no database, or a damaged one, refuses to open and is left as it was', async () => {
  writeFileSync(join(folder, 'capstan.db'), 'this is a letter, not a database. '.repeat(300))
  await expect(open()).rejects.toMatchObject({ name: 'StoreRefused', message: expect.stringContaining('the file is not a database') })
  expect(statSync(join(folder, 'capstan.db')).size).toBe(34 * 300)
})

test('a backup made under load is a whole store of its own, and none is made over a file that is there', async () => {
  const store = await open()
  const acknowledged: string[] = []
  let stop = false
  const load = (async () => {
    while (!stop) {
      const act = acceptAct({ run: runRow({ message: 'x'.repeat(2000) }) })
      await store.engine.accept(act)
      acknowledged.push(act.run.id)
    }
  })()
  while (acknowledged.length < 200) await new Promise((resolve) => setImmediate(resolve))
  const before = [...acknowledged]
  const target = join(folder, 'copy.db')
  await store.backup(target)
  stop = true
  await load
  const copy = new DatabaseSync(target, { readOnly: true })
  expect(copy.prepare('pragma integrity_check').get()).toMatchObject({ integrity_check: 'ok' })
  const ids = new Set(
    copy
      .prepare('select id from run')
      .all()
      .map(({ id }) => id),
  )
  expect(before.filter((id) => !ids.has(id))).toEqual([])
  expect(copy.prepare('select count(*) as n from run where not exists (select 1 from step where run_id = run.id)').get()).toMatchObject({ n: 0 })
  copy.close()
  await expect(store.backup(target)).rejects.toMatchObject({ name: 'StoreUnavailable' })
  expect(existsSync(target)).toBe(true)
})

test('the write-ahead log does not grow without end under steady writes', async () => {
  const store = await open()
  let longest = 0
  let last = performance.now()
  const watch = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 1)
  const write = async () => {
    for (let i = 0; i < 120; i++) await store.engine.accept(acceptAct({ run: runRow({ message: 'x'.repeat(20_000) }) }))
  }
  await Promise.all(Array.from({ length: 50 }, write))
  clearInterval(watch)
  const written = 120 * 50 * 20_000
  const log = statSync(join(folder, 'capstan.db-wal')).size
  console.log(`    ${(written / 2 ** 20).toFixed(0)} MiB written, log ${(log / 2 ** 20).toFixed(0)} MiB, longest stall ${longest.toFixed(0)} ms`)
  expect(log).toBeLessThan(written)
})

test('kill -9 under load loses nothing that was acknowledged, and leaves no run in pieces', async () => {
  let known: string[] = []
  for (let round = 0; round < 3; round++) {
    known = [...known, ...(await killedUnderLoad(300))]
    const store = await open()
    const kept = new Map((await store.reader.runs.byIds(known)).map((run) => [run.id, run]))
    expect(known.filter((id) => kept.get(id)?.message !== 'done')).toEqual([])
    const steps = await store.reader.steps.ofRuns(known)
    expect(steps).toHaveLength(known.length)
    expect(steps.filter(({ state, held }) => state !== 'succeeded' || held.length > 0)).toEqual([])
    await store.close()
  }
}, 60_000)

// Gives the ids that the server had printed by the time it died.
async function killedUnderLoad(count: number): Promise<string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../testing/writer.ts'), folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ids: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    if (line.length === 36) ids.push(line)
    if (ids.length === count) child.kill('SIGKILL')
  })
  await Promise.all([once(child, 'exit'), once(lines, 'close')])
  expect(ids.length).toBeGreaterThanOrEqual(count)
  return ids
}
