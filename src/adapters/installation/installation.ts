import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { StoreRefused } from '../../ports/store/store.ts'
import type { Store } from '../../ports/store/store.ts'

const key = 'installation'
const fileName = 'installation'

/**
 * Makes sure that a database and a data folder belong together: with another's keys its secrets would be lost, and another's repositories would look like
 * leftovers. The first start gives both the same id; servers that share a database must share the folder. Throws `StoreRefused` when they do not match.
 */
async function claimFolder(store: Store, folder: string, newId: string): Promise<void> {
  const file = join(folder, fileName)
  const kept = await store.reader.settings.get(key)
  let here = readId(file)
  if (kept === null) {
    if (here !== null && readdirSync(join(folder, 'repositories')).some((name) => name.endsWith('.git'))) {
      throw new StoreRefused(`The data folder ${folder} belongs to another database. Name that database, or choose an empty folder.`)
    }
    // The file first: a crash in between leaves a folder without repositories, which is taken up here again.
    here ??= writeId(file, newId)
    const { id } = await store.write((tables) => tables.settings.setOnce(key, { id: here }))
    if (id === here) return
  } else if (kept.id === here) return
  throw new StoreRefused(
    `The database belongs to another data folder than ${folder}. Servers of one database share one data folder: name it with CAPSTAN_DATA.`,
  )
}

function readId(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}

function writeId(file: string, id: string): string {
  const handle = openSync(file, 'w', 0o600)
  writeSync(handle, `${id}\n`)
  fsyncSync(handle)
  closeSync(handle)
  return id
}

export { claimFolder }
