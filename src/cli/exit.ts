import { faults } from '../core/kernel/fault.ts'

/** The exit statuses of every command, so that scripts can tell failures apart. */
const exits = {
  ok: { status: 0, meaning: 'it is done' },
  failure: { status: 1, meaning: 'it failed, or the server cannot be reached' },
  usage: { status: 2, meaning: 'the command, an option or an input is wrong' },
  notSignedIn: { status: 3, meaning: 'not signed in, or the token has expired' },
  refused: { status: 4, meaning: 'signed in, but not allowed' },
  notFound: { status: 5, meaning: 'there is no such thing, or none that you may see' },
  conflict: { status: 6, meaning: 'it conflicts with what is there' },
  tryLater: { status: 7, meaning: 'too much at once, or something is down: try again later' },
  endedBadly: { status: 8, meaning: 'what was waited for failed, timed out or was lost' },
  cancelled: { status: 9, meaning: 'what was waited for was cancelled' },
  unread: { status: 141, meaning: 'whoever read its output has gone' },
  interrupted: { status: 130, meaning: 'left with Ctrl-C; what was waited for goes on' },
} as const

type Exit = keyof typeof exits

/** A command that ends without success: what to say, and the exit status. */
class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly exit: Exit
  /** Shown as JSON with `--json`. */
  readonly body: unknown

  constructor(exit: Exit, message: string, body?: unknown) {
    super(message)
    this.exit = exit
    this.body = body
  }
}

/** No server answers: worth another try where one answered before. */
class ServerUnreachable extends CommandFailure {}

/** The exit for an answer that is an error. */
function exitOf(code: string, status: number): Exit {
  if (status === 401) return 'notSignedIn'
  if (Object.hasOwn(faults, code) && faults[code as keyof typeof faults].retry) return 'tryLater' // own key, by the check
  if (status === 403) return 'refused'
  if (status === 404) return 'notFound'
  if (status === 409) return 'conflict'
  if (status === 400 || status === 413 || status === 415 || status === 422) return 'usage'
  return status === 429 || status === 503 || status === 504 ? 'tryLater' : 'failure'
}

/** For `--help` and the documents. */
function exitLines(): string[] {
  return Object.values(exits).map(({ status, meaning }) => `${status}  ${meaning}`)
}

export type { Exit }
export { exits, CommandFailure, ServerUnreachable, exitOf, exitLines }
