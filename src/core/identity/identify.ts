import { fault } from '../kernel/fault.ts'
import { inNetworks, parseAddress, parseNetworks } from '../kernel/network.ts'
import { bareKey, bareSecret, hashSecret } from './api-key.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { sessionOfGatewayToken } from './hand-over.ts'
import { touchKey } from './key-use.ts'
import { anonymous, closedAnonymous, principalOf } from './principal.ts'
import { provePassword } from './prove.ts'
import { isOpen, sessionIdOf } from './session.ts'
import { acceptSignature } from './signature.ts'
import { StoreUnavailable } from '../../ports/store/store.ts'
import type { Origin } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { ApiKeyRow, UserRow } from '../../ports/store/rows.ts'
import type { Credential } from './credential.ts'
import type { Principal } from './principal.ts'

type Given<Form extends Credential['form']> = Extract<Credential, { form: Form }>

/** Why a credential does not count, for the `note` of the fault's private context: only an API whose contract tells them apart may read it. */
type CredentialNote = 'invalid_token' | 'invalid_key' | 'account_inactive' | 'identity_untrusted' | 'unknown_identity' | 'signature_invalid'

/**
 * The principal that a credential proves: the one place where any form of credential is looked at.
 *
 * Errors: `invalid_credential` (the private note tells which way, see `CredentialNote`), `account_inactive` (only with the right password or key of the
 * account in its place), `network_refused`, `rate_limited` and `overloaded` (passwords only), `store_unavailable`.
 */
async function identify(services: Services, credential: Credential, origin: Origin): Promise<Principal> {
  try {
    return await identifyForm(services, credential, origin)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    services.log.error('store.unavailable', { operation: 'identify', error })
    throw fault('store_unavailable', { seconds: 5 }, { cause: error, retryAfterMs: 5000 })
  }
}

async function identifyForm(services: Services, credential: Credential, origin: Origin): Promise<Principal> {
  switch (credential.form) {
    case 'none':
      return identifyNobody(services, origin)
    case 'cookie':
      return identifySession(services, credential.token, 'cookie', origin)
    case 'bearer':
      return credential.token.includes('.')
        ? identifySession(services, credential.token, 'bearer', origin)
        : identifyKey(services, { form: 'api-key', secret: credential.token, key: null }, origin)
    case 'gateway':
      return identifyGateway(services, credential.token, origin)
    case 'api-key':
      return identifyKey(services, credential, origin)
    case 'password':
      return identifyPassword(services, credential, origin)
    case 'header':
      return identifyHeader(services, credential, origin)
    case 'signature':
      return identifySignature(services, credential, origin)
  }
}

// The networks of the `default` user are the server's: they are where callers without credentials come from, and are added to everybody's own.
async function identifyNobody(services: Services, origin: Origin): Promise<Principal> {
  const everyone = await services.store.reader.users.byId(everyoneId)
  const open = everyone?.active === true && comesFrom(origin.peer, everyone.networks)
  return open ? anonymous : closedAnonymous
}

async function identifySession(services: Services, token: string, kind: 'cookie' | 'bearer', origin: Origin): Promise<Principal> {
  const claims = services.tokens.verify(token)
  return identifyOpen(services, claims ? sessionIdOf(token, claims) : null, kind, origin)
}

async function identifyGateway(services: Services, token: string, origin: Origin): Promise<Principal> {
  return identifyOpen(services, sessionOfGatewayToken(services, token), 'cookie', origin)
}

async function identifyOpen(services: Services, id: string | null, kind: 'cookie' | 'bearer', origin: Origin): Promise<Principal> {
  const { reader } = services.store
  const session = id === null ? null : await reader.sessions.byId(id)
  if (!session || !isOpen(session, services.clock.now())) throw invalid('invalid_token')
  const user = await reader.users.byId(session.user_id)
  if (!user || user.kind === 'builtin') throw invalid('invalid_token')
  if (!user.active) throw invalid('account_inactive')
  await checkNetworks(services, user, origin)
  return principalOf(user, kind, session.id)
}

