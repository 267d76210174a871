import { everyoneId, everyoneName, systemActorId } from '../kernel/builtin.ts'
import type { UserRow } from '../../ports/store/rows.ts'
import type { Viewer } from '../../ports/store/tables.ts'

/** How a caller proved who it is. */
type CredentialKind = 'none' | 'cookie' | 'bearer' | 'api-key' | 'password' | 'header-peer' | 'header-signature' | 'run' | 'system'

/** Anyone who can act, made from a credential by `identify`. */
type Principal = {
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
  /** What the credential may be used for (see scope.ts); left out: all that its user may do. */
  readonly scopes?: readonly string[] | null
  /** A caller without credentials while anonymous access is closed: only signing in and signing up answer. */
  readonly closed?: boolean
}

const anonymous: Principal = {
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
const system: Principal = {
  kind: 'system',
  id: systemActorId,
  name: 'system',
  email: null,
  administrator: true,
  organisation: '',
  credential: 'system',
  credentialId: null,
}

/** Callers without credentials when the `default` user is not active, or does not allow their address. */
const closedAnonymous: Principal = { ...anonymous, closed: true }

/** The principal of a user's row, for a credential that was checked; or for the server, which acts in the name of whoever started something. */
function principalOf(user: UserRow, credential: CredentialKind, credentialId: string | null, scopes: readonly string[] | null = null): Principal {
  return {
    kind: user.kind === 'service' ? 'service' : 'user',
    id: user.id,
    name: user.name,
    email: user.email,
    administrator: user.administrator,
    organisation: user.organisation,
    credential,
    credentialId,
    scopes,
  }
}

function viewerOf(principal: Principal): Viewer {
  return { userId: principal.id, administrator: principal.administrator }
}

function isSignedIn(principal: Principal): boolean {
  return principal.kind !== 'anonymous'
}

export type { CredentialKind, Principal }
export { anonymous, system, closedAnonymous, principalOf, viewerOf, isSignedIn }
