import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Services } from '../operation/services.ts'
import type { UserRow } from '../../ports/store/rows.ts'
import type { Credential } from './credential.ts'

type Signed = Extract<Credential, { form: 'signature' }>

const windowMs = 300_000

/** What a signing key is sealed for. */
function signingKeyContext(id: string): string {
  return `signing-key:${id}`
}

/**
 * The id of the signing key that made a signature (Deploy API §3.3.4), or null when none of the user's did, it is more than 300 s away from now, or it
 * was accepted before.
 *
 * Accepted signatures are kept in the store, with the records of repeated requests: so "once" holds across restarts and among several servers, and what
 * is kept goes away with those records, which live longer than the window.
 */
async function acceptSignature(services: Services, user: UserRow | null, given: Signed): Promise<string | null> {
  const { clock, store, ids } = services
  if (!Number.isSafeInteger(given.at) || Math.abs(clock.now() - given.at * 1000) > windowMs || !/^[0-9a-f]{64}$/i.test(given.signature)) return null
  const signature = Buffer.from(given.signature, 'hex')
  const text = `${given.at}.${given.method}.${given.target}.${given.identity}.${given.bodyHash}`
  const keyId = await signedBy(services, user, text, signature)
  if (!user || keyId === null) return null
  const mine = ids.hex(16)
  const record = {
    identity: `user:${user.id}`,
    route: 'identity-signature',
    key: signature.toString('hex'),
    fingerprint: mine,
    outcome: {},
    at: clock.now(),
  }
  const first = await store.write((tables) => tables.idempotency.put(record))
  return first.fingerprint === mine ? keyId : null
}

async function signedBy(services: Services, user: UserRow | null, text: string, signature: Buffer): Promise<string | null> {
  const keys = user ? await services.store.reader.signingKeys.ofUser(user.id) : []
  let found: string | null = null
  for (const key of keys) {
    const secret = services.secretBox.open(key.sealed, signingKeyContext(key.id)).reveal()
    if (timingSafeEqual(createHmac('sha256', secret).update(text).digest(), signature)) found = key.id
  }
  return found
}

export { signingKeyContext, acceptSignature }
