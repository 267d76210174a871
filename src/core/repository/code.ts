import { specOf } from './spec.ts'
import type { Services } from '../operation/services.ts'
import type { CodeStorage } from '../../ports/code-storage.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { RepositorySpec } from './spec.ts'

type Storages = Pick<Services, 'git' | 'hg'>

/** The storage of repositories of a kind. */
function storageOfKind({ git, hg }: Storages, kind: RepositorySpec['kind']): CodeStorage {
  const storages: Record<RepositorySpec['kind'], CodeStorage> = { git, hg }
  return storages[kind]
}

/** The storage that a repository is kept in. */
function storageOf(services: Storages, row: Pick<ResourceRow, 'spec'>): CodeStorage {
  return storageOfKind(services, specOf(row).kind)
}

/** Every storage that there is. */
function everyStorage({ git, hg }: Storages): readonly CodeStorage[] {
  return [git, hg]
}

export { storageOf, storageOfKind, everyStorage }
