/**
 * Git storage: bare repositories named by id, never by a name of a user. Everything is read from git objects, not from a checkout; links are never
 * followed; no hook, filter or submodule of a repository is ever run; every child process gets argument vectors, protected configuration and a scrubbed environment.
 */
type Git = {
  /** Makes an empty bare repository. One that exists already is no error. */
  create(id: string): Promise<void>
  /** Makes `id` a full copy of `source` (all refs), sharing nothing with it. Leaves nothing behind when it fails. */
  fork(id: string, source: string): Promise<void>
  /** Moves the storage out of the way (`kept aside`), from where `purge` removes it. Harmless when it is gone. */
  setAside(id: string): Promise<void>
  purge(id: string): Promise<void>
  exists(id: string): Promise<boolean>
  /** Ids of all storage that is there, set-aside ones left out. */
  list(): Promise<string[]>
  /** Bytes on disk. */
  size(id: string): Promise<number>

  /** Branches and tags by full name, with the object each points at. */
  refs(id: string): Promise<ReadonlyMap<string, string>>
  /** The full name that HEAD points at, whether or not it exists. */
  head(id: string): Promise<string>
  setHead(id: string, ref: string): Promise<void>
  /** Points HEAD at the branch of a first push, if these changes are one: the new HEAD, or null. Harmless to repeat after a crash. */
  adoptHead(id: string, changes: readonly RefUpdate[]): Promise<string | null>
  /** Compares and sets refs in one transaction; `from` null: must not exist, `to` null: delete. */
  updateRefs(id: string, updates: readonly RefUpdate[]): Promise<'done' | 'conflict'>
  /**
   * Makes a commit on a branch from whole files, durably, and gives its id; 'conflict' when the branch is not at `parent`, and then nothing has changed.
   * Paths or files that no client should be given: `GitContentRefused`. `onMade` is told the id before the branch moves to it; throwing leaves the branch.
   */
  commit(id: string, change: GitChange, options?: { onMade?: (commit: string) => Promise<void> }): Promise<string | 'conflict'>

  /** The commit that a full ref name or 40-hex id means just now; null when there is none. A push that finished before the call is always seen. */
  resolve(id: string, revision: string): Promise<string | null>
  /** What is at `path` of a commit (or tree): null when nothing is. `path` has `/` as separator and no empty, `.` or `..` part. '' is the root tree. */
  entry(id: string, treeish: string, path: string): Promise<GitEntry | null>
  /** The entries of a tree by object id. */
  tree(id: string, tree: string): Promise<GitEntry[]>
  /** A blob whole; null when it is larger than `limit` bytes. */
  blob(id: string, oid: string, options: { limit: number }): Promise<Buffer | null>
  /** Writes the regular files, folders and links of a tree below an existing empty folder; links as links, submodules as empty folders. Nothing is written outside of it. */
  checkout(id: string, tree: string, folder: string, options: { limitBytes: number; limitFiles: number; signal: AbortSignal }): Promise<void>
  /** Commits reachable from `revision`, newest first. `without` leaves out what that commit leads to. */
  log(id: string, revision: string, options: { limit: number; skip: number; without?: string }): Promise<GitCommit[]>
  /** The best commit that both lead to; null when there is none. `theirs` may be in the storage `source` only. */
  mergeBase(id: string, ours: string, theirs: string, options?: { source?: string }): Promise<string | null>
  /** Whether two commits can be put together, and if not, which files are in the way (a thousand at most). Nothing is kept. */
  tryMerge(id: string, ours: string, theirs: string, options: { source: string; signal: AbortSignal }): Promise<GitMergeTry>
  /**
   * Brings a commit of the storage `source` into a branch, durably, with everything that it leads to. 'conflict' when the branch is not at `ours`. As of
   * `commit`, `onMade` is told the new commit before the branch moves; throwing leaves the branch.
   */
  merge(id: string, merge: GitMerge, options: { signal: AbortSignal; onMade?: (commit: string) => Promise<void> }): Promise<GitMerged | 'conflict'>

  /** One request of the smart protocol. Bounded in number: `GitBusy` when the queue is full. */
  serve(request: GitServeRequest): Promise<GitServeAnswer>
  close(): Promise<void>
}

