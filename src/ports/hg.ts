import { CodeBusy, CodeContentRefused, CodeProtocolError, CodeTimeout, CodeUnavailable } from './code-storage.ts'
import type { CodeStorage, RefUpdate } from './code-storage.ts'
import type { MirrorStorage } from './mirror.ts'

/** Mercurial storage: what every code storage does, mirrors, changesets by number or prefix, and Mercurial's protocol over HTTP. */
type Hg = CodeStorage &
  MirrorStorage & {
    /** Why there is no Mercurial here; null when there is. Then nothing but `exists` and `list` works: `HgUnavailable`. */
    readonly missing: string | null
    /**
     * The changeset that a word means as Mercurial reads it: a number, a prefix of an id, `tip`, a bookmark, a tag, a branch (in its order). Never an
     * expression. Null when nothing, or more than one, is meant.
     */
    lookup(id: string, word: string): Promise<string | null>
    /** The paths that a changeset adds, changes and removes, against its first parent; null when there is no such changeset. */
    changedFiles(id: string, changeset: string): Promise<HgChangedFiles | null>
    /** One request of the protocol over HTTP. Bounded in number: `HgBusy` when the queue is full. */
    serve(request: HgServeRequest): Promise<HgServeAnswer>
  }

type HgChangedFiles = { readonly added: readonly string[]; readonly changed: readonly string[]; readonly removed: readonly string[] }

type HgServeRequest = {
  readonly id: string
  /** `read` is answered by an end that cannot write, whatever the command is or hides. */
  readonly end: 'read' | 'write'
  readonly method: 'GET' | 'POST'
  readonly command: string
  /** The rest of the query as it was sent, without `cmd`. */
  readonly query: string
  /** The client's headers. Only those that the protocol knows are passed on. */
  readonly headers: Readonly<Record<string, string>>
  /** The request's body and its length; null when there is none. */
  readonly body: { readonly length: number; readonly chunks: AsyncIterable<Uint8Array> } | null
  readonly signal: AbortSignal
  /** At the write end: called with what the push would change, before Mercurial commits it. Throwing refuses the push. At most once a request. */
  readonly onCommands?: (commands: readonly RefUpdate[]) => Promise<void>
  /** At the write end: called with what really changed, after it is on disk and before the client hears of it. The answer is held back until it resolves. */
  readonly onChanged?: (changes: readonly RefUpdate[]) => Promise<void>
}

/** The answer, its body streamed with back-pressure; ending it early ends the process that makes it. */
type HgServeAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: AsyncIterable<Uint8Array>
}

class HgBusy extends CodeBusy {
  override readonly name = 'HgBusy'
}
class HgUnavailable extends CodeUnavailable {
  override readonly name = 'HgUnavailable'
}
class HgTimeout extends CodeTimeout {
  override readonly name = 'HgTimeout'
}
class HgProtocolError extends CodeProtocolError {
  override readonly name = 'HgProtocolError'
}
class HgContentRefused extends CodeContentRefused {
  override readonly name = 'HgContentRefused'
}

export type { Hg, HgChangedFiles, HgServeRequest, HgServeAnswer }
export { HgBusy, HgUnavailable, HgTimeout, HgProtocolError, HgContentRefused }
