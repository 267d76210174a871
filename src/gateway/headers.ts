import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http'

/** Cookies of the platform and of the gateway: no service gets or sets them. */
const ownCookies = {
  session: 'capstan_gateway',
  state: 'capstan_gateway_state',
  sticky: 'capstan_sticky',
} as const
const guarded = new Set<string>(['authtoken', 'capstan_session', ...Object.values(ownCookies)])

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
// Claims about the caller that only the gateway may make, and `Expect`, which was answered here.
const dropped = new Set([
  'identity',
  'identity-signature',
  'expect',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-prefix',
  'x-real-ip',
])
// What would act on the whole origin, which a service shares with others, or on the host, which it may share with the platform.
const refused = new Set(['clear-site-data', 'service-worker-allowed', 'strict-transport-security', 'alt-svc', 'public-key-pins'])

type Visit = {
  /** As whom the service shall know the visitor; null: nobody. */
  readonly identity: string | null
  /** The authorization header was for the platform and is not passed on. */
  readonly ownAuthorization: boolean
  readonly peer: string
  readonly scheme: string
  readonly prefix: string
}

/** The headers of a request as its service gets them. */
function requestHeaders(request: IncomingMessage, visit: Visit): OutgoingHttpHeaders {
  const { headers } = request
  const named = connectionNames(headers)
  const sent: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || hopByHop.has(name) || dropped.has(name) || named.has(name)) continue
    if (name === 'authorization' && visit.ownAuthorization) continue
    const kept = name === 'cookie' ? withoutOwnCookies(String(value)) : value
    if (kept !== '') sent[name] = kept
  }
  sent['x-forwarded-for'] = visit.peer
  sent['x-forwarded-proto'] = visit.scheme
  sent['x-forwarded-prefix'] = visit.prefix.slice(0, -1)
  if (headers.host !== undefined) sent['x-forwarded-host'] = headers.host
  if (visit.identity !== null) sent.identity = headerText(visit.identity)
  // The parser has made sure that there is one framing only; it is said anew, never copied.
  if (headers['transfer-encoding'] !== undefined) delete sent['content-length']
  return sent
}

/** The headers of an answer as the visitor gets them. */
function answerHeaders(answer: IncomingMessage, more: readonly string[] = []): OutgoingHttpHeaders {
  const named = connectionNames(answer.headers)
  const sent: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value === undefined || hopByHop.has(name) || refused.has(name) || named.has(name)) continue
    if (name !== 'set-cookie') sent[name] = value
  }
  const cookies = [...(answer.headers['set-cookie'] ?? []).filter((cookie) => !guarded.has(cookieName(cookie))), ...more]
  if (cookies.length > 0) sent['set-cookie'] = cookies
  return sent
}

function withoutOwnCookies(header: string): string {
  return header
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '' && !guarded.has(cookieName(part)))
    .join('; ')
}

function cookieName(text: string): string {
  const end = text.search(/[=;]/)
  return text
    .slice(0, end < 0 ? undefined : end)
    .trim()
    .toLowerCase()
}

function connectionNames({ connection }: IncomingHttpHeaders): Set<string> {
  return new Set(
    (connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  )
}

// Names may hold letters that a header cannot.
function headerText(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : encodeURIComponent(text)
}

export type { Visit }
export { ownCookies, requestHeaders, answerHeaders }
