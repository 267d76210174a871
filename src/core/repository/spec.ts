import type { JsonObject } from '../kernel/json.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** What is special about a repository, kept in its row. */
type RepositorySpec = {
  kind: 'git' | 'hg'
  description: string
  /** The branch that HEAD names, as it was after the last change; git's own HEAD is the truth. */
  default_branch: string
  /** The id of the repository that this one is a fork of. */
  fork_of: string | null
  /** What web pages show first, `type:name` (Kallithea contract §12.5); no effect here. */
  landing_revision: string
  statistics: boolean
  downloads: boolean
  /** Bytes on disk and the newest commit after the last push: read once there, because lists show them. */
  size: number | null
  last_commit: LastCommit | null
  pushed_at: number | null
  /** Branches that change by pull requests only, by name. */
  protected_branches: ProtectedBranch[]
  /** Where it is copied from: as it is shown (empty once that was taken away), and whole, sealed. */
  clone_uri: string | null
  clone_sealed: string | null
  pulled_at: number | null
  /** Why the last pull from there failed; null when it did not. */
  pull_error: string | null
  /** The latest time of its schedule that was taken up. */
  pull_slot: number | null
}

type ProtectedBranch = { branch: string; approvals: number }

/** The newest commit of all branches and tags. */
type LastCommit = { id: string; message: string; author_name: string; author_email: string; at: number; revision?: number }

const defaultBranch = 'master'

/** The spec of a repository that is made now. */
function freshSpec(given: Partial<RepositorySpec>): RepositorySpec {
  return {
    kind: 'git',
    description: '',
    default_branch: defaultBranch,
    fork_of: null,
    landing_revision: 'rev:tip',
    statistics: false,
    downloads: false,
    size: null,
    last_commit: null,
    pushed_at: null,
    protected_branches: [],
    clone_uri: null,
    clone_sealed: null,
    pulled_at: null,
    pull_error: null,
    pull_slot: null,
    ...given,
  }
}

/** The spec of a stored repository. */
function specOf(row: Pick<ResourceRow, 'spec'>): RepositorySpec {
  // Written by this file's `freshSpec` and by patches of its type only.
  return freshSpec(row.spec as Partial<RepositorySpec>)
}

/** A repository's spec with some members changed, ready to be stored. */
function patchedSpec(row: ResourceRow, patch: Partial<RepositorySpec>): JsonObject {
  return { ...specOf(row), ...patch }
}

/** What is special about a group of repositories. */
type GroupSpec = { description: string }

function groupSpecOf(row: ResourceRow): GroupSpec {
  const { description } = row.spec
  return { description: typeof description === 'string' ? description : '' }
}

export type { RepositorySpec, ProtectedBranch, LastCommit, GroupSpec }
export { defaultBranch, freshSpec, specOf, patchedSpec, groupSpecOf }
