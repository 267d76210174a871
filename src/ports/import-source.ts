import type { Level } from '../core/kernel/level.ts'

/**
 * An installation of another product whose users, repositories and the like are to be brought here. Reading changes nothing in it. Ids are its own numbers;
 * lists come in the order of these. Whatever it says is hostile input: texts are bounded in length here, and in nothing else.
 */
type ImportSource = {
  /** `kallithea`, … */
  readonly product: string
  /** Tells one installation from another, and is the same at every reading of the same one. */
  readonly mark: string
  /** The highest id of a kind; 0 when there is none. */
  highest(kind: SourceKind): Promise<number>
  everyone(): Promise<SourceEveryone>
  users(): AsyncIterable<SourceUser>
  groups(): AsyncIterable<SourceGroup>
  repositoryGroups(): AsyncIterable<SourceRepositoryGroup>
  repositories(): AsyncIterable<SourceRepository>
  gists(): AsyncIterable<SourceGist>
  pullRequests(): AsyncIterable<SourcePullRequest>
  /** The remarks and votes on a pull request, behind one of them. */
  pullRequestComments(pullRequest: number, after: number): AsyncIterable<SourceComment>
  /** Those on commits of a repository, behind one of them. */
  commitComments(repository: number, after: number): AsyncIterable<SourceComment>
  /** What stays behind because nothing here stands for it: what it is, and how many of it there are. */
  left(): Promise<readonly { readonly what: string; readonly count: number }[]>
  /** A folder that holds a repository and nothing that leads out of it. `SourceRefused`, with why, where there is none. */
  storage(repository: Pick<SourceRepository, 'path' | 'kind'>): Promise<SourceStorage>
  gistStorage(gist: Pick<SourceGist, 'access_id'>): Promise<SourceStorage>
  close(): Promise<void>
}

type SourceKind = 'user' | 'group' | 'repository-group' | 'repository' | 'gist' | 'pull-request'

type SourceStorage = { readonly folder: string; close(): Promise<void> }

/** What holds for callers without credentials, and as a floor for everybody. */
type SourceEveryone = { readonly active: boolean; readonly networks: readonly string[]; readonly rights: readonly string[] }

type SourceUser = {
  readonly id: number
  readonly name: string
  readonly email: string | null
  readonly first_name: string
  readonly last_name: string
  readonly administrator: boolean
  readonly active: boolean
  /** A hash that our hasher verifies, or null. */
  readonly password_hash: string | null
  /** Why there is no hash, if there was something; null: nothing to say. */
  readonly password_note: string | null
  readonly keys: readonly SourceKey[]
  readonly networks: readonly string[]
  /** System permissions, in our words. */
  readonly rights: readonly string[]
  readonly created_at: number
  readonly last_sign_in_at: number | null
}

type SourceKey = { readonly secret: string; readonly label: string; readonly expires_at: number | null; readonly created_at: number }

type SourceGrant = { readonly to: 'user' | 'group' | 'everyone'; readonly id: number; readonly level: Level }

type SourceGroup = {
  readonly id: number
  readonly name: string
  readonly description: string | null
  readonly active: boolean
  readonly owner: number
  readonly members: readonly number[]
  readonly grants: readonly SourceGrant[]
  readonly rights: readonly string[]
  readonly created_at: number
}

type SourceRepositoryGroup = {
  readonly id: number
  readonly path: string
  readonly parent: number | null
  readonly description: string
  readonly owner: number
  readonly grants: readonly SourceGrant[]
  readonly created_at: number
}

type SourceRepository = {
  readonly id: number
  readonly path: string
  /** `git`, `hg`, or what else it says. */
  readonly kind: string
  readonly group: number | null
  readonly owner: number
  readonly private: boolean
  readonly statistics: boolean
  readonly downloads: boolean
  readonly description: string
  readonly landing_revision: string
  /** Whole, with what is secret in it. */
  readonly clone_uri: string | null
  readonly fork_of: number | null
  readonly grants: readonly SourceGrant[]
  readonly followers: readonly number[]
  readonly created_at: number
  readonly updated_at: number
}

type SourceGist = {
  readonly id: number
  readonly access_id: string
  readonly public: boolean
  readonly description: string
  readonly owner: number
  readonly expires_at: number | null
  readonly created_at: number
}

/** One end of a pull request. `type` is `branch`, or what else the name is of. */
type SourceEnd = { readonly repository: number; readonly type: string; readonly name: string; readonly commit: string }

type SourcePullRequest = {
  readonly id: number
  readonly title: string
  readonly description: string
  readonly closed: boolean
  readonly author: number
  readonly source: SourceEnd
  /** `commit` is the one that both ends have in common. */
  readonly target: SourceEnd
  readonly reviewers: readonly number[]
  readonly created_at: number
  readonly updated_at: number
}

type SourceComment = {
  readonly id: number
  readonly author: number
  readonly at: number
  readonly text: string
  /** The commit that it is on; null: a whole pull request. */
  readonly commit: string | null
  readonly file: string | null
  readonly line: number | null
  readonly side: 'new' | 'old' | null
  /** The vote that came with it, and the commits that it is on. */
  readonly status: string | null
  readonly voted: readonly string[]
}

/** What cannot be read of the source, in words for the operator. */
class SourceRefused extends Error {
  override readonly name = 'SourceRefused'
}

export type {
  ImportSource,
  SourceKind,
  SourceStorage,
  SourceEveryone,
  SourceUser,
  SourceKey,
  SourceGrant,
  SourceGroup,
  SourceRepositoryGroup,
  SourceRepository,
  SourceGist,
  SourceEnd,
  SourcePullRequest,
  SourceComment,
}
export { SourceRefused }