async function identifyKey(services: Services, given: Given<'api-key'>, origin: Origin): Promise<Principal> {
  const key = await keyOf(services, given.secret)
  // A public part that was sent must be this key's: clients that send both rely on the pair.
  if (!key || (given.key !== null && bareKey(given.key) !== key.public_key)) throw invalid('invalid_key')
  const user = await services.store.reader.users.byId(key.user_id)
  if (!user || user.kind === 'builtin') throw invalid('invalid_key')
  if (!user.active) throw invalid('account_inactive')
  await checkNetworks(services, user, origin)
  touchKey(services, key)
  return principalOf(user, 'api-key', key.id, key.scopes)
}

async function identifyPassword(services: Services, given: Given<'password'>, origin: Origin): Promise<Principal> {
  const user = await personOf(services, given.login)
  const key = await keyOf(services, given.password)
  const byKey = key !== null && user !== null && key.user_id === user.id
  if (!byKey) await prove(services, user, given, origin)
  if (!user) throw invalid('invalid_key')
  if (!user.active) throw fault('account_inactive', {}, { private: { kind: 'user', reference: given.login } })
  await checkNetworks(services, user, origin)
  if (!byKey) return principalOf(user, 'password', null)
  touchKey(services, key)
  return principalOf(user, 'api-key', key.id, key.scopes)
}

// Outside of an operation nobody else writes refused sign-ins down.
async function prove(services: Services, user: UserRow | null, given: Given<'password'>, origin: Origin): Promise<void> {
  try {
    await provePassword(services, user, given, origin)
  } catch (error) {
    services.refusals.note({ principal: anonymous, origin, operation: 'session.create', reference: given.login, code: 'invalid_credential' })
    throw error
  }
}

// From an address that is not trusted the answer must not depend on whether the identity exists, so it is not even looked up.
async function identifyHeader(services: Services, given: Given<'header'>, origin: Origin): Promise<Principal> {
  const peer = parseAddress(given.tcpPeer)
  if (!peer || !inNetworks(peer, parseNetworks(services.settings.trustedIdentityPeers))) throw invalid('identity_untrusted')
  const user = await personOf(services, given.identity)
  if (!user?.active) throw invalid('unknown_identity')
  await checkNetworks(services, user, origin)
  return principalOf(user, 'header-peer', null)
}

async function identifySignature(services: Services, given: Given<'signature'>, origin: Origin): Promise<Principal> {
  const user = await personOf(services, given.identity)
  const keyId = await acceptSignature(services, user, given)
  // A wrong signature is answered the same way whether the identity exists or not.
  if (!user || keyId === null) throw invalid('signature_invalid')
  if (!user.active) throw invalid('unknown_identity')
  await checkNetworks(services, user, origin)
  return principalOf(user, 'header-signature', keyId)
}

/** The user of a name or e-mail address who can sign in at all, or null. */
async function personOf(services: Services, login: string): Promise<UserRow | null> {
  const trimmed = login.trim()
  if (trimmed === '' || trimmed.length > 320) return null
  const user = await services.store.reader.users.byLogin(trimmed)
  return user && user.kind !== 'builtin' ? user : null
}

async function keyOf(services: Services, secret: string): Promise<ApiKeyRow | null> {
  const bare = bareSecret(secret)
  const key = bare === null ? null : await services.store.reader.apiKeys.byHash(hashSecret(bare))
  return key && (key.expires_at === null || key.expires_at > services.clock.now()) ? key : null
}

/** Refuses a user who comes from outside of the allowed networks: the user's own and those of the `default` user together; none at all allow any. */
async function checkNetworks(services: Services, user: UserRow, origin: Origin): Promise<void> {
  if (user.networks.length > 0 && comesFrom(origin.peer, user.networks)) return
  const everyone = await services.store.reader.users.byId(everyoneId)
  if (comesFrom(origin.peer, [...user.networks, ...(everyone?.networks ?? [])])) return
  throw fault('network_refused', {}, { private: { kind: 'user', reference: user.name, note: origin.peer } })
}

function comesFrom(peer: string, networks: readonly string[]): boolean {
  if (networks.length === 0) return true
  const address = parseAddress(peer)
  return address !== null && inNetworks(address, parseNetworks(networks))
}

function invalid(note: CredentialNote): Error {
  return fault('invalid_credential', {}, { private: { note } })
}

export type { CredentialNote }
export { identify, personOf, checkNetworks }
