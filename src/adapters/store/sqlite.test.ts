import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../core/kernel/clock.ts'
import { openSqliteStore } from './sqlite/store.ts'
import { storeSuite } from './store.suite.ts'
import { testLog } from './testing/fixtures.ts'

const folders: string[] = []

storeSuite('SQLite', {
  async open() {
    const folder = await mkdtemp(join(tmpdir(), 'capstan-store-'))
    folders.push(folder)
    return openSqliteStore({ folder, log: testLog, clock: systemClock })
  },
  async cleanUp() {
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  },
})
