import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/id.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Log } from '../kernel/log.ts'
import type { Principal } from '../identity/principal.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { Services } from './services.ts'

/** Where a call came from, for the audit trail and for limits. */
export type Origin = {
  /** The API that it came through: `native`, `datatask`, `git-http`, `cli`, `schedule`, … */
  readonly via: string
  /** The client's address, '' for work of the server itself. */
  readonly peer: string
  readonly requestId: string
}

/**
 * What every core function gets first: who acts, from where, until when, and the only ways to data, time, randomness and the outside.
 */
export type Ctx = {
  readonly principal: Principal
  readonly origin: Origin
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  /** Aborted when the caller has gone, the deadline has passed or the server stops. */
  readonly signal: AbortSignal
  /** Reads outside a transaction, or the tables of the transaction in a write. */
  readonly db: Tables
  readonly services: Services
  /** Runs another operation as the same principal: procedures, batches, steps. Not inside a write. */
  invoke<Output = unknown>(operation: string, input: unknown): Promise<Output>
  /**
   * The one commit of an operation that acts outside as well: the closure's changes and the operation's audit line become durable together.
   * Awaits nothing but the store.
   */
  write<T>(work: (ctx: WriteCtx) => Promise<T>): Promise<T>
  /** Tells followers about a change, after it is committed. */
  emit(event: ChangeEvent): void
}

/** A context inside a transaction. */
export type WriteCtx = Ctx & { readonly writing: true }

/** A change that followers (event streams, Komodo's update socket, Komand's clients) hear of. */
export type ChangeEvent = {
  /** `run`, `user`, `repository`, … */
  readonly kind: string
  readonly id: string
  readonly name: string
  readonly state: string
  /** The resource whose readers may hear of it; null: administrators and the user it is about. */
  readonly resource_id: string | null
  /** A user that hears of it in any case. */
  readonly user_id?: string | null
  readonly data?: JsonObject
}
