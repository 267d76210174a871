import { retryAfter } from '../retry-after.ts'
import type { Fault, FaultCode } from '../../core/kernel/fault.ts'

/** The words of the contract's error bodies (§4), with their status. The last three are ours, for what the contract has no word for. */
const statuses = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  ACCESS_DENIED: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  GONE: 410,
  TOO_LARGE: 413,
  TOO_MANY_REQUESTS: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  METHOD_NOT_ALLOWED: 405,
  NOT_SUPPORTED: 501,
  TIMEOUT: 504,
} as const
type Word = keyof typeof statuses

/** The one text of the contract that clients know byte by byte. */
const denied = 'checkpermission: You do not have the right permissions to access this resource'
/** One text for every way not to be known: which one it was is nobody's business. */
const unknown = 'You are not signed in, or your name, secret or token is wrong or has ended. Log in with POST /v2/sessions.'

/** What a fault looks like here. */
type Refusal = {
  readonly status: number
  readonly body: { readonly message: string; readonly status: Word; readonly errors?: readonly unknown[] }
  readonly retryAfterSeconds: number | null
}

type Pick = Word | ((fault: Fault) => Word)

const codes = {
  invalid_input: 'BAD_REQUEST',
  invalid_name: 'BAD_REQUEST',
  invalid_reference: 'BAD_REQUEST',
  malformed_request: 'BAD_REQUEST',
  unauthenticated: 'UNAUTHORIZED',
  invalid_credential: 'UNAUTHORIZED',
  forbidden: 'ACCESS_DENIED',
  account_inactive: 'UNAUTHORIZED',
  network_refused: 'UNAUTHORIZED',
  cross_site: 'ACCESS_DENIED',
  registration_closed: 'ACCESS_DENIED',
  egress_refused: 'BAD_REQUEST',
  remote_unavailable: 'UNAVAILABLE',
  not_found: ({ context }) => (context.note === 'gone' ? 'GONE' : 'NOT_FOUND'),
  operation_not_found: 'NOT_SUPPORTED',
  route_not_found: 'NOT_FOUND',
  method_not_allowed: 'METHOD_NOT_ALLOWED',
  name_taken: 'CONFLICT',
  type_conflict: 'CONFLICT',
  state_conflict: 'CONFLICT',
  in_use: 'CONFLICT',
  payload_too_large: 'TOO_LARGE',
  uri_too_long: 'BAD_REQUEST',
  unsupported_media_type: 'BAD_REQUEST',
  content_invalid: 'BAD_REQUEST',
  source_required: 'BAD_REQUEST',
  dockerfile_not_found: 'BAD_REQUEST',
  idempotency_key_reuse: 'CONFLICT',
  rate_limited: 'TOO_MANY_REQUESTS',
  quota_exceeded: 'UNAVAILABLE',
  unsupported: 'NOT_SUPPORTED',
  git_unavailable: 'UNAVAILABLE',
  overloaded: 'UNAVAILABLE',
  store_unavailable: 'UNAVAILABLE',
  runtime_unavailable: 'UNAVAILABLE',
  shutting_down: 'UNAVAILABLE',
  git_timeout: 'TIMEOUT',
  deadline_exceeded: 'TIMEOUT',
  internal: 'INTERNAL',
} as const satisfies Record<FaultCode, Pick>

/** What a fault looks like here (contract §4). `gone`: the route tells what was deleted apart from what never was. */
function refusalOf(fault: Fault, { gone = false }: { readonly gone?: boolean } = {}): Refusal {
  const pick: Pick = codes[fault.code]
  const picked = typeof pick === 'string' ? pick : pick(fault)
  const word = picked === 'GONE' && !gone ? 'NOT_FOUND' : picked
  const status = statuses[word]
  const findings = word === 'BAD_REQUEST' ? listIn(fault.details?.findings) : null
  return {
    status,
    body: { message: messageOf(fault, word), status: word, ...(findings ? { errors: findings } : {}) },
    retryAfterSeconds: status === 429 || status === 503 ? retryAfter(fault) : null,
  }
}

function messageOf(fault: Fault, word: Word): string {
  if (word === 'ACCESS_DENIED') return denied
  if (word === 'UNAUTHORIZED') return unknown
  if (word === 'GONE') return 'This has been deleted.'
  return fault.message
}

function listIn(value: unknown): readonly unknown[] | null {
  return Array.isArray(value) ? value : null
}

export type { Refusal, Word }
export { denied, refusalOf }
