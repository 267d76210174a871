import { randomBytes } from 'node:crypto'
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { HgUnavailable } from '../../ports/hg.ts'
import { isRepositoryId } from './names.ts'
import type { HgHost } from './environment.ts'

/** Prefixes of what is beside the repositories. A repository's name begins with a letter or digit, so the two never meet. */
const beside = { unfinished: '.new-hg-', aside: '.aside-', running: '.run-hg-' } as const

type Place = Pick<HgHost, 'root'>

/** The folder of a repository. An id that is not of the strict form never becomes a path. */
function repositoryPath(host: Place, id: string): string {
  return `${host.root}/${checked(id)}.hg`
}

function checked(id: string): string {
  if (!isRepositoryId(id)) throw new HgUnavailable('the id of the repository is not of the form that storage takes')
  return id
}

/** A new folder for a repository that is not finished yet; `place` gives it its name. */
async function makeUnfinished(host: Place): Promise<string> {
  const path = `${host.root}/${beside.unfinished}${randomBytes(12).toString('hex')}`
  await mkdir(path, { mode: 0o700 }).catch(failStorage)
  return path
}

/** Gives a finished repository its name in one step. 'taken' when there is one already; then the new one is removed. */
async function place(host: Place, unfinished: string, id: string): Promise<'placed' | 'taken'> {
  for (const folder of ['.hg/store', '.hg', '.']) await syncFolder(`${unfinished}/${folder}`)
  try {
    await rename(unfinished, repositoryPath(host, id))
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) return 'taken'
    throw storageError(error)
  }
  await syncFolder(host.root)
  return 'placed'
}

async function setRepositoryAside(host: Place, id: string): Promise<void> {
  const target = `${host.root}/${beside.aside}${checked(id)}`
  if (!(await isFolder(repositoryPath(host, id)))) return
  await rm(target, { recursive: true, force: true })
  try {
    await rename(repositoryPath(host, id), target)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw storageError(error)
  }
  await syncFolder(host.root)
}

async function purgeRepository(host: Place, id: string): Promise<void> {
  await rm(`${host.root}/${beside.aside}${checked(id)}`, { recursive: true, force: true }).catch(failStorage)
}

function repositoryExists(host: Place, id: string): Promise<boolean> {
  return isFolder(repositoryPath(host, id))
}

async function listRepositories(host: Place): Promise<string[]> {
  const names = await readdir(host.root).catch(failStorage)
  return names.filter((name) => name.endsWith('.hg') && isRepositoryId(name.slice(0, -3))).map((name) => name.slice(0, -3))
}

async function repositorySize(host: Place, id: string): Promise<number> {
  const pending = [repositoryPath(host, id)]
  if (!(await repositoryExists(host, id))) throw new HgUnavailable(`there is no storage of ${id}`)
  let size = 0
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const item of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const path = `${folder}/${item.name}`
      if (item.isDirectory()) pending.push(path)
      // A file may go while we count: a push that ended cleans up behind itself.
      else
        size += await lstat(path).then(
          (stat) => stat.size,
          () => 0,
        )
    }
  }
  return size
}

/** Makes what happened in a folder (new names, renames, deletions) survive a power cut. A folder that is gone needs nothing. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EINVAL'].includes(codeOf(error) ?? '')) throw storageError(error)
  }
}

/** The `code` of a system error. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function storageError(error: unknown): HgUnavailable {
  return error instanceof HgUnavailable ? error : new HgUnavailable(`the storage failed: ${String(error)}`, { cause: error })
}

function failStorage(error: unknown): never {
  throw storageError(error)
}

function isFolder(path: string): Promise<boolean> {
  return lstat(path).then(
    (stat) => stat.isDirectory(),
    (error: unknown) => (codeOf(error) === 'ENOENT' ? false : failStorage(error)),
  )
}

export {
  beside,
  repositoryPath,
  makeUnfinished,
  place,
  setRepositoryAside,
  purgeRepository,
  repositoryExists,
  listRepositories,
  repositorySize,
  syncFolder,
  codeOf,
  storageError,
}
