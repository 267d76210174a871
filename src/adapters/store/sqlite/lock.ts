import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreRefused } from '../../../ports/store/store.ts'
import { resultCode } from './connection.ts'

/** Held while a server uses a data folder. */
type FolderLock = { release(): void }

/**
 * Takes a data folder for this process alone, or throws `StoreRefused` naming the process that has it. The lock is one of the operating system on a
 * database file of its own: it dies with the process, however that ends. Nothing else may open that file, or the system would drop the lock.
 */
function lockFolder(folder: string): FolderLock {
  const pidFile = join(folder, 'capstan.pid')
  const file = join(folder, 'capstan.lock')
  const db = new DatabaseSync(file, { timeout: 0 })
  try {
    chmodSync(file, 0o600)
    db.exec('pragma journal_mode = memory; begin exclusive')
  } catch (error) {
    db.close()
    if (resultCode(error) !== 5) throw error
    throw new StoreRefused(
      `The data folder ${folder} is used by another server (pid ${readPid(pidFile)}). Stop that one, or choose another folder with CAPSTAN_DATA.`,
    )
  }
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 })
  return { release: () => db.close() }
}

function readPid(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().slice(0, 20)
  } catch {
    return 'unknown'
  }
}

export type { FolderLock }
export { lockFolder }
