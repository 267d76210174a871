import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Connection, sqlOver } from './connection.ts'
import { ReadCache } from './read-cache.ts'

let folder: string
let writer: Connection
let reader: Connection

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-read-cache-'))
  writer = new Connection(join(folder, 'test.db'), { readOnly: false, cacheKiB: 100 })
  writer.all('pragma journal_mode = wal')
  writer.run('create table session (id text primary key, user_id text)')
  writer.run('create table run (id text primary key, name text)')
  reader = new Connection(join(folder, 'test.db'), { readOnly: true, cacheKiB: 100 })
})

afterEach(() => {
  reader.close()
  writer.close()
  rmSync(folder, { recursive: true, force: true })
})

const byId = 'select id, user_id from session where id = ?'

function lab() {
  const cache = new ReadCache()
  return { cache, write: cache.overWriter(sqlOver(writer)), read: cache.overReader(reader) }
}

test('a small read of a table of who somebody is goes to the database once, whatever else is written', async () => {
  const { cache, write, read } = lab()
  await write.run('insert into session values (?, ?)', ['s', 'ann'])
  cache.committed()
  expect(await read.one(byId, ['s'])).toEqual({ id: 's', user_id: 'ann' })
  await write.run('insert into run values (?, ?)', ['r', 'x'])
  cache.committed()
  // Changed behind its back: only so can it be seen that nobody looked.
  writer.run('update session set user_id = ?', ['bob'])
  expect(await read.one(byId, ['s'])).toEqual({ id: 's', user_id: 'ann' })
  expect(await read.one(byId, ['other'])).toBeNull()
})

test('after the commit of a change everybody sees it, and while it is under way nothing is remembered', async () => {
  const { cache, write, read } = lab()
  expect(await read.one(byId, ['s'])).toBeNull()
  writer.run('begin')
  await write.run('insert into session values (?, ?)', ['s', 'ann'])
  expect(await read.one(byId, ['s'])).toBeNull()
  writer.run('commit')
  cache.committed()
  expect(await read.one(byId, ['s'])).toEqual({ id: 's', user_id: 'ann' })
  for (const change of ['update session set user_id = ?', 'delete from session where user_id <> ?']) {
    writer.run('begin')
    await write.run(change, ['bob'])
    await read.one(byId, ['s'])
    writer.run('commit')
    cache.committed()
    expect(await read.one(byId, ['s'])).toEqual(writer.one(byId, ['s']))
  }
})

test('a read that names any other table is not remembered, nor one of many rows', async () => {
  const { cache, write, read } = lab()
  const joined = 'select s.id, r.name from session s join run r on r.id = s.id'
  for (let n = 0; n < 30; n++) await write.run('insert into session values (?, ?)', [`s${n}`, 'ann'])
  cache.committed()
  expect(await read.all(joined)).toEqual([])
  expect(await read.all('select id from session')).toHaveLength(30)
  writer.run('insert into run values (?, ?)', ['s1', 'x'])
  writer.run('delete from session where id = ?', ['s2'])
  expect(await read.all(joined)).toEqual([{ id: 's1', name: 'x' }])
  expect(await read.all('select id from session')).toHaveLength(29)
})
