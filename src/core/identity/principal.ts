import { everyoneId, everyoneName, systemActorId } from './builtin.ts'
import type { Viewer } from '../../ports/store/tables.ts'

/** How a caller proved who it is. */
export type CredentialKind = 'none' | 'cookie' | 'bearer' | 'api-key' | 'password' | 'header-peer' | 'header-signature' | 'run' | 'system'

/** Anyone who can act, made from a credential by `identify`. */
export type Principal = {
  readonly kind: 'user' | 'service' | 'anonymous' | 'system'
  /** The user's id; everyone's for callers without credentials. */
  readonly id: string
  readonly name: string
  readonly email: string | null
  readonly administrator: boolean
  /** The repository group that short repository names are looked up in. */
  readonly organisation: string
  readonly credential: CredentialKind
  /** The session or key that was used. */
  readonly credentialId: string | null
}

export const anonymous: Principal = {
  kind: 'anonymous',
  id: everyoneId,
  name: everyoneName,
  email: null,
  administrator: false,
  organisation: '',
  credential: 'none',
  credentialId: null,
}

/** The server itself: schedules, recovery, janitors, first start. */
export const system: Principal = {
  kind: 'system',
  id: systemActorId,
  name: 'system',
  email: null,
  administrator: true,
  organisation: '',
  credential: 'system',
  credentialId: null,
}

export function viewerOf(principal: Principal): Viewer {
  return { userId: principal.id, administrator: principal.administrator }
}

export function isSignedIn(principal: Principal): boolean {
  return principal.kind !== 'anonymous'
}
