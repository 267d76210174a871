import { expect } from 'vitest'
import { Fault } from '../../src/core/kernel/fault.ts'
import { anonymous, principalOf, system } from '../../src/core/identity/principal.ts'
import { newUser } from '../../src/core/identity/user-rules.ts'
import { invoke } from '../../src/core/operation/invoke.ts'
import type { FaultCode } from '../../src/core/kernel/fault.ts'
import type { Principal } from '../../src/core/identity/principal.ts'
import type { Origin } from '../../src/core/operation/context.ts'
import type { Services } from '../../src/core/operation/services.ts'
import type { UserRow } from '../../src/ports/store/rows.ts'

export { anonymous, system }

/** An answer of an operation, as a client has it before it looks. */
// biome-ignore lint/suspicious/noExplicitAny: tests read members of answers as scripts of operators do
export type Answer = any

export const origin: Origin = { via: 'test', peer: '192.0.2.1', requestId: 'test' }

export function from(peer: string): Origin {
  return { ...origin, peer }
}

/** Calls an operation as somebody. */
export function call(services: Services, principal: Principal, operation: string, input: unknown = {}, at: Origin = origin): Promise<Answer> {
  return invoke<Answer>(services, { principal, origin: at }, operation, input)
}

/** The fault that a call ends with; fails the test when it ends otherwise. */
export async function faultOf(promise: Promise<unknown>, code?: FaultCode): Promise<Fault> {
  const error = await promise.then(
    (value) => new Error(`went through: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  if (!(error instanceof Fault)) throw error
  if (code !== undefined) expect(error.code, error.message).toBe(code)
  return error
}

/** A user without a password, straight in the store, as its principal. Fast, for tests that are not about signing in. */
export async function somebody(services: Services, name: string, more: Partial<UserRow> = {}): Promise<Principal> {
  const row = await services.store.write((tables) => tables.users.insert(newUser(services, { name, email: `${name}@lab.test`, ...more })))
  return principalOf(row, 'bearer', null)
}
