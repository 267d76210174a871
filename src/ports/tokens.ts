/** Signed, short texts that say which session somebody has: JWTs with HS256 and a key of this installation. */
export type Tokens = {
  /** A token with these claims, `iat` and `exp` (seconds) included. */
  sign(claims: TokenClaims): string
  /** The claims of a token that we signed and that has not expired (tolerance 0), else null. The token's own `alg` never chooses. */
  verify(token: string): TokenClaims | null
}

/**
 * What a token says. `sid` is its session; a token in the form of an API that has no such claim is found by its own hash instead (`sessionIdOf`).
 * The session's row decides about everything: no other claim is ever trusted.
 */
export type TokenClaims = {
  readonly sub: string
  readonly sid?: string
  readonly iat: number
  readonly exp: number
  readonly [claim: string]: unknown
}
