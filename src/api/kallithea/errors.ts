import type { Fault, FaultCode } from '../../core/kernel/fault.ts'

/** The text of everything that has none of its own (contract §1.1 rows 15 and 16). */
const internalError = 'Internal server error'

/** An error whose text is known already. */
class Refused extends Error {
  override readonly name = 'Refused'
}

/** One of a method's errors: for which faults it stands, and its text, or what makes it of the fault's details. */
type ErrorRule = { readonly fits: (fault: Fault) => boolean; readonly text: string | ((fault: Fault) => string) }

type About = { readonly kind: string; readonly member?: string }

/**
 * The thing is missing, or hidden from the caller, or the caller holds too little on it: all three read the same ("hidden" in the contract). `member` is
 * the member of the operation's input that named it, where a method names two of a kind.
 */
function absent(kind: string, text: string, member?: string): ErrorRule {
  return { fits: (fault) => isAbout(fault, { kind, ...(member !== undefined && { member }) }, ['not_found', 'forbidden', 'unauthenticated']), text }
}

/** The thing is missing or hidden. */
function missing(kind: string, text: string, member?: string): ErrorRule {
  return { fits: (fault) => isAbout(fault, { kind, ...(member !== undefined && { member }) }, ['not_found']), text }
}

/** The thing is there, and hidden from the caller: for the few texts that tell (contract §15 D23). They may say its true path. */
function hidden(kind: string, text: string | ((path: string) => string)): ErrorRule {
  const fits = (fault: Fault) => isAbout(fault, { kind }, ['not_found']) && fault.context.absence === 'hidden'
  return { fits, text: typeof text === 'string' ? text : ({ context }) => text(context.path ?? '') }
}

/** The caller may see the thing, and holds too little on it. */
function denied(kind: string, text: string, member?: string): ErrorRule {
  return { fits: (fault) => isAbout(fault, { kind, ...(member !== undefined && { member }) }, ['forbidden']), text }
}

/** Another has the name. */
function taken(kind: string, text: string): ErrorRule {
  return { fits: (fault) => isAbout(fault, { kind }, ['name_taken']), text }
}

/** A fault with this code, whatever it is about. */
function coded(code: FaultCode, text: string): ErrorRule {
  return { fits: (fault) => fault.code === code, text }
}

// The kind and the member of what a fault is about are private context (design §3): the contract's texts depend on them.
function isAbout({ code, context }: Fault, { kind, member }: About, codes: readonly FaultCode[]): boolean {
  return codes.includes(code) && context.kind === kind && (member === undefined || context.member === member)
}

/** Which faults are the caller's to know under the method's own text; the rest says nothing but that it went wrong. */
const codes = {
  invalid_input: 'failed',
  invalid_name: 'failed',
  invalid_reference: 'failed',
  malformed_request: 'internal',
  unauthenticated: 'internal',
  invalid_credential: 'key',
  // Whoever may not call an operation at all is told nothing (contract §1.1 row 15).
  forbidden: 'internal',
  account_inactive: 'key',
  network_refused: 'key',
  cross_site: 'internal',
  registration_closed: 'internal',
  egress_refused: 'failed',
  remote_unavailable: 'failed',
  not_found: 'failed',
  operation_not_found: 'failed',
  route_not_found: 'internal',
  method_not_allowed: 'internal',
  name_taken: 'failed',
  type_conflict: 'failed',
  state_conflict: 'failed',
  in_use: 'failed',
  payload_too_large: 'internal',
  uri_too_long: 'internal',
  unsupported_media_type: 'internal',
  content_invalid: 'failed',
  source_required: 'failed',
  dockerfile_not_found: 'failed',
  idempotency_key_reuse: 'failed',
  rate_limited: 'internal',
  quota_exceeded: 'failed',
  unsupported: 'failed',
  git_unavailable: 'failed',
  overloaded: 'failed',
  store_unavailable: 'failed',
  runtime_unavailable: 'failed',
  shutting_down: 'failed',
  git_timeout: 'failed',
  deadline_exceeded: 'failed',
  internal: 'failed',
} as const satisfies Record<FaultCode, 'failed' | 'internal' | 'key'>

export type { ErrorRule }
export { internalError, Refused, absent, missing, hidden, denied, taken, coded, codes }
