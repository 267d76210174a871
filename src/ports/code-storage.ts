import type { CodeStreams } from './code-streams.ts'

/**
 * What git and Mercurial storage have in common: bare repositories named by id, never by a name of a user. Everything is read from their objects, not from a
 * checkout; links are never followed; nothing that is configured inside of a repository is ever run; every child process gets argument vectors, our
 * own configuration and a scrubbed environment.
 *
 * Refs are full names. Git has its own. Of Mercurial `refs/heads/<name>` is the tip of a named branch (closed ones are left out), `refs/tags/<name>` a tag,
 * `refs/bookmarks/<name>` a bookmark; `tip` is no ref. A revision is a full ref name or a 40-hex id of a commit (of a changeset).
 */
type CodeStorage = CodeStreams & {
  /** Makes an empty bare repository. One that exists already is no error. */
  create(id: string): Promise<void>
  /** Makes `id` a full copy of `source` (all refs), sharing nothing with it. Leaves nothing behind when it fails. */
  fork(id: string, source: string): Promise<void>
  /** Makes `id` a full copy of a repository in a folder of this machine: its objects and refs, none of its hooks and configuration. As safe to fail as `fork`. */
  adopt(id: string, folder: string): Promise<void>
  /** Moves the storage out of the way (`kept aside`), from where `purge` removes it. Harmless when it is gone. */
  setAside(id: string): Promise<void>
  purge(id: string): Promise<void>
  exists(id: string): Promise<boolean>
  /** Ids of all storage that is there, set-aside ones left out. */
  list(): Promise<string[]>
  /** Bytes on disk. */
  size(id: string): Promise<number>

  /** Branches, tags and bookmarks by full name, with the object each points at. */
  refs(id: string): Promise<ReadonlyMap<string, string>>
  /** The full name of the default branch, whether or not it exists. */
  head(id: string): Promise<string>
  setHead(id: string, ref: string): Promise<void>
  /** Makes the branch of a first push the default one, if these changes are a first push: the new one, or null. Harmless to repeat after a crash. */
  adoptHead(id: string, changes: readonly RefUpdate[]): Promise<string | null>
  /**
   * Compares and sets refs in one transaction; `from` null: must not exist, `to` null: delete. Mercurial's branches and tags belong to its changesets, so
   * they cannot be set there: `CodeContentRefused`.
   */
  updateRefs(id: string, updates: readonly RefUpdate[]): Promise<'done' | 'conflict'>
  /**
   * Makes a commit on a branch from whole files, durably, and gives its id; 'conflict' when the branch is not at `parent`, and then nothing has changed.
   * Paths or files that no client should be given: `CodeContentRefused`. `onMade` is told the id before the branch moves to it; throwing leaves the branch.
   */
  commit(id: string, change: CodeChange, options?: { onMade?: (commit: string) => Promise<void> }): Promise<string | 'conflict'>

  /** The commit that a full ref name or 40-hex id means just now; null when there is none. A push that finished before the call is always seen. */
  resolve(id: string, revision: string): Promise<string | null>
  /** What is at `path` of a commit (or tree): null when nothing is. `path` has `/` as separator and no empty, `.` or `..` part. '' is the root tree. */
  entry(id: string, treeish: string, path: string): Promise<CodeEntry | null>
  /** The entries of a tree by the id that an entry said. Ids of trees and blobs are opaque: only git's are hashes of what they hold. */
  tree(id: string, tree: string): Promise<CodeEntry[]>
  /** A blob whole; null when it is larger than `limit` bytes. */
  blob(id: string, oid: string, options: { limit: number }): Promise<Buffer | null>
  /** Writes the regular files, folders and links of a tree below an existing empty folder; links as links, submodules as empty folders. Nothing is written outside of it. */
  checkout(id: string, tree: string, folder: string, options: { limitBytes: number; limitFiles: number; signal: AbortSignal }): Promise<void>
  /** Commits reachable from `revision`, newest first. `without` leaves out what that commit leads to. */
  log(id: string, revision: string, options: { limit: number; skip: number; without?: string }): Promise<CodeCommit[]>
  /** How many numbers there are. Each commit of any ref has one: git counts by the date of commit, oldest first, Mercurial as its own revision numbers. */
  count(id: string): Promise<number>
  /** The commit of a number; null when there is none. */
  commitAt(id: string, number: number): Promise<string | null>
  /** The number of a commit; null when no ref leads to it. */
  numberOf(id: string, commit: string): Promise<number | null>
  /** Commits by their numbers; null when there is no such branch. Of a branch are what leads to its tip in git, and what was made on it in Mercurial. */
  range(id: string, range: CodeRange): Promise<NumberedCommit[] | null>
  /** What each of these commits does to files, against its first parent, in their order. */
  changed(id: string, commits: readonly string[]): Promise<CodeChanges[]>
  /** The best commit that both lead to; null when there is none. `theirs` may be in the storage `source` only. */
  mergeBase(id: string, ours: string, theirs: string, options?: { source?: string }): Promise<string | null>
  /** Whether two commits can be put together, and if not, which files are in the way (a thousand at most). Nothing is kept. */
  tryMerge(id: string, ours: string, theirs: string, options: { source: string; signal: AbortSignal }): Promise<CodeMergeTry>
  /**
   * Brings a commit of the storage `source` into a branch, durably, with everything that it leads to. 'conflict' when the branch is not at `ours`. As of
   * `commit`, `onMade` is told the new commit before the branch moves; throwing leaves the branch. Where Mercurial has nothing to merge, because `theirs`
   * comes after `ours`, the branch moves to it and no commit is made.
   */
  merge(id: string, merge: CodeMerge, options: { signal: AbortSignal; onMade?: (commit: string) => Promise<void> }): Promise<CodeMerged | 'conflict'>

  close(): Promise<void>
}

