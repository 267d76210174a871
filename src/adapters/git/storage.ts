import { randomBytes } from 'node:crypto'
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GitUnavailable } from '../../ports/git.ts'
import type { GitHost } from './environment.ts'
import { isRepositoryId } from './names.ts'

const defaultHead = 'refs/heads/master'

/** Prefixes of what is beside the repositories. A repository's name begins with a letter or digit, so the two never meet. */
const beside = { unfinished: '.new-', aside: '.aside-' } as const

const skeleton = {
  folders: ['objects', 'objects/info', 'objects/pack', 'refs', 'refs/heads', 'refs/tags'],
  files: { HEAD: `ref: ${defaultHead}\n`, config: '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n' },
} as const

/** The folder of a repository. An id that is not of the strict form never becomes a path. */
function repositoryPath(host: GitHost, id: string): string {
  return `${host.root}/${checked(id)}.git`
}

function asidePath(host: GitHost, id: string): string {
  return `${host.root}/${beside.aside}${checked(id)}`
}

function checked(id: string): string {
  if (!isRepositoryId(id)) throw new GitUnavailable('the id of the repository is not of the form that storage takes')
  return id
}

/** Makes an empty repository under a temporary name; `place` gives it its own. */
async function makeUnfinished(host: GitHost): Promise<string> {
  const path = `${host.root}/${beside.unfinished}${randomBytes(12).toString('hex')}`
  await mkdir(path, { mode: 0o700 })
  try {
    for (const folder of skeleton.folders) await mkdir(`${path}/${folder}`, { mode: 0o700 })
    for (const [name, text] of Object.entries(skeleton.files)) await writeDurably(`${path}/${name}`, text)
    return path
  } catch (error) {
    // A disk that is full gets back what was taken of it.
    await rm(path, { recursive: true, force: true })
    throw error
  }
}

/** Gives a finished repository its name in one step. 'taken' when there is one already; then the new one is removed. */
async function place(host: GitHost, unfinished: string, id: string): Promise<'placed' | 'taken'> {
  for (const folder of ['refs', 'objects', '.']) await syncFolder(`${unfinished}/${folder}`)
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

async function createRepository(host: GitHost, id: string): Promise<void> {
  repositoryPath(host, id)
  if (await repositoryExists(host, id)) return
  await place(host, await makeUnfinished(host).catch(failStorage), id)
}

async function setRepositoryAside(host: GitHost, id: string): Promise<void> {
  const target = asidePath(host, id)
  if (!(await isFolder(repositoryPath(host, id)))) return
  await rm(target, { recursive: true, force: true })
  try {
    await rename(repositoryPath(host, id), target)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw storageError(error)
  }
  await syncFolder(host.root)
}

async function purgeRepository(host: GitHost, id: string): Promise<void> {
  await rm(asidePath(host, id), { recursive: true, force: true }).catch(failStorage)
}

function repositoryExists(host: GitHost, id: string): Promise<boolean> {
  return isFolder(repositoryPath(host, id))
}

async function listRepositories(host: GitHost): Promise<string[]> {
  const names = await readdir(host.root).catch(failStorage)
  return names.filter((name) => name.endsWith('.git') && isRepositoryId(name.slice(0, -4))).map((name) => name.slice(0, -4))
}

async function repositorySize(host: GitHost, id: string): Promise<number> {
  const pending = [repositoryPath(host, id)]
  if (!(await repositoryExists(host, id))) throw new GitUnavailable(`there is no storage of ${id}`)
  let size = 0
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const item of await readdir(folder, { withFileTypes: true }).catch(noEntries)) {
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

/** Makes changed refs and the packs behind them survive a power cut: git syncs its files, but not the folders they were renamed in. */
async function syncRefs(directory: string, refs: readonly string[]): Promise<void> {
  const folders = new Set(['objects/pack', '.', ...refs.map((ref) => dirname(ref))])
  for (const folder of folders) await syncFolder(`${directory}/${folder}`)
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The `code` of a system error. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function storageError(error: unknown): GitUnavailable {
  return error instanceof GitUnavailable ? error : new GitUnavailable(`the storage failed: ${String(error)}`, { cause: error })
}

function failStorage(error: unknown): never {
  throw storageError(error)
}

function noEntries(): [] {
  return []
}

function isFolder(path: string): Promise<boolean> {
  return lstat(path).then(
    (stat) => stat.isDirectory(),
    (error: unknown) => (codeOf(error) === 'ENOENT' ? false : failStorage(error)),
  )
}

export {
  defaultHead,
  beside,
  repositoryPath,
  makeUnfinished,
  place,
  createRepository,
  setRepositoryAside,
  purgeRepository,
  repositoryExists,
  listRepositories,
  repositorySize,
  syncFolder,
  syncRefs,
  writeDurably,
  codeOf,
  storageError,
}
