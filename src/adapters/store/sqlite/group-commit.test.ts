import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../../core/kernel/log.ts'
import { Connection, sqlOver } from './connection.ts'
import { GroupCommit } from './group-commit.ts'

let folder = ''
let connection: Connection
let commits: GroupCommit

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-commit-'))
  connection = new Connection(join(folder, 'test.db'), { readOnly: false, cacheKiB: 100 })
  connection.db.exec('pragma journal_mode = wal; create table row (id text primary key, body text) strict')
  commits = new GroupCommit(connection, { log: silentLog, afterCommit: () => {} })
})

afterEach(async () => {
  await commits.close()
  connection.close()
  rmSync(folder, { recursive: true, force: true })
})

const insert = (id: string, bytes: number) =>
  commits.add(() => sqlOver(connection, commits.assertOpen).run('insert into row (id, body) values (?, ?)', [id, 'x'.repeat(bytes)]))
const ids = () => connection.all('select id from row order by id').map(({ id }) => id)

test('when the disk is full every write of the commit fails and leaves nothing, and writes work again when there is room', async () => {
  await insert('before', 10)
  connection.all('pragma max_page_count = 8')
  const results = await Promise.allSettled([insert('a', 10), insert('b', 100_000), insert('c', 10)])
  const kept = results.flatMap((result, index) => (result.status === 'fulfilled' ? [['a', 'b', 'c'][index]] : []))
  for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ name: 'StoreUnavailable' })
  expect(kept).not.toContain('b')
  expect(ids()).toEqual([...kept, 'before'].sort())
  connection.all('pragma max_page_count = 100000')
  await insert('d', 100_000)
  expect(ids()).toContain('d')
})

test('when the commit cannot begin all that waited for it fail, and the next ones do not', async () => {
  const other = new DatabaseSync(join(folder, 'test.db'))
  other.exec('begin immediate')
  connection.db.exec('pragma busy_timeout = 20')
  const results = await Promise.allSettled([insert('a', 1), insert('b', 1)])
  for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { name: 'StoreUnavailable' } })
  expect(commits.condition.failed).toBe(true)
  other.exec('rollback')
  other.close()
  await insert('c', 1)
  expect(ids()).toEqual(['c'])
  expect(commits.condition.failed).toBe(false)
})

test('many writes share a commit, and one that is held back waits without failing', async () => {
  let release = () => {}
  const held = commits.hold(() => new Promise<void>((resolve) => (release = resolve)))
  let done = 0
  const writes = Array.from({ length: 50 }, (_, i) => insert(`n${i}`, 1).then(() => (done += 1)))
  await new Promise((resolve) => setImmediate(resolve))
  expect(done).toBe(0)
  release()
  await held
  await Promise.all(writes)
  expect(ids()).toHaveLength(50)
})

test('a statement after the end of its write is refused', async () => {
  const sql = sqlOver(connection, commits.assertOpen)
  await commits.add(() => sql.run(`insert into row (id) values ('a')`))
  await expect(sql.run(`insert into row (id) values ('b')`)).rejects.toThrow('after it had ended')
  expect(ids()).toEqual(['a'])
})
