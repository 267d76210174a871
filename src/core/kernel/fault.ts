/**
 * The closed table of everything that can go wrong on purpose. An API maps every code to its own status and body; `docs/errors.md` is held equal to
 * this table by a test. Anything thrown that is not a `Fault` is a defect and reaches callers as `internal`.
 *
 * `{name}` in a message is filled from the fault's public parameters.
 */
const faults = {
  invalid_input: { status: 400, retry: false, message: 'The input of {operation} has {count} problem(s): {first}. Correct it and call again.' },
  invalid_name: { status: 400, retry: false, message: 'The {what} "{name}" cannot be used: {why}. Choose another one.' },
  invalid_reference: { status: 400, retry: false, message: 'The reference "{reference}" is not of the form kind:name. Write for example {example}.' },
  malformed_request: { status: 400, retry: false, message: 'The request cannot be read: {why}. Correct it and send it again.' },
  unauthenticated: { status: 401, retry: false, message: 'Sign in first: send "Authorization: Bearer <token or API key>" or a session cookie.' },
  invalid_credential: { status: 401, retry: false, message: 'The name, password, token or key is wrong or has expired. Sign in again.' },
  forbidden: {
    status: 403,
    retry: false,
    message: 'You may not do this: {operation} needs {need} on {subject}. Ask its owner or an administrator for it.',
  },
  account_inactive: { status: 403, retry: false, message: 'This account is not active. Ask an administrator to enable it.' },
  network_refused: {
    status: 403,
    retry: false,
    message: 'This account may not be used from your address. Ask an administrator about its allowed networks.',
  },
  cross_site: {
    status: 403,
    retry: false,
    message: 'This request comes from another site, so the session cookie does not count. Open Capstan itself and repeat it there.',
  },
  registration_closed: { status: 403, retry: false, message: 'Sign-ups are closed here. Ask an administrator for an account.' },
  egress_refused: {
    status: 403,
    retry: false,
    message: 'The address {address} may not be called from here, or leads nowhere. An operator can allow it with CAPSTAN_EGRESS_ALLOW.',
  },
  remote_unavailable: {
    status: 502,
    retry: true,
    message: 'The remote repository {remote} cannot be copied from: {why}. Correct its address or password, or try again later.',
  },
  not_found: {
    status: 404,
    retry: false,
    message: 'There is no {kind} "{reference}" that you may see. Check the spelling, or ask for access to it.',
  },
  operation_not_found: { status: 404, retry: false, message: 'There is no operation "{operation}". GET /api/v1/openapi.json lists them all.' },
  route_not_found: { status: 404, retry: false, message: 'Nothing answers at this address. GET / says what does.' },
  method_not_allowed: { status: 405, retry: false, message: 'This address does not take {method}. Use {allowed}.' },
  name_taken: { status: 409, retry: false, message: 'The {kind} "{name}" exists already. Choose another name, or use the existing one.' },
  type_conflict: {
    status: 409,
    retry: false,
    message: '"{name}" is a {existing} already and cannot become a {wanted}. Delete it first, or choose another name.',
  },
  state_conflict: { status: 409, retry: false, message: '{what} is {state}, so this cannot be done. {next}' },
  in_use: { status: 409, retry: false, message: '{what} is still used by {by}. Remove that first.' },
  payload_too_large: { status: 413, retry: false, message: 'The body is larger than {limit} bytes. Send less at once.' },
  uri_too_long: { status: 414, retry: false, message: 'The address is longer than {limit} bytes. Shorten it.' },
  unsupported_media_type: { status: 415, retry: false, message: 'The content type "{type}" is not understood here. Send {wanted}.' },
  content_invalid: { status: 422, retry: false, message: '{what} has {count} problem(s): {first}' },
  source_required: { status: 422, retry: false, message: 'An image can only be built from a repository and a directory. Name both.' },
  dockerfile_not_found: { status: 422, retry: false, message: 'There is no code/Dockerfile in this commit. Add one, or run an existing image.' },
  idempotency_key_reuse: { status: 422, retry: false, message: 'This Idempotency-Key was used for another request. Use a new key for each request.' },
  rate_limited: { status: 429, retry: true, message: 'Too many requests. Wait {seconds} s, then go on more slowly.' },
  quota_exceeded: {
    status: 429,
    retry: true,
    message: '{scope} holds {limit} already. Wait until some have ended, or ask an administrator for more.',
  },
  unsupported: { status: 501, retry: false, message: '{what} is not supported: {why}.' },
  git_unavailable: {
    status: 502,
    retry: true,
    message: 'The repository "{repository}" cannot be read just now. Try again in a minute; an operator finds the cause in the log.',
  },
  overloaded: { status: 503, retry: true, message: 'Too much at once: {what}. Try again in {seconds} s.' },
  store_unavailable: { status: 503, retry: true, message: 'The store cannot be written just now, so nothing was changed. Try again in {seconds} s.' },
  runtime_unavailable: { status: 503, retry: true, message: 'The runtime "{runtime}" cannot be used: {why}.' },
  shutting_down: { status: 503, retry: true, message: 'The server is stopping. Try again in a few seconds.' },
  git_timeout: {
    status: 504,
    retry: true,
    message: 'Reading from "{repository}" took longer than {seconds} s. Try again, or make what is read smaller.',
  },
  deadline_exceeded: { status: 504, retry: true, message: '{operation} was not finished within its time of {seconds} s.' },
  internal: {
    status: 500,
    retry: false,
    message: 'Something went wrong here, not with you. An operator finds the cause in the log under {request_id}.',
  },
} as const satisfies Record<string, FaultRow>

