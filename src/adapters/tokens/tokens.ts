import { join } from 'node:path'
import { createSigner, createVerifier } from 'fast-jwt'
import { loadKey } from '../secret-box/key-file.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import type { TokenClaims, Tokens } from '../../ports/tokens.ts'

const longestToken = 8192
const mostKnown = 1000

/** Tokens signed (HS256) with `<folder>/token.key`, made at first start. */
function createTokens(options: { folder: string; clock: Clock }): Tokens {
  const key = loadKey(join(options.folder, 'token.key'))
  const sign = createSigner({ key, algorithm: 'HS256' })
  // Expiry is compared with our own clock below.
  const verify = createVerifier({ key, algorithms: ['HS256'], ignoreExpiration: true, cache: false })
  // What a token says cannot change, and neither does the key: only that is remembered. Whether its session still counts is looked up each time.
  const known = new Map<string, TokenClaims>()
  const claimsOf = (token: string): TokenClaims | null => {
    const claims: unknown = known.get(token) ?? verify(token)
    if (!isClaims(claims)) return null
    if (known.size >= mostKnown) known.clear()
    known.set(token, claims)
    return claims
  }
  return {
    sign: (claims) => sign({ ...claims }),
    verify(token) {
      if (token.length > longestToken) return null
      try {
        const claims = claimsOf(token)
        return claims && claims.exp * 1000 > options.clock.now() ? claims : null
      } catch {
        return null
      }
    },
  }
}

function isClaims(claims: unknown): claims is TokenClaims {
  if (typeof claims !== 'object' || claims === null) return false
  const { sub, iat, exp, sid } = claims as Record<string, unknown>
  return typeof sub === 'string' && Number.isFinite(iat) && Number.isFinite(exp) && (sid === undefined || typeof sid === 'string')
}

export { createTokens }
