import { isObject } from '../../core/kernel/json.ts'
import { retryAfter } from '../retry-after.ts'
import type { Fault, FaultCode } from '../../core/kernel/fault.ts'

/** Every code that an error of this API can have (contract §4.3), with its status. `not_supported` is ours, for what is not built yet. */
export const statuses = {
  invalid_parameter: 400,
  invalid_name: 400,
  invalid_schedule: 400,
  invalid_form: 400,
  duplicate_field: 400,
  invalid_configuration: 400,
  identity_required: 401,
  invalid_token: 401,
  identity_untrusted: 401,
  unknown_identity: 401,
  forbidden: 403,
  cross_site_request: 403,
  route_not_found: 404,
  repository_not_found: 404,
  branch_not_found: 404,
  directory_not_found: 404,
  manifest_not_found: 404,
  pipeline_file_not_found: 404,
  template_not_found: 404,
  namespace_not_found: 404,
  job_not_found: 404,
  cronjob_not_found: 404,
  deployment_not_found: 404,
  service_not_found: 404,
  task_not_found: 404,
  pipeline_not_found: 404,
  work_not_found: 404,
  method_not_allowed: 405,
  name_in_use: 409,
  type_conflict: 409,
  deployment_backs_service: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  manifest_invalid: 422,
  pipeline_invalid: 422,
  schedule_not_allowed: 422,
  source_required: 422,
  dockerfile_not_found: 422,
  template_invalid: 422,
  idempotency_key_reuse: 422,
  rate_limited: 429,
  quota_exceeded: 429,
  internal_error: 500,
  not_supported: 501,
  git_unavailable: 502,
  overloaded: 503,
  runtime_unavailable: 503,
  store_unavailable: 503,
  shutting_down: 503,
  git_timeout: 504,
} as const
export type Code = keyof typeof statuses

/** What the public may know of a fault, in this API's words. */
export type Refusal = {
  readonly status: number
  readonly code: Code
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
  readonly retryAfterSeconds: number | null
  /** The answer repeats that of an earlier request with the same key. */
  readonly replayed: boolean
}

type Pick = Code | ((fault: Fault) => Code)

const notFound: Readonly<Record<string, Code>> = {
  repository: 'repository_not_found',
  branch: 'branch_not_found',
  directory: 'directory_not_found',
  manifest: 'manifest_not_found',
  'pipeline file': 'pipeline_file_not_found',
  namespace: 'namespace_not_found',
  job: 'job_not_found',
  deployment: 'deployment_not_found',
  service: 'service_not_found',
  cronjob: 'cronjob_not_found',
  template: 'template_not_found',
  work: 'work_not_found',
  task: 'task_not_found',
  pipeline: 'pipeline_not_found',
  run: 'task_not_found',
}

const malformed: Readonly<Record<string, Code>> = {
  body: 'invalid_form',
  configuration: 'invalid_configuration',
  invalid_form: 'invalid_form',
  duplicate_field: 'duplicate_field',
}

const content: Readonly<Record<string, Code>> = {
  manifest: 'manifest_invalid',
  pipeline: 'pipeline_invalid',
  schedule: 'schedule_not_allowed',
  template: 'template_invalid',
}

const claims: Readonly<Record<string, Code>> = {
  identity_untrusted: 'identity_untrusted',
  unknown_identity: 'unknown_identity',
  // A signature that does not hold leaves a bare claim from somewhere.
  signature_invalid: 'identity_untrusted',
}

/** Which code each fault of the table becomes. The private context may be read here (design §3): the contract tells apart what core's table does not. */
const codes = {
  invalid_input: ({ context }) => (context.kind === 'schedule' ? 'invalid_schedule' : 'invalid_parameter'),
  invalid_name: 'invalid_name',
  invalid_reference: 'invalid_parameter',
  malformed_request: ({ context }) => malformed[context.kind ?? ''] ?? 'invalid_parameter',
  unauthenticated: 'identity_required',
  invalid_credential: ({ context }) => claims[context.note ?? ''] ?? 'invalid_token',
  forbidden: 'forbidden',
  account_inactive: 'invalid_token',
  network_refused: 'forbidden',
  cross_site: 'cross_site_request',
  registration_closed: 'forbidden',
  egress_refused: 'forbidden',
  remote_unavailable: 'internal_error',
  not_found: ({ context }) => notFound[context.kind ?? ''] ?? 'route_not_found',
  operation_not_found: 'internal_error',
  route_not_found: 'route_not_found',
  method_not_allowed: 'method_not_allowed',
  name_taken: 'name_in_use',
  type_conflict: 'type_conflict',
  state_conflict: 'type_conflict',
  in_use: 'deployment_backs_service',
  payload_too_large: 'payload_too_large',
  uri_too_long: 'invalid_parameter',
  unsupported_media_type: 'unsupported_media_type',
  content_invalid: ({ context }) => content[context.kind ?? ''] ?? 'manifest_invalid',
  source_required: 'source_required',
  dockerfile_not_found: 'dockerfile_not_found',
  idempotency_key_reuse: 'idempotency_key_reuse',
  rate_limited: 'rate_limited',
  quota_exceeded: 'quota_exceeded',
  unsupported: 'not_supported',
  git_unavailable: 'git_unavailable',
  overloaded: 'overloaded',
  store_unavailable: 'store_unavailable',
  runtime_unavailable: 'runtime_unavailable',
  shutting_down: 'shutting_down',
  git_timeout: 'git_timeout',
  deadline_exceeded: 'overloaded',
  internal: 'internal_error',
} as const satisfies Record<FaultCode, Pick>

/** What a fault looks like here. `fields` says how the route calls members of the operation's input. */
export function refusalOf(fault: Fault, fields: Readonly<Record<string, string>> = {}): Refusal {
  const pick: Pick = codes[fault.code]
  const code = typeof pick === 'string' ? pick : pick(fault)
  const status = statuses[code]
  const waits = status === 429 || status >= 502
  return {
    status,
    code,
    message: fault.message,
    details: detailsOf(fault, code, fields),
    retryAfterSeconds: waits ? retryAfter(fault) : null,
    replayed: fault.context.note === 'replayed',
  }
}

// An allow-list for each code: what a fault carries besides is for other readers.
function detailsOf(fault: Fault, code: Code, fields: Readonly<Record<string, string>>): Record<string, unknown> {
  const { details = {} } = fault
  switch (code) {
    case 'invalid_parameter':
    case 'invalid_name':
    case 'invalid_schedule':
    case 'invalid_configuration':
    case 'duplicate_field':
      return fieldOf(fault, fields)
    case 'name_in_use':
      return typeof details.existing_id === 'string' ? { existing_id: details.existing_id } : {}
    case 'manifest_invalid':
    case 'pipeline_invalid':
    case 'schedule_not_allowed':
      return Array.isArray(details.problems) ? { problems: details.problems } : {}
    default:
      return {}
  }
}

function fieldOf({ details = {}, context }: Fault, fields: Readonly<Record<string, string>>): Record<string, unknown> {
  const member = typeof details.field === 'string' ? details.field : (memberIn(details.problems) ?? context.member)
  return member === undefined ? {} : { field: Object.hasOwn(fields, member) ? fields[member] : member }
}

function memberIn(problems: unknown): string | undefined {
  const first: unknown = Array.isArray(problems) ? problems[0] : undefined
  const path = isObject(first) ? first.path : undefined
  return typeof path === 'string' ? path.split('/')[1] : undefined
}

/** The body of an error (contract §4.3). */
export function errorBody(refusal: Refusal, requestId: string) {
  const { code, message, details } = refusal
  return { error: { code, message, request_id: requestId, details } }
}