type RefUpdate = { readonly ref: string; readonly from: string | null; readonly to: string | null }

/** A commit to be made. What `files` does not name stays as it is in `parent`. */
type GitChange = {
  /** The full name of the branch: `refs/heads/…`. */
  readonly branch: string
  /** Where the branch must be; null: it must not exist. */
  readonly parent: string | null
  readonly files: readonly GitFile[]
  readonly author: GitSignature
  /** The author when left out. */
  readonly committer?: GitSignature
  readonly message: string
}

/** A file as a commit shall hold it. It replaces whatever is at its path, a folder as well. */
type GitFile = {
  /** As of `Git.entry`, and without backslashes, control characters, `.git` and `.gitmodules` in any spelling. */
  readonly path: string
  /** Null: nothing shall be at this path, whether or not there was. */
  readonly content: Uint8Array | null
  readonly executable?: boolean
}

type GitMerge = {
  /** The full name of the branch: `refs/heads/…`. */
  readonly branch: string
  /** Where the branch must be. */
  readonly ours: string
  readonly theirs: string
  /** The storage that `theirs` is in. */
  readonly source: string
  /** The commit to be made; null: the branch moves to `theirs`, which must come after `ours`. */
  readonly commit: { readonly author: GitSignature; readonly message: string } | null
}

type GitMergeTry = { readonly tree: string } | { readonly conflicts: readonly string[] }
type GitMerged = { readonly commit: string } | { readonly conflicts: readonly string[] }

type GitEntry = {
  readonly name: string
  readonly mode: string
  readonly type: 'blob' | 'tree' | 'commit' | 'link'
  readonly oid: string
  readonly size: number | null
}

type GitCommit = {
  readonly id: string
  readonly parents: readonly string[]
  readonly author: GitSignature
  readonly committer: GitSignature
  readonly message: string
}
type GitSignature = { readonly name: string; readonly email: string; readonly at: number; readonly zone: string }

type GitService = 'upload-pack' | 'receive-pack'

type GitServeRequest = {
  readonly id: string
  readonly service: GitService
  /** `advertise` answers GET info/refs; `exchange` answers the POST. */
  readonly phase: 'advertise' | 'exchange'
  /** The Git-Protocol header, as sent: passed on only when well-formed. */
  readonly protocol: string | null
  /** The decoded request body; null when advertising. */
  readonly body: AsyncIterable<Uint8Array> | null
  readonly signal: AbortSignal
  /** For receive-pack: called with the commands of the push once they are read and before git gets any of it. Throwing refuses the push. */
  readonly onCommands?: (commands: readonly RefUpdate[], options: readonly string[]) => Promise<void>
  /** For receive-pack: called with what really changed, after git has synced it and before the client hears of it. The report is held back until it resolves. */
  readonly onChanged?: (changes: readonly RefUpdate[]) => Promise<void>
}

/** The answer's body, streamed with back-pressure; ending it early ends the git process. */
type GitServeAnswer = { readonly contentType: string; readonly body: AsyncIterable<Uint8Array> }

/** Too many git processes run already. */
class GitBusy extends Error {
  override readonly name = 'GitBusy'
}
/** The storage cannot be read or written. `detail` is for the log only. */
class GitUnavailable extends Error {
  override readonly name = 'GitUnavailable'
}
class GitTimeout extends Error {
  override readonly name = 'GitTimeout'
}
/** What the client sent is not the git protocol. */
class GitProtocolError extends Error {
  override readonly name = 'GitProtocolError'
}
/** What was asked for is there but may not be used: larger than the caller's limit, or with names that would lead outside of a folder. */
class GitContentRefused extends Error {
  override readonly name = 'GitContentRefused'
}

export type {
  Git,
  RefUpdate,
  GitChange,
  GitFile,
  GitMerge,
  GitMergeTry,
  GitMerged,
  GitEntry,
  GitCommit,
  GitSignature,
  GitService,
  GitServeRequest,
  GitServeAnswer,
}
export { GitBusy, GitUnavailable, GitTimeout, GitProtocolError, GitContentRefused }
