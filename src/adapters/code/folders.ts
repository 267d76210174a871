import { randomBytes } from 'node:crypto'
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { CodeUnavailable } from '../../ports/code-storage.ts'
import { isRepositoryId } from './names.ts'

/** What storage of one kind calls its folders, and how it says that they cannot be used. */
type FolderKind = {
  /** `.git`: what a repository's folder ends with. */
  readonly suffix: string
  /** Prefix of a repository that is not finished. A repository's name begins with a letter or digit, so the two never meet. */
  readonly unfinished: string
  /** The folders inside of a finished repository whose names must survive a power cut before it gets its own. */
  readonly synced: readonly string[]
  readonly unavailable: new (why: string, options?: ErrorOptions) => CodeUnavailable
}

type Place = { readonly root: string }

const asidePrefix = '.aside-'

/** The folders of one kind of repositories below a root: made under another name and then given their own, set aside, counted. */
function codeFolders({ suffix, unfinished, synced, unavailable: Unavailable }: FolderKind) {
  const storageError = (error: unknown): CodeUnavailable =>
    error instanceof CodeUnavailable ? error : new Unavailable(`the storage failed: ${String(error)}`, { cause: error })

  const failStorage = (error: unknown): never => {
    throw storageError(error)
  }

  const checked = (id: string): string => {
    if (!isRepositoryId(id)) throw new Unavailable('the id of the repository is not of the form that storage takes')
    return id
  }

  /** The folder of a repository. An id that is not of the strict form never becomes a path. */
  const repositoryPath = (host: Place, id: string): string => `${host.root}/${checked(id)}${suffix}`
  const asidePath = (host: Place, id: string): string => `${host.root}/${asidePrefix}${checked(id)}`
  /** A path for a repository that is not finished yet, where nothing is. */
  const unfinishedPath = (host: Place): string => `${host.root}/${unfinished}${randomBytes(12).toString('hex')}`

  const isFolder = (path: string): Promise<boolean> =>
    lstat(path).then(
      (stat) => stat.isDirectory(),
      (error: unknown) => (codeOf(error) === 'ENOENT' ? false : failStorage(error)),
    )

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

  /** A new folder for a repository that is not finished yet; `place` gives it its name. */
  async function makeFolder(host: Place): Promise<string> {
    const path = unfinishedPath(host)
    await mkdir(path, { mode: 0o700 }).catch(failStorage)
    return path
  }

  /** Gives a finished repository its name in one step. 'taken' when there is one already; then the new one is removed. */
  async function place(host: Place, finished: string, id: string): Promise<'placed' | 'taken'> {
    for (const folder of synced) await syncFolder(`${finished}/${folder}`)
    try {
      await rename(finished, repositoryPath(host, id))
    } catch (error) {
      await rm(finished, { recursive: true, force: true })
      if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) return 'taken'
      throw storageError(error)
    }
    await syncFolder(host.root)
    return 'placed'
  }

  const repositoryExists = (host: Place, id: string): Promise<boolean> => isFolder(repositoryPath(host, id))

  async function setRepositoryAside(host: Place, id: string): Promise<void> {
    const target = asidePath(host, id)
    if (!(await repositoryExists(host, id))) return
    await rm(target, { recursive: true, force: true })
    try {
      await rename(repositoryPath(host, id), target)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw storageError(error)
    }
    await syncFolder(host.root)
  }

  async function purgeRepository(host: Place, id: string): Promise<void> {
    await rm(asidePath(host, id), { recursive: true, force: true }).catch(failStorage)
  }

  async function listRepositories(host: Place): Promise<string[]> {
    const names = await readdir(host.root).catch(failStorage)
    return names.flatMap((name) => (name.endsWith(suffix) ? [name.slice(0, -suffix.length)] : [])).filter(isRepositoryId)
  }

  async function repositorySize(host: Place, id: string): Promise<number> {
    const pending = [repositoryPath(host, id)]
    if (!(await repositoryExists(host, id))) throw new Unavailable(`there is no storage of ${id}`)
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

  return {
    repositoryPath,
    unfinishedPath,
    makeFolder,
    place,
    setRepositoryAside,
    purgeRepository,
    repositoryExists,
    listRepositories,
    repositorySize,
    syncFolder,
    storageError,
    failStorage,
  }
}

/** The `code` of a system error. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function noEntries(): [] {
  return []
}

export { codeFolders, codeOf }
