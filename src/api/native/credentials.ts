import { fault } from '../../core/kernel/fault.ts'
import { bearerCredential } from '../bearer.ts'
import { readCookie, sessionCookie } from '../cookie.ts'
import { isCrossSite } from '../cross-site.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../../core/identity/credential.ts'
import type { Call } from '../../core/operation/invoke.ts'
import type { Settings } from '../../core/operation/settings.ts'
import type { ApiHost } from '../api.ts'

const via = 'native'

/** `capstan_session` is ours; `authtoken` is where the Deploy API's clients look for the same token. */
const cookieNames = ['capstan_session', 'authtoken'] as const

/**
 * The credential of a request: the bearer token, else the session cookie. What is there counts: a bad one never falls through to the next.
 * A cookie on a request of another site's page: `cross_site`.
 */
function credentialOf(request: FastifyRequest, settings: Settings): Credential {
  const { authorization, cookie } = request.headers
  const bearer = bearerCredential(authorization)
  if (bearer) return bearer
  const token = readCookie(cookie, cookieNames[0])
  if (token === undefined) return { form: 'none' }
  if (isCrossSite(request.headers, settings)) throw fault('cross_site')
  // A form cannot send this type, and a script of another site needs a permission that we never give.
  if (request.method === 'POST' && !/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw fault('unsupported_media_type', { type: request.headers['content-type'] ?? '', wanted: 'application/json, with a session cookie always' })
  }
  return { form: 'cookie', token }
}

/** Who calls. A session cookie that has ended is taken back, so that the browser does not send it for ever. */
async function callOf(request: FastifyRequest, reply: FastifyReply, host: ApiHost, credential = credentialOf(request, host.settings)): Promise<Call> {
  const origin = host.originOf(request, via)
  try {
    return { principal: await host.identify(credential, origin), origin }
  } catch (error) {
    if (credential.form === 'cookie') clearSession(reply, host.settings)
    throw error
  }
}

/** Gives the browser a new session. `expiresAt` is RFC 3339. */
function giveSession(reply: FastifyReply, host: ApiHost, { token, expiresAt }: { token: string; expiresAt: string }): void {
  const maxAge = (Date.parse(expiresAt) - host.clock.now()) / 1000
  for (const name of cookieNames) reply.header('set-cookie', sessionCookie(name, token, { maxAge, secure: isSecure(host.settings) }))
}

function clearSession(reply: FastifyReply, settings: Settings): void {
  for (const name of cookieNames) reply.header('set-cookie', sessionCookie(name, '', { maxAge: 0, secure: isSecure(settings) }))
}

function isSecure(settings: Settings): boolean {
  return settings.publicUrl.startsWith('https:')
}

export { callOf, giveSession, clearSession }
