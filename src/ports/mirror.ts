import type { RefUpdate } from './code-storage.ts'
import type { EgressPass } from './egress.ts'

/** A repository elsewhere, as a child program is told of it. */
type Remote = {
  /** http or https, without credentials: it may appear in arguments and messages. */
  readonly url: string
  /** Never in arguments. */
  readonly credentials: { readonly user: string; readonly password: string } | null
  /** The only way out. */
  readonly pass: EgressPass
}

/** Where a pull brings commits from: an address elsewhere, or other storage of ours. */
type PullSource = { readonly remote: Remote } | { readonly storage: string }

type RemoteOptions = { readonly signal: AbortSignal }

type PullOptions = RemoteOptions & {
  /** Told what the pull would change once everything is here, before anything changes. Throwing leaves everything as it is. */
  readonly onCommands: (commands: readonly RefUpdate[]) => Promise<void>
}

/** `skipped` are branches that cannot be taken: their names are none here, or stand in the way of others that are here. */
type Pulled = { readonly changes: readonly RefUpdate[]; readonly skipped: readonly string[] }

/** What a storage that can mirror others does besides. */
type MirrorStorage = {
  /** Asks the remote what it has. `RemoteFailed` when it is no repository that can be read. */
  probe(remote: Remote, options: RemoteOptions): Promise<void>
  /** Makes `id` a copy of a remote: branches, tags, the default branch. Leaves nothing behind when it fails. */
  copy(id: string, remote: Remote, options: RemoteOptions): Promise<void>
  /**
   * Brings the branches of a source here. Git: each becomes what it is there, also against its history; tags and deletions are not followed. Mercurial:
   * what its own `pull` does. 'conflict' when a push came between, and then nothing has changed.
   */
  pull(id: string, source: PullSource, options: PullOptions): Promise<Pulled | 'conflict'>
}

/** The other end is at fault, or its address. The message is for the caller and holds no secret; `detail` is for the log only. */
class RemoteFailed extends Error {
  override readonly name = 'RemoteFailed'
  readonly detail: string

  constructor(message: string, detail = '') {
    super(message)
    this.detail = detail
  }
}

export type { Remote, PullSource, RemoteOptions, PullOptions, Pulled, MirrorStorage }
export { RemoteFailed }
