import { fault } from '../core/kernel/fault.ts'
import type { Credential } from '../core/identity/credential.ts'

/** The token of an `Authorization: Bearer` header; undefined where there is no such header, or one of another kind. */
function bearerToken(authorization: string | undefined): string | undefined {
  return /^bearer +([^\s]+) *$/i.exec(authorization ?? '')?.[1]
}

/** The credential of an `Authorization` header; null where there is none. One that holds no bearer token is wrong: `invalid_credential`. */
function bearerCredential(authorization: string | undefined): Credential | null {
  if (authorization === undefined) return null
  const token = bearerToken(authorization)
  if (token === undefined) throw fault('invalid_credential', {}, { private: { note: 'the Authorization header holds no bearer token' } })
  return { form: 'bearer', token }
}

export { bearerToken, bearerCredential }
