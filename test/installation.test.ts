import { mkdtempSync, mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { claimFolder } from '../src/adapters/installation/installation.ts'
import { openPostgresStore } from '../src/adapters/store/postgres/store.ts'
import { systemClock } from '../src/core/kernel/clock.ts'
import { silentLog } from '../src/core/kernel/log.ts'
import { startPostgres } from './support/postgres.ts'

const postgres = await startPostgres({ durable: false })
const missing = 'missing' in postgres ? postgres.missing : null
const folders: string[] = []

function folder(...repositories: string[]): string {
  const made = mkdtempSync(join(tmpdir(), 'capstan-installation-'))
  folders.push(made)
  mkdirSync(join(made, 'repositories'))
  for (const name of repositories) mkdirSync(join(made, 'repositories', name))
  return made
}

describe.skipIf(missing)(missing ? `database and data folder (skipped: ${missing})` : 'database and data folder', () => {
  afterAll(async () => {
    if (!('missing' in postgres)) await postgres.stop()
    for (const made of folders) rmSync(made, { recursive: true })
  })
  const open = async () => openPostgresStore({ url: 'missing' in postgres ? '' : await postgres.database(), log: silentLog, clock: systemClock })

  test('belong together from the first start on, for every server', async () => {
    const store = await open()
    const shared = folder()
    await claimFolder(store, shared, 'one')
    await claimFolder(store, shared, 'two')
    await expect(claimFolder(store, folder(), 'three')).rejects.toThrow(/share one data folder/)
    await store.close()
  })

  test('a folder with repositories of another database is refused; an empty one of a first start that was cut off is taken up', async () => {
    const [first, second, third] = [await open(), await open(), await open()]
    const used = folder('a.git')
    await claimFolder(first, used, 'one')
    await expect(claimFolder(second, used, 'two')).rejects.toThrow(/belongs to another database/)
    const cut = folder()
    await claimFolder(second, cut, 'two')
    await claimFolder(third, cut, 'three')
    for (const store of [first, second, third]) await store.close()
  })
})
