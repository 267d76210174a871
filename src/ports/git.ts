import { CodeBusy, CodeContentRefused, CodeProtocolError, CodeTimeout, CodeUnavailable } from './code-storage.ts'
import type {
  CodeChange,
  CodeCommit,
  CodeEntry,
  CodeFile,
  CodeMerge,
  CodeMerged,
  CodeMergeTry,
  CodeSignature,
  CodeStorage,
  RefUpdate,
} from './code-storage.ts'
import type { MirrorStorage } from './mirror.ts'

/** Git storage: what every code storage does, mirrors, and git's smart protocol. No hook, filter or submodule of a repository is ever run. */
type Git = CodeStorage &
  MirrorStorage & {
    /** One request of the smart protocol. Bounded in number: `GitBusy` when the queue is full. */
    serve(request: GitServeRequest): Promise<GitServeAnswer>
  }

type GitChange = CodeChange
type GitFile = CodeFile
type GitMerge = CodeMerge
type GitMergeTry = CodeMergeTry
type GitMerged = CodeMerged
type GitEntry = CodeEntry
type GitCommit = CodeCommit
type GitSignature = CodeSignature

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

class GitBusy extends CodeBusy {
  override readonly name = 'GitBusy'
}
class GitUnavailable extends CodeUnavailable {
  override readonly name = 'GitUnavailable'
}
class GitTimeout extends CodeTimeout {
  override readonly name = 'GitTimeout'
}
class GitProtocolError extends CodeProtocolError {
  override readonly name = 'GitProtocolError'
}
class GitContentRefused extends CodeContentRefused {
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
