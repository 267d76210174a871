import { fault } from '../../core/kernel/fault.ts'
import { isSignedIn } from '../../core/identity/principal.ts'
import { bearerCredential } from '../bearer.ts'
import { readCookie } from '../cookie.ts'
import { isCrossSite } from '../cross-site.ts'
import type { FastifyRequest } from 'fastify'
import type { Credential } from '../../core/identity/credential.ts'
import type { Principal } from '../../core/identity/principal.ts'
import type { Origin } from '../../core/operation/context.ts'
import type { ApiHost } from '../api.ts'

/**
 * Who calls (contract §3.2): a bearer token where the header is there, else the cookie `jwt`, which alone suffices. What another site caused is refused when
 * only the cookie speaks for it.
 */
async function identifyCaller(request: FastifyRequest, host: ApiHost, origin: Origin): Promise<Principal> {
  const credential = credentialOf(request)
  if (credential.form === 'none') throw fault('unauthenticated')
  const principal = await host.identify(credential, origin)
  if (!isSignedIn(principal)) throw fault('unauthenticated')
  const changes = request.method !== 'GET' && request.method !== 'HEAD'
  if (credential.form === 'cookie' && changes && isCrossSite(request.headers, host.settings)) throw fault('cross_site')
  return principal
}

/** Who calls a route that is open: nobody where no credential is sent. One that is sent must be right. */
async function identifyOpen(request: FastifyRequest, host: ApiHost, origin: Origin): Promise<Principal> {
  return credentialOf(request).form === 'none' ? host.identify({ form: 'none' }, origin) : identifyCaller(request, host, origin)
}

function credentialOf({ headers }: FastifyRequest): Credential {
  const bearer = bearerCredential(headers.authorization)
  if (bearer) return bearer
  const token = readCookie(headers.cookie, 'jwt')
  return token === undefined ? { form: 'none' } : { form: 'cookie', token }
}

export { identifyCaller, identifyOpen }