type RefUpdate = { readonly ref: string; readonly from: string | null; readonly to: string | null }

/** A commit to be made. What `files` does not name stays as it is in `parent`. */
type CodeChange = {
  /** The full name of the branch: `refs/heads/…`. */
  readonly branch: string
  /** Where the branch must be; null: it must not exist. */
  readonly parent: string | null
  readonly files: readonly CodeFile[]
  readonly author: CodeSignature
  /** The author when left out. Mercurial keeps one only: the author. */
  readonly committer?: CodeSignature
  readonly message: string
}

/** A file as a commit shall hold it. It replaces whatever is at its path, a folder as well. */
type CodeFile = {
  /** As of `CodeStorage.entry`, and without backslashes, control characters, `.git`, `.gitmodules`, `.hg` and `.hgsub` in any spelling. */
  readonly path: string
  /** Null: nothing shall be at this path, whether or not there was. */
  readonly content: Uint8Array | null
  readonly executable?: boolean
}

type CodeMerge = {
  /** The full name of the branch: `refs/heads/…`. */
  readonly branch: string
  /** Where the branch must be. */
  readonly ours: string
  readonly theirs: string
  /** The storage that `theirs` is in. */
  readonly source: string
  /** The commit to be made; null: the branch moves to `theirs`, which must come after `ours`. */
  readonly commit: { readonly author: CodeSignature; readonly message: string } | null
}

/** `tree` is the id of what a merge would hold; its commit's where the storage has no trees without one. */
type CodeMergeTry = { readonly tree: string } | { readonly conflicts: readonly string[] }
type CodeMerged = { readonly commit: string } | { readonly conflicts: readonly string[] }

type CodeEntry = {
  readonly name: string
  /** In git's form: 100644, 100755, 120000, 040000, 160000. */
  readonly mode: string
  readonly type: 'blob' | 'tree' | 'commit' | 'link'
  readonly oid: string
  readonly size: number | null
}

type CodeCommit = {
  readonly id: string
  readonly parents: readonly string[]
  readonly author: CodeSignature
  readonly committer: CodeSignature
  readonly message: string
  /** Its number, where the storage keeps it with the commit: Mercurial's own, as is the branch. */
  readonly number?: number
  readonly branch?: string
}
/** A commit with its number. */
type NumberedCommit = CodeCommit & { readonly number: number }

/** Which commits are meant: those that fit everything that is said. Bounds are inclusive; moments are of the commit, in milliseconds. */
type CodeRange = {
  /** The full name of a branch; null: of any ref. */
  readonly branch: string | null
  readonly from: number | null
  readonly to: number | null
  readonly since: number | null
  readonly until: number | null
  readonly order: 'oldest-first' | 'newest-first'
  readonly limit: number
}

/** Paths of files by what a commit does to them, each list in order. */
type CodeChanges = { readonly added: readonly string[]; readonly changed: readonly string[]; readonly removed: readonly string[] }

type CodeSignature = { readonly name: string; readonly email: string; readonly at: number; readonly zone: string }

/** Too many processes of this kind of storage run already. */
class CodeBusy extends Error {
  override readonly name: string = 'CodeBusy'
}
/** The storage cannot be read or written. `detail` is for the log only. */
class CodeUnavailable extends Error {
  override readonly name: string = 'CodeUnavailable'
}
class CodeTimeout extends Error {
  override readonly name: string = 'CodeTimeout'
}
/** What the client sent is not the protocol of this kind of storage. */
class CodeProtocolError extends Error {
  override readonly name: string = 'CodeProtocolError'
}
/** Thrown by `onCommands` of a push: its message, one line, is told to the client as the reason. */
class CodePushRefused extends Error {
  override readonly name: string = 'CodePushRefused'
}
/** What was asked for is there but may not be used: larger than the caller's limit, or with names that would lead outside of a folder. */
class CodeContentRefused extends Error {
  override readonly name: string = 'CodeContentRefused'
}

export type {
  CodeStorage,
  RefUpdate,
  CodeChange,
  CodeFile,
  CodeMerge,
  CodeMergeTry,
  CodeMerged,
  CodeEntry,
  CodeCommit,
  NumberedCommit,
  CodeRange,
  CodeChanges,
  CodeSignature,
}
export { CodeBusy, CodeUnavailable, CodeTimeout, CodeProtocolError, CodePushRefused, CodeContentRefused }
