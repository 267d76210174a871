import { createHash, randomBytes } from 'node:crypto'
import { encodeUser } from './encode-user.ts'
import { permissionsOf } from './permissions.ts'
import type { UserView } from './encode-user.ts'

/** How long a log-in lasts, where the server's own time for sessions is not shorter (contract §3.3). */
const lastsSeconds = 12 * 3600

/** What clients of this API know as the server's version, and what says which build it is. */
const komandVersion = '0.4000'
const revision = createHash('sha1').update(komandVersion).digest('hex')

/**
 * The claims that clients of this API read (contract §3.3); `iat` and `exp` are added where the token is signed. None of them decides anything: the session's
 * row does, and rights are read again at each request.
 */
function claimsOf(user: UserView) {
  const { user_id, user_name, inactive, first_name, last_name, company_title, avatar_url } = encodeUser(user)
  return {
    enable_licensing: false,
    hashed_account_id: createHash('sha256').update(`account:${user.id}`).digest().subarray(0, 16).toString('base64url'),
    komand_branch: 'master',
    komand_revision: revision,
    komand_version: komandVersion,
    // New for each session, so that no two log-ins of one second give one token.
    pendo_account: randomBytes(8).toString('base64url'),
    perms: permissionsOf(user.system_permissions, user.administrator),
    sub: user.name,
    user: { user_id, user_name, inactive, first_name, last_name, company_title, avatar_url },
  }
}

export { lastsSeconds, claimsOf }
