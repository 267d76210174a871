import type { PublishedRoute } from '../core/deploy/routes.ts'
import type { Traffic } from '../core/deploy/traffic.ts'
import type { Credential } from '../core/identity/credential.ts'
import type { Principal } from '../core/identity/principal.ts'
import type { Clock } from '../core/kernel/clock.ts'
import type { Log } from '../core/kernel/log.ts'
import type { Origin } from '../core/operation/context.ts'
import type { Call } from '../core/operation/invoke.ts'

/** All that the gateway can reach of the platform. */
type GatewayHost = {
  readonly clock: Clock
  readonly log: Log
  /** Where people reach the gateway, and the platform; without a slash at the end. */
  readonly gatewayUrl: string
  readonly publicUrl: string
  readonly trustedProxies: readonly string[]
  /** Counts what is under way to each instance. */
  readonly traffic: Traffic
  /** The published services, now and after each change. */
  routes(signal: AbortSignal): AsyncIterable<readonly PublishedRoute[]>
  /** The principal that a credential proves; throws a fault when it proves none. */
  identify(credential: Credential, origin: Origin): Promise<Principal>
  /** Runs an operation. */
  invoke<Output>(call: Call, operation: string, input: unknown): Promise<Output>
  /** A text that only this installation can make of `text`, in hex. */
  mark(text: string): string
  /** Random bytes in hex. */
  random(bytes: number): string
}

export type { GatewayHost }
