import { mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GitUnavailable } from '../../ports/git.ts'
import { codeFolders } from '../code/folders.ts'
import type { GitHost } from './environment.ts'

const defaultHead = 'refs/heads/master'

/** Prefix of what is not finished, beside the repositories. A repository's name begins with a letter or digit, so the two never meet. */
const unfinished = '.new-'

const skeleton = {
  folders: ['objects', 'objects/info', 'objects/pack', 'refs', 'refs/heads', 'refs/tags'],
  files: { HEAD: `ref: ${defaultHead}\n`, config: '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n' },
} as const

const {
  repositoryPath,
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
} = codeFolders({
  suffix: '.git',
  unfinished,
  synced: ['refs', 'objects', '.'],
  unavailable: GitUnavailable,
})

/** Makes an empty repository under a temporary name; `place` gives it its own. */
async function makeUnfinished(host: GitHost): Promise<string> {
  const path = await makeFolder(host)
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

async function createRepository(host: GitHost, id: string): Promise<void> {
  repositoryPath(host, id)
  if (await repositoryExists(host, id)) return
  await place(host, await makeUnfinished(host).catch(failStorage), id)
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

export {
  defaultHead,
  unfinished,
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
  storageError,
}
