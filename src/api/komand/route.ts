import type { JsonObject } from '../../core/kernel/json.ts'
import type { Call } from '../../core/operation/invoke.ts'
import type { ApiHost } from '../api.ts'
import type { Parameters } from './path.ts'

/** The seven permissions of the contract (§3.4). */
type Permission = 'PLUGIN_MODIFY' | 'WORKFLOW_MODIFY' | 'CONNECTION_MODIFY' | 'USER_CREATE' | 'USER_MANAGER' | 'APP' | 'PRODUCT_KEY_VIEW'

/** What a request says, besides who sends it. */
type Asked = {
  readonly parameters: Parameters
  readonly query: URLSearchParams
  /** The body as JSON; `{}` where the route takes none or it is empty. */
  readonly body: JsonObject
}

/** What a route can do: call operations as the caller, and say what the server is. */
type Doing = Asked & {
  readonly call: Call
  readonly host: ApiHost
  /** Calls an operation as the caller. */
  invoke<Output = unknown>(operation: string, input: unknown): Promise<Output>
}

/** One row of the contract's table. */
type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  /** `none`: nobody has to be known; `optional`: a credential is used where there is one; else a token is needed. */
  readonly auth?: 'none' | 'optional'
  /** What the caller needs besides `APP`; looked at before anything else of the request is. */
  readonly permission?: Permission
  /** Whether a thing that was deleted is told apart from one that never was. */
  readonly gone?: true
  /** Whether a body is read (as JSON, whatever its type). */
  readonly body?: 'object'
  /** The operation, for the documents; more than one where an answer needs reads of others. */
  readonly operations: readonly string[]
  /** Gives what is answered with 200; a stream of pieces for long lists. */
  readonly does: (doing: Doing) => Promise<unknown>
}

/** A text that is made piece by piece, for lists that are never whole in memory. */
class Pieces {
  readonly pieces: AsyncIterable<string>

  constructor(pieces: AsyncIterable<string>) {
    this.pieces = pieces
  }
}

export type { Permission, Asked, Doing, Route }
export { Pieces }