type FaultRow = { readonly status: number; readonly retry: boolean; readonly message: string }
type FaultCode = keyof typeof faults

/** One thing wrong with an input or a document: where (JSON pointer), a stable word, and a sentence for people. */
type Problem = { path: string; code: string; message: string; severity?: 'error' | 'warning' }

/** What only the log and an API's `errors.ts` may read: never part of an answer by itself. */
type PrivateContext = {
  /** Whether a `not_found` was really missing, or there but hidden from the caller. */
  readonly absence?: 'missing' | 'hidden'
  readonly kind?: string
  readonly reference?: string
  /** The member of the operation's input that named it. */
  readonly member?: string
  /** The true name of what was hidden. */
  readonly path?: string
  readonly note?: string
}

type FaultOptions = {
  readonly details?: Readonly<Record<string, unknown>>
  readonly private?: PrivateContext
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** A failure that belongs to the table. `message` is for the caller; `context` is for the log. */
class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly params: Readonly<Record<string, unknown>>
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly context: PrivateContext
  readonly retryAfterMs: number | undefined

  constructor(code: FaultCode, params: Readonly<Record<string, unknown>>, options: FaultOptions) {
    super(fill(faults[code].message, params), { cause: options.cause })
    this.code = code
    this.params = params
    this.details = options.details
    this.context = options.private ?? {}
    this.retryAfterMs = options.retryAfterMs
  }

  get status(): number {
    return faults[this.code].status
  }
}

/** A `Fault` of the table, ready to throw. */
function fault(code: FaultCode, params: Readonly<Record<string, unknown>> = {}, options: FaultOptions = {}): Fault {
  return new Fault(code, params, options)
}

/** The fault for a document or input with problems; `code` is `content_invalid` for documents (manifests, pipelines). */
function problemsFault(code: 'invalid_input' | 'content_invalid', what: string, problems: readonly Problem[]): Fault {
  const first = problems[0]
  const params = { operation: what, what, count: problems.length, first: first ? `${first.path || '/'} ${first.message}` : '' }
  return fault(code, params, { details: { problems: problems.slice(0, 100) } })
}

function isFault(error: unknown, code?: FaultCode): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code)
}

function fill(template: string, params: Readonly<Record<string, unknown>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => printable(Object.hasOwn(params, name) ? params[name] : ''))
}

// Names come from users: control and direction characters in a message could rewrite a terminal or a log line.
function printable(value: unknown): string {
  return String(value)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}')
    .slice(0, 300)
}

export type { FaultRow, FaultCode, Problem, PrivateContext, FaultOptions }
export { faults, Fault, fault, problemsFault, isFault }
