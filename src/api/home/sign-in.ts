import { fault, isFault } from '../../core/kernel/fault.ts'
import { readCookie, sessionCookie } from '../cookie.ts'
import { isCrossSite } from '../cross-site.ts'
import { pages, signInPage } from './pages.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../../core/identity/principal.ts'
import type { ApiHost } from '../api.ts'

/** Where a gateway wants its visitor back: bound to the visitor's browser by `state`, at the address `to` of the gateway. */
type Errand = { readonly state: string; readonly to: string }

const via = 'home'
const cookieNames = ['capstan_session', 'authtoken'] as const

/** The plain page where people sign in; for the gateway, whose visitors are sent back to it with a code that is good once. */
function addSignIn(http: FastifyInstance, host: ApiHost): void {
  http.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 16_384 },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(body as string))), // parseAs above says that it is one
  )
  http.get('/login', async (request, reply) => {
    const errand = errandOf(request.query)
    const principal = await sessionOf(request, host)
    if (!principal) return sendForm(reply, host, errand, null)
    return sendOn(request, reply, host, principal, errand)
  })
  http.post('/login', async (request, reply) => {
    // Or a page of another site could sign somebody in as another.
    if (isCrossSite(request.headers, host.settings)) return sendForm(reply.code(403), host, null, fault('cross_site').message)
    const errand = errandOf(request.body)
    const { login, password } = textsOf(request.body, ['login', 'password'])
    const call = { principal: await host.identify({ form: 'none' }, host.originOf(request, via)), origin: host.originOf(request, via) }
    try {
      const session = await host.invoke<{ token: string; expires_at: string }>(call, 'session.create', { login, password })
      const maxAge = (Date.parse(session.expires_at) - host.clock.now()) / 1000
      for (const name of cookieNames) reply.header('set-cookie', sessionCookie(name, session.token, { maxAge, secure: isSecure(host) }))
      const principal = await host.identify({ form: 'cookie', token: session.token }, host.originOf(request, via))
      return await sendOn(request, reply, host, principal, errand)
    } catch (error) {
      if (!isFault(error)) throw error
      return sendForm(reply.code(error.status), host, errand, error.message)
    }
  })
}

async function sendOn(
  request: FastifyRequest,
  reply: FastifyReply,
  host: ApiHost,
  principal: Principal,
  errand: Errand | null,
): Promise<FastifyReply> {
  const { gatewayUrl } = host.settings
  if (!errand || gatewayUrl === null) return reply.redirect('/', 303)
  const call = { principal, origin: host.originOf(request, via) }
  const { code } = await host.invoke<{ code: string }>(call, 'session.hand-over', { state: errand.state })
  return reply.redirect(`${gatewayUrl}/.capstan/signed-in?${new URLSearchParams({ code, to: errand.to })}`, 303)
}

async function sessionOf(request: FastifyRequest, host: ApiHost): Promise<Principal | null> {
  const token = readCookie(request.headers.cookie, cookieNames[0])
  if (token === undefined) return null
  try {
    return await host.identify({ form: 'cookie', token }, host.originOf(request, via))
  } catch (error) {
    if (isFault(error)) return null
    throw error
  }
}

// Browsers hold a form to its policy even where the answer sends them on: the gateway is where this one may lead.
function sendForm(reply: FastifyReply, host: ApiHost, errand: Errand | null, said: string | null): FastifyReply {
  const gateway = host.settings.gatewayUrl === null ? '' : ` ${new URL(host.settings.gatewayUrl).origin}`
  const policy = `default-src 'none'; style-src '${pages.styleHash}'; form-action 'self'${gateway}; frame-ancestors 'none'; base-uri 'none'`
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', policy)
    .send(signInPage(errand ? { ...errand } : {}, said))
}

function errandOf(given: unknown): Errand | null {
  const { state, to } = textsOf(given, ['state', 'to'])
  return /^[0-9a-f]{32}$/.test(state) && to.startsWith('/') && to.length <= 8192 ? { state, to } : null
}

function textsOf<const Name extends string>(given: unknown, names: readonly Name[]): Record<Name, string> {
  const members = typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {}
  const text = (name: Name) => (Object.hasOwn(members, name) && typeof members[name] === 'string' ? members[name] : '')
  return Object.fromEntries(names.map((name) => [name, text(name)])) as Record<Name, string> // of just these names
}

function isSecure({ settings }: ApiHost): boolean {
  return settings.publicUrl.startsWith('https:')
}

export { addSignIn }
