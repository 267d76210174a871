import { isObject } from '../../core/kernel/json.ts'
import { version } from '../../core/kernel/version.ts'

/*
 * A backup is a gzipped tar: `capstan-backup.json` says what it is and comes first, so that a foreign or newer one is refused before anything is written;
 * `checksums` comes last and names every other file, so that one that was cut off or changed is seen.
 */

const manifestName = 'capstan-backup.json'
const checksumsName = 'checksums'
const databaseName = 'capstan.db'

const format = 1

type Manifest = {
  readonly format: number
  /** Of the program that wrote it. */
  readonly version: string
  /** The last migration of its store. */
  readonly migration: number
  /** Epoch milliseconds. */
  readonly at: number
}

/** A backup that cannot be written or used. The message is one line for the operator. */
class BackupRefused extends Error {
  override readonly name = 'BackupRefused'
}

function manifestOf(about: { migration: number; at: number }): Manifest {
  return { format, version, ...about }
}

/** The manifest of an archive that this program can restore; `newest` is the last migration that it knows. */
function readManifest(text: string, newest: number): Manifest {
  const found = parsed(text)
  if (!isManifest(found))
    throw new BackupRefused('The file is not a backup of Capstan: its first entry is damaged. Use one that "capstan backup" wrote.')
  const newer = found.format > format || found.migration > newest || isNewer(found.version)
  if (newer)
    throw new BackupRefused(
      `The backup was written by Capstan ${shown(found.version)}, this is ${version}. Restore it with that version or a later one.`,
    )
  return found
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function isManifest(value: unknown): value is Manifest {
  if (!isObject(value)) return false
  const whole = (number: unknown) => Number.isSafeInteger(number) && (number as number) > 0 // isSafeInteger says it is a number
  return whole(value.format) && whole(value.migration) && whole(value.at) && typeof value.version === 'string' && /^\d+\.\d+\.\d+/.test(value.version)
}

function isNewer(other: string): boolean {
  const [mine, theirs] = [version, other].map((text) => text.split(/[.-]/).slice(0, 3).map(Number))
  for (let part = 0; part < 3; part++) {
    const difference = (theirs?.[part] ?? 0) - (mine?.[part] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return false
}

function shown(text: string): string {
  return text.replace(/[^\w.+-]/g, '?').slice(0, 40)
}

const storage = /^(?:[0-9a-z](?:[0-9a-z-]{0,62}[0-9a-z])?\.(?:git|hg)|\.aside-[0-9a-z](?:[0-9a-z-]{0,62}[0-9a-z])?)$/

/** Folders of the data folder that a backup holds. */
const folders = ['keys', 'repositories', 'logs', 'templates'] as const

/** Whether a name is the storage of a repository, in use or kept aside. */
function isStorageName(name: string): boolean {
  return storage.test(name)
}

/** Whether an entry of an archive may be written below a data folder under its own name: only what a backup puts there, and nothing that leads outside. */
function isArchivePath(path: string): boolean {
  if (path === databaseName) return true
  if (path.length > 4096 || !path.isWellFormed() || /[\\\p{Cc}]/u.test(path)) return false
  const parts = path.split('/')
  if (!parts.every((part) => part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= 255)) return false
  const [folder = '', second = ''] = parts
  if (!folders.some((known) => known === folder)) return false
  return folder !== 'repositories' || parts.length === 1 || isStorageName(second)
}

export type { Manifest }
export { manifestName, checksumsName, databaseName, BackupRefused, manifestOf, readManifest, folders, isStorageName, isArchivePath }
