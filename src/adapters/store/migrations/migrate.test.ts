import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Connection, sqlOver } from '../sqlite/connection.ts'
import { exampleMigrations } from '../testing/migrations.ts'
import { migrations } from './all.ts'
import { checksum, migrate } from './migrate.ts'
import type { Migration } from './migration.ts'

let folder = ''
let connection: Connection

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-migrate-'))
  connection = new Connection(join(folder, 'test.db'), { readOnly: false, cacheKiB: 100 })
})

afterEach(() => {
  connection.close()
  rmSync(folder, { recursive: true, force: true })
})

const bring = (list: readonly Migration[]) =>
  migrate(sqlOver(connection), list, {
    now: 7,
    async transaction(work) {
      connection.run('begin immediate')
      await work()
      connection.run('commit')
    },
  })
const versions = () => connection.all('select version from migration order by version').map(({ version }) => version)

test('migrations are carried out once and recorded with their checksums', async () => {
  await bring(exampleMigrations.slice(0, 1))
  await bring(exampleMigrations)
  await bring(exampleMigrations)
  expect(connection.one('select id, size, colour from thing')).toMatchObject({ id: 'a', size: 2, colour: 'red' })
  expect(connection.all('select version, name, checksum, applied_at from migration')).toMatchObject(
    exampleMigrations.map((migration) => ({ version: migration.version, name: migration.name, checksum: checksum(migration), applied_at: 7 })),
  )
})

test('a database that a newer program has used is refused in one line', async () => {
  await bring(exampleMigrations)
  const refused = await bring(exampleMigrations.slice(0, 1)).catch((error: unknown) => error)
  expect(refused).toMatchObject({ name: 'StoreRefused', message: expect.stringMatching(/at version 2, this program knows 1: a newer Capstan/) })
  expect(String(refused)).not.toContain('\n')
})

test('a migration that was changed after it was carried out is refused, whichever engine it was changed for', async () => {
  await bring(exampleMigrations)
  const [first, second] = exampleMigrations
  if (first === undefined || second === undefined) throw new Error('there are two')
  for (const changed of [
    { ...first, sqlite: [...first.sqlite, 'select 1'] },
    { ...first, postgres: [] },
  ])
    await expect(bring([changed, second])).rejects.toMatchObject({ name: 'StoreRefused', message: expect.stringContaining('Migration 1 (first)') })
})

test('a server that is killed within a migration leaves the version before, and the next one goes on from there', async () => {
  await bring(exampleMigrations.slice(0, 1))
  for (const statement of ['alter table', 'update thing', 'create table other', 'insert into migration']) {
    expect(await runMigrator(statement)).toEqual({ signal: 'SIGKILL', output: '' })
    expect(versions()).toEqual([1])
    expect(connection.all('pragma table_info(thing)').map(({ name }) => name)).toEqual(['id', 'size'])
    expect(connection.one('select size from thing')).toMatchObject({ size: 1 })
  }
  expect(await runMigrator('nothing of the kind')).toEqual({ signal: null, output: 'migrated\n' })
  expect(versions()).toEqual([1, 2])
  expect(connection.one('select size, colour from thing')).toMatchObject({ size: 2, colour: 'red' })
})

test('the versions of our own migrations count up by one, and both engines get the same tables', () => {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1))
  for (const { sqlite, postgres } of migrations) {
    const objects = (statements: readonly string[]) => statements.map((text) => /(?:table|index) (\S+)/.exec(text)?.[1])
    expect(objects(sqlite)).toEqual(objects(postgres))
  }
})

function runMigrator(dieBefore: string): Promise<{ signal: NodeJS.Signals | null; output: string }> {
  const script = join(import.meta.dirname, '../testing/migrator.ts')
  const child = spawn(process.execPath, [script, join(folder, 'test.db'), dieBefore], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve) => child.on('close', (_, signal) => resolve({ signal, output })))
}
