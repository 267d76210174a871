import { createHash } from 'node:crypto'
import { fault } from '../../core/kernel/fault.ts'
import { isSignedIn } from '../../core/identity/principal.ts'
import { plainAddress } from '../client-address.ts'
import { bearerCredential } from '../bearer.ts'
import { readCookie } from '../cookie.ts'
import { isCrossSite } from '../cross-site.ts'
import { badParameter } from './decode.ts'
import type { FastifyRequest } from 'fastify'
import type { Credential } from '../../core/identity/credential.ts'
import type { Principal } from '../../core/identity/principal.ts'
import type { Origin } from '../../core/operation/context.ts'
import type { ApiHost } from '../api.ts'

/** What reading the credential of a request needs besides the request. */
type Reading = {
  readonly host: ApiHost
  readonly origin: Origin
  /** The body, read only when a signature covers it. */
  readonly body: () => Promise<Uint8Array>
}

/**
 * Who calls a protected route (contract §3.5): a bearer token or the cookie where one is there, and then nothing else counts; else the `Identity` header,
 * signed or from a trusted peer; else `unauthenticated`. Requests that another site or a prefetch caused are refused here (§3.6).
 */
async function identifyProtected(request: FastifyRequest, reading: Reading): Promise<Principal> {
  const credential = await credentialOf(request, reading)
  if (credential.form === 'none') throw fault('unauthenticated')
  const principal = await reading.host.identify(credential, reading.origin)
  if (!isSignedIn(principal)) throw fault('unauthenticated')
  if (isPrefetch(request)) throw fault('cross_site')
  if (credential.form === 'cookie' && isCrossSite(request.headers, reading.host.settings)) throw fault('cross_site')
  return principal
}

/** Who calls an open route: a valid credential is used, a missing or invalid one makes the caller anonymous and is never an error. */
async function identifyOpen(request: FastifyRequest, reading: Reading): Promise<Principal> {
  try {
    const credential = await credentialOf(request, reading)
    return await reading.host.identify(credential, reading.origin)
  } catch {
    return reading.host.identify({ form: 'none' }, reading.origin)
  }
}

async function credentialOf(request: FastifyRequest, reading: Reading): Promise<Credential> {
  const { authorization, cookie, identity } = request.headers
  const bearer = bearerCredential(authorization)
  if (bearer) return bearer
  const token = readCookie(cookie, 'authtoken')
  if (token !== undefined) return { form: 'cookie', token }
  if (identity === undefined) return { form: 'none' }
  const name = checkedIdentity(identity)
  const signature = request.headers['identity-signature']
  if (signature !== undefined) return signedCredential(request, reading, name, signature)
  // Never the address that a header claims: a proxy's client could write anything there.
  return { form: 'header', identity: name, tcpPeer: plainAddress(request.raw.socket.remoteAddress ?? '') }
}

// Several headers of one name arrive joined by commas.
function checkedIdentity(identity: string | readonly string[]): string {
  const text = typeof identity === 'string' ? identity.trim() : ','
  if (text === '' || text.length > 254 || /[,\p{Cc}]/u.test(text)) {
    throw badParameter('Identity', 'must be one identity of at most 254 characters, without commas and control characters')
  }
  return text
}

async function signedCredential(
  request: FastifyRequest,
  reading: Reading,
  identity: string,
  header: string | readonly string[],
): Promise<Credential> {
  const found = typeof header === 'string' ? /^t=([0-9]{1,12}),v1=([0-9a-fA-F]{64})$/.exec(header.replaceAll(' ', '')) : null
  if (!found) throw fault('invalid_credential', {}, { private: { note: 'signature_invalid' } })
  const bodyHash = createHash('sha256')
    .update(await reading.body())
    .digest('hex')
  return {
    form: 'signature',
    identity,
    at: Number(found[1]),
    signature: found[2] ?? '',
    method: request.method,
    target: request.raw.url ?? '',
    bodyHash,
  }
}

function isPrefetch({ headers }: FastifyRequest): boolean {
  const said = [headers['purpose'], headers['sec-purpose']].flat()
  return said.some((purpose) => purpose?.trim().toLowerCase().startsWith('prefetch'))
}

export type { Reading }
export { identifyProtected, identifyOpen }
