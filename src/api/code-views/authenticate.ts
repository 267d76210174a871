import { isFault } from '../../core/kernel/fault.ts'
import { bearerToken } from '../bearer.ts'
import { readCookie } from '../cookie.ts'
import { isCrossSite } from '../cross-site.ts'
import type { FastifyRequest } from 'fastify'
import type { Call } from '../../core/operation/invoke.ts'
import type { Origin } from '../../core/operation/context.ts'
import type { Principal } from '../../core/identity/principal.ts'
import type { ApiHost } from '../api.ts'

const via = 'code-views'

/**
 * Who asks: by `?api_key=`, a bearer token or the session cookie, else nobody. Null when a key or token is wrong: then nothing is shown at all (Kallithea
 * contract §12.6). A session that has ended is nobody's.
 */
async function callerOf(request: FastifyRequest, host: ApiHost): Promise<Call | null> {
  const origin = host.originOf(request, via)
  const bearer = bearerToken(request.headers.authorization)
  const keys = new URL(request.raw.url ?? '', 'http://server').searchParams.getAll('api_key')
  let principal: Principal | null = null
  for (const credential of [
    ...keys.slice(0, 2).map((secret) => ({ form: 'api-key', secret, key: null }) as const),
    ...(bearer === undefined ? [] : [{ form: 'bearer', token: bearer } as const]),
  ]) {
    const proved = await proofOf(host, credential, origin)
    if (!proved) return null
    principal ??= proved
  }
  return { principal: principal ?? (await sessionOf(request, host, origin)) ?? (await host.identify({ form: 'none' }, origin)), origin }
}

async function sessionOf(request: FastifyRequest, host: ApiHost, origin: Origin): Promise<Principal | null> {
  const token = readCookie(request.headers.cookie, 'capstan_session')
  // A page of another site gets what everybody gets, whoever sits in front of it.
  return token === undefined || isCrossSite(request.headers, host.settings) ? null : proofOf(host, { form: 'cookie', token }, origin)
}

async function proofOf(host: ApiHost, credential: Parameters<ApiHost['identify']>[0], origin: Origin): Promise<Principal | null> {
  try {
    return await host.identify(credential, origin)
  } catch (error) {
    if (isFault(error) && ['invalid_credential', 'account_inactive', 'network_refused'].includes(error.code)) return null
    throw error
  }
}

export { callerOf }
