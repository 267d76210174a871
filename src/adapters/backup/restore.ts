import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, mkdir, mkdtemp, open, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import type { ExtractEvents, Header } from 'tar-stream'
import { migrations } from '../store/migrations/all.ts'
import { BackupRefused, checksumsName, databaseName, folders, isArchivePath, manifestName, readManifest } from './archive.ts'
import type { Manifest } from './archive.ts'
import { syncFolder } from './backup.ts'
import { lookInto } from './database.ts'
import { absent } from './tar-writer.ts'

type RestoreOptions = {
  /** The data folder: empty, or not there. */
  readonly data: string
  readonly file: string
}

type Entry = ExtractEvents['entry'][1]

const manifestLimit = 64 * 1024
const checksumsLimit = 1024 * 1024 * 1024
const damaged = 'The backup is damaged or was cut off, so nothing was restored. Use another copy of it.'

/**
 * Puts a backup into an empty data folder and gives lines for the operator. Everything is written and checked beside the data folder first; then it gets its
 * name in one step, so that a failure or a kill leaves the data folder as it was.
 */
async function restoreBackup({ data, file }: RestoreOptions): Promise<string[]> {
  const there = await emptyOrMissing(data)
  const inside = there && (await isMount(data))
  // A data folder that is a mount of its own cannot be replaced by a rename.
  const stage = inside ? await mkdtemp(join(data, '.restore-')) : await makeBeside(data)
  try {
    const manifest = await unpack(file, stage)
    const held = lookInto(join(stage, databaseName))
    for (const folder of ['keys', 'repositories', 'logs']) await mkdir(join(stage, folder), { recursive: true, mode: 0o700 })
    await syncFolder(stage)
    if (inside) await moveIn(stage, data)
    else await rename(stage, data).catch((error: unknown) => notEmpty(data, error))
    await syncFolder(dirname(data))
    return [
      `Restored ${data} from the backup of ${new Date(manifest.at).toISOString()} by Capstan ${manifest.version}.`,
      `It holds ${held.users} users, ${held.repositories} repositories, ${held.runs} runs and ${held.auditLines} lines of the audit trail, with the keys to its secrets.`,
      'Start the server as before. Runs that were under way then are looked for and end as lost; the server that the backup is of must stay stopped.',
    ]
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

async function emptyOrMissing(data: string): Promise<boolean> {
  const stat = await lstat(data).catch(absent)
  if (stat === null) return false
  if (!stat.isDirectory()) throw new BackupRefused(`${data} is no folder. Name another data folder with CAPSTAN_DATA.`)
  if ((await readdir(data)).some((name) => name !== 'lost+found')) refuseFull(data)
  return true
}

function refuseFull(data: string): never {
  throw new BackupRefused(
    `The data folder ${data} is not empty, and nothing in it is overwritten. Stop its server and move the folder away, or name another one with CAPSTAN_DATA.`,
  )
}

function notEmpty(data: string, error: unknown): never {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : null
  if (code === 'ENOTEMPTY' || code === 'EEXIST') refuseFull(data)
  throw error
}

async function isMount(data: string): Promise<boolean> {
  return (await lstat(data)).dev !== (await lstat(dirname(data))).dev
}

async function makeBeside(data: string): Promise<string> {
  await mkdir(dirname(data), { recursive: true, mode: 0o700 })
  return mkdtemp(join(dirname(data), `.${basename(data)}-restore-`))
}

// The store comes last: a server that is started on what a kill has left finds none, and the operator an unfinished folder that says so by its name.
async function moveIn(stage: string, data: string): Promise<void> {
  const moved: string[] = []
  try {
    for (const name of [...folders, databaseName]) {
      if ((await lstat(join(stage, name)).catch(absent)) === null) continue
      await rename(join(stage, name), join(data, name))
      moved.push(name)
    }
    await rmdir(stage)
    await syncFolder(data)
  } catch (error) {
    for (const name of moved) await rm(join(data, name), { recursive: true, force: true })
    throw error
  }
}

/** Writes the entries of an archive below an empty folder, and checks that they are all there and as they were. */
async function unpack(file: string, stage: string): Promise<Manifest> {
  const source = createReadStream(file)
  const unzipped = createGunzip()
  const tar = extract()
  const fail = (error: Error) => void tar.destroy(error)
  source.on('error', fail).pipe(unzipped).on('error', fail)
  unzipped.pipe(tar)
  let manifest: Manifest | null = null
  let listed: string | null = null
  const sums = new Map<string, string>()
  const made = new Set<string>()
  try {
    for await (const entry of tar) {
      const { name, folder } = checked(entry.header)
      if (listed !== null) throw new BackupRefused(damaged)
      if (manifest === null) {
        if (name !== manifestName || folder) throw notOurs()
        const text = await small(entry, manifestLimit)
        manifest = readManifest(text.toString('utf8'), migrations.at(-1)?.version ?? 0)
        sums.set(name, digest(text))
      } else if (name === checksumsName && !folder) {
        listed = (await small(entry, checksumsLimit)).toString('utf8')
      } else if (!isArchivePath(name)) {
        throw new BackupRefused(`The backup holds ${JSON.stringify(name.slice(0, 200))}, which no backup of Capstan does. Nothing was restored.`)
      } else if (folder) {
        await makeFolder(stage, name, made)
        entry.resume()
      } else {
        await makeFolder(stage, dirname(name), made)
        sums.set(name, await writeEntry(entry, join(stage, name), modeOf(name, entry.header)))
      }
    }
  } catch (error) {
    throw refusalOf(error, file)
  } finally {
    source.destroy()
    unzipped.destroy()
    tar.destroy()
  }
  const list = [...sums].map(([name, sum]) => `${sum}  ${name}\n`)
  if (manifest === null) throw notOurs()
  if (listed === null || list.join('') !== listed || !sums.has(databaseName)) throw new BackupRefused(damaged)
  for (const folder of made) if (!folder.startsWith('logs/')) await syncFolder(join(stage, folder))
  return manifest
}

// A folder's name may end with the separator; links, devices and the like are in no backup.
function checked(header: Header): { name: string; folder: boolean } {
  const folder = header.type === 'directory'
  if (!folder && header.type !== 'file')
    throw new BackupRefused(
      `The backup holds ${JSON.stringify(header.name.slice(0, 200))}, which is neither a file nor a folder. Nothing was restored.`,
    )
  return { name: folder ? header.name.replace(/\/$/, '') : header.name, folder }
}

function modeOf(name: string, header: Header): number {
  if (name === databaseName || name.startsWith('keys/')) return 0o600
  // No bits beyond those of its owner and readers, whatever an archive says.
  return 0o400 | ((header.mode ?? 0) & 0o755)
}

async function makeFolder(stage: string, folder: string, made: Set<string>): Promise<void> {
  if (folder === '.' || made.has(folder)) return
  await makeFolder(stage, dirname(folder), made)
  await mkdir(join(stage, folder), { mode: 0o700 })
  made.add(folder)
}

// Everything below the stage was made by us, folder by folder, and a file only where there is none: no entry can be led elsewhere by another one.
async function writeEntry(entry: Entry, path: string, mode: number): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of entry as AsyncIterable<Buffer>) {
      // its types do not say what it is a stream of
      hash.update(chunk)
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten
    }
    await file.chmod(mode)
    // Logs are many, and a power cut takes no more of them than a crash of the server would.
    if (!path.endsWith('.log')) await file.sync()
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

async function small(entry: Entry, limit: number): Promise<Buffer> {
  if ((entry.header.size ?? 0) > limit) throw new BackupRefused(damaged)
  const chunks: Buffer[] = []
  for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function notOurs(): BackupRefused {
  return new BackupRefused('The file is not a backup of Capstan. Use one that "capstan backup" wrote.')
}

function refusalOf(error: unknown, file: string): unknown {
  if (error instanceof BackupRefused || !(error instanceof Error)) return error
  const code: unknown = Reflect.get(error, 'code')
  if (Reflect.get(error, 'path') === file || code === 'EISDIR')
    return new BackupRefused(`The file ${file} cannot be read (${String(code)}).`, { cause: error })
  if (code === 'EEXIST') return new BackupRefused('The backup holds a name twice. Nothing was restored.', { cause: error })
  if (code === 'Z_DATA_ERROR' && Reflect.get(error, 'errno') === -3 && /incorrect header/.test(error.message)) return notOurs()
  if (typeof code === 'string' && /^(ENOSPC|EDQUOT|EACCES|EROFS|EIO)$/.test(code)) return error
  return new BackupRefused(damaged, { cause: error })
}

export type { RestoreOptions }
export { restoreBackup }
