import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../core/identity/credential.ts'
import type { Principal } from '../core/identity/principal.ts'
import type { Origin } from '../core/operation/context.ts'
import type { Health } from '../core/operation/health.ts'
import type { Call } from '../core/operation/invoke.ts'
import type { Registry } from '../core/operation/registry.ts'
import type { Settings } from '../core/operation/settings.ts'
import type { Fault } from '../core/kernel/fault.ts'
import type { Clock } from '../core/kernel/clock.ts'
import type { Log } from '../core/kernel/log.ts'
import type { Metrics } from './metrics.ts'

/**
 * One published API: a folder of tables and pure functions. It takes credentials and inputs out of requests, calls operations, and puts their outputs
 * into its own forms. It has no rules of its own.
 */
export type Api = {
  readonly name: string
  /** Adds its routes. Called once, in a scope of its own: parsers and hooks that it adds are only its own. */
  readonly register: (http: FastifyInstance, host: ApiHost) => void | Promise<void>
  /** Whether an address that nothing answers is this API's to refuse, in its own error form. */
  readonly ownsPath?: (path: string) => boolean
  /** Answers such an address. Where the path exists with other methods, the reply has the header `allow` already. */
  /** `why` is what is wrong with the address itself; null: nothing answers there. */
  readonly refuseUnmatched?: (request: FastifyRequest, reply: FastifyReply, host: ApiHost, why: Fault | null) => void | Promise<void>
  /** First path segments that its routes use, so that no repository is named so. */
  readonly segments: readonly string[]
}

/** All that an API can reach. */
export type ApiHost = {
  readonly registry: Registry
  readonly settings: Settings
  readonly clock: Clock
  readonly log: Log
  /** Aborted when the server begins to stop: what follows or waits ends then. */
  readonly stopping: AbortSignal
  /** Runs an operation. The only way to anything. */
  invoke<Output = unknown>(call: Call, operation: string, input: unknown): Promise<Output>
  /** Opens a stream (events, logs) with the same checks as an operation. It ends with the caller, the caller's account, or the server. */
  stream<Item = unknown>(call: Call, stream: string, input: unknown): Promise<AsyncIterable<Item>>
  /** The principal that a credential proves. Throws `invalid_credential`, `account_inactive`, `network_refused`, `rate_limited`. */
  identify(credential: Credential, origin: Origin): Promise<Principal>
  /** Where a request comes from: the client's address by the trusted-proxy rule, and the request's id. */
  originOf(request: FastifyRequest, via: string): Origin
  readonly metrics: Metrics
  readonly health: Health
}
