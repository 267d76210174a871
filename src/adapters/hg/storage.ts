import { HgUnavailable } from '../../ports/hg.ts'
import { codeFolders } from '../code/folders.ts'

/** Prefixes of what is beside the repositories. A repository's name begins with a letter or digit, so the two never meet. */
const beside = { unfinished: '.new-hg-', running: '.run-hg-' } as const

const {
  repositoryPath,
  unfinishedPath,
  makeFolder: makeUnfinished,
  place,
  setRepositoryAside,
  purgeRepository,
  repositoryExists,
  listRepositories,
  repositorySize,
  syncFolder,
  storageError,
} = codeFolders({
  suffix: '.hg',
  unfinished: beside.unfinished,
  synced: ['.hg/store', '.hg', '.'],
  unavailable: HgUnavailable,
})

export {
  beside,
  repositoryPath,
  unfinishedPath,
  makeUnfinished,
  place,
  setRepositoryAside,
  purgeRepository,
  repositoryExists,
  listRepositories,
  repositorySize,
  syncFolder,
  storageError,
}
