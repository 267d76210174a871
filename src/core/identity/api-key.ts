import { createHash } from 'node:crypto'
import type { Ids } from '../kernel/id.ts'
import type { ApiKeyRow } from '../../ports/store/rows.ts'

const spelling = /^(?:[A-Za-z0-9]{40}|S_[A-Za-z0-9]{40}_S)$/
const publicSpelling = /^(?:[A-Za-z0-9]{40}|K_[A-Za-z0-9]{40}_K)$/

/** The 40 letters and digits of an API key's secret in any spelling (bare, `S_<40>_S`; keys of 40 hex digits from an import as well), else null. */
function bareSecret(text: string): string | null {
  return spelling.test(text) ? unwrap(text) : null
}

/** The 40 letters and digits of the public part in any spelling (bare, `K_<40>_K`), else null. */
function bareKey(text: string): string | null {
  return publicSpelling.test(text) ? unwrap(text) : null
}

/** How a secret is kept and looked up: it has 238 random bits, so that a plain hash is enough and costs microseconds. */
function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** A new key of a user and its secret, which is kept nowhere. */
function newApiKey(
  ids: Ids,
  key: {
    readonly userId: string
    readonly label: string
    readonly at: number
    readonly expiresAt: number | null
    readonly scopes?: readonly string[] | null
    readonly secret?: string
  },
): { row: ApiKeyRow; secret: string } {
  const secret = key.secret ?? ids.letters(40)
  const row: ApiKeyRow = {
    id: ids.record(),
    user_id: key.userId,
    label: key.label,
    public_key: ids.letters(40),
    secret_hash: hashSecret(secret),
    scopes: key.scopes ? [...key.scopes] : null,
    created_at: key.at,
    expires_at: key.expiresAt,
    last_used_at: null,
  }
  return { row, secret }
}

function unwrap(text: string): string {
  return text.length === 40 ? text : text.slice(2, 42)
}

export { bareSecret, bareKey, hashSecret, newApiKey }
