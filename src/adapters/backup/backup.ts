import { lstat, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { BackupRefused, databaseName, isArchivePath, isStorageName, manifestName, manifestOf } from './archive.ts'
import { copyDatabase } from './database.ts'
import { addHgRepository, isHgRepository } from './hg-repository.ts'
import { addRepository } from './repository-files.ts'
import { absent, writeTar } from './tar-writer.ts'
import type { TarWriter } from './tar-writer.ts'

type BackupOptions = {
  /** The data folder. */
  readonly data: string
  /** The archive to write; one that is there is replaced when the new one is whole. */
  readonly file: string
  readonly at: number
}

/**
 * Writes everything that a data folder holds into one file, whether or not a server uses it, and gives lines for the operator.
 *
 * The order makes it consistent: the store at one moment, then the keys that open its secrets, then repositories and logs, which by then hold at least
 * what the store tells of. What they hold beyond that is put in order by the next start, as after a crash.
 */
async function writeBackup({ data, file, at }: BackupOptions): Promise<string[]> {
  await checkPlaces(data, file)
  // In the folder of the file, so that the last step is one rename; of mode 0700, because the parts are as secret as the whole.
  const draft = await mkdtemp(join(dirname(file), `.${basename(file)}-`)).catch((error: unknown) => refuseFile(file, error))
  const tar = { writer: null as TarWriter | null }
  try {
    const migration = copyDatabase(join(data, databaseName), join(draft, databaseName))
    const writer = writeTar(join(draft, 'archive'))
    tar.writer = writer
    await writer.addBytes(manifestName, Buffer.from(`${JSON.stringify(manifestOf({ migration, at }))}\n`), { mode: 0o600, mtime: new Date(at) })
    if (!(await writer.addFile(databaseName, join(draft, databaseName)))) throw new BackupRefused('The copy of the database has vanished. Try again.')
    await addTree(writer, data, 'keys')
    const repositories = await addRepositories(writer, join(data, 'repositories'))
    for (const folder of ['logs', 'templates']) await addTree(writer, data, folder)
    await writer.finish()
    await rename(join(draft, 'archive'), file)
    await syncFolder(dirname(file))
    const { files, bytes } = writer.size
    return [
      `Backed up ${data} to ${file}: the store, ${repositories} repositories, ${files} files, ${(bytes / 1e6).toFixed(1)} MB before compression.`,
      'It holds the keys to every secret in it: keep it where nobody else can read it. Not in it: capstan.toml, plugins, and the folders of running work.',
    ]
  } catch (error) {
    tar.writer?.abandon()
    throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function checkPlaces(data: string, file: string): Promise<void> {
  const store = await lstat(join(data, databaseName)).catch(absent)
  if (!store?.isFile()) throw new BackupRefused(`There is nothing to back up: ${data} holds no store. Name the data folder with CAPSTAN_DATA.`)
  if (!relative(data, file).startsWith('..'))
    throw new BackupRefused(`The file ${file} is inside of the data folder and would be lost with it. Choose another place.`)
  const there = await lstat(file).catch(absent)
  if (there && !there.isFile()) throw new BackupRefused(`${file} is there and is no file. Choose another name.`)
}

function refuseFile(file: string, error: unknown): never {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : error
  throw new BackupRefused(`The folder ${dirname(file)} cannot be written (${String(code)}). Choose another place for the backup.`, { cause: error })
}

async function addRepositories(tar: TarWriter, root: string): Promise<number> {
  let count = 0
  for (const name of ((await readdir(root).catch(absent)) ?? []).filter(isStorageName).sort()) {
    if (await isHgRepository(`${root}/${name}`)) {
      if (await addHgRepository(tar, `repositories/${name}`, `${root}/${name}`)) count += name.endsWith('.hg') ? 1 : 0
      continue
    }
    const aside = name.endsWith('.git') ? [`${root}/.aside-${name.slice(0, -'.git'.length)}`] : []
    if (await addRepository(tar, `repositories/${name}`, [`${root}/${name}`, ...aside])) count += name.endsWith('.git') ? 1 : 0
  }
  return count
}

// Names that begin with a dot are drafts; what is no regular file or folder was not put there by us.
async function addTree(tar: TarWriter, data: string, folder: string): Promise<void> {
  for (const entry of (await readdir(join(data, folder), { withFileTypes: true }).catch(absent)) ?? []) {
    const path = `${folder}/${entry.name}`
    if (entry.name.startsWith('.') || !isArchivePath(path)) continue
    if (entry.isDirectory()) await addTree(tar, data, path)
    else if (entry.isFile()) await tar.addFile(path, join(data, path))
  }
}

/** Makes new names in a folder survive a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

export type { BackupOptions }
export { writeBackup, syncFolder }
