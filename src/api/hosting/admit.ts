import { fault, isFault } from '../../core/kernel/fault.ts'
import { credentialOf } from './credential.ts'
import { refusals } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Call } from '../../core/operation/invoke.ts'
import type { Origin } from '../../core/operation/context.ts'
import type { Principal } from '../../core/identity/principal.ts'
import type { ApiHost } from '../api.ts'
import type { Refusal } from './errors.ts'

type Kind = 'git' | 'hg'

type Located = { readonly id: string; readonly path: string; readonly kind: Kind; readonly may: { readonly pull: boolean; readonly push: boolean } }

/** A repository that is there, as callers without credentials know it. */
type Found = { readonly origin: Origin; readonly anonymous: Principal; readonly open: Located | 'hidden'; readonly path: string; readonly kind: Kind }

/** Where a repository is served, and as whom. */
type Admission = { readonly repository: string; readonly principal: Principal }

/** The repository at a path, or the refusal: one that is not there is said so before anybody has to sign in (Kallithea contract §12.2). */
async function findHosted(host: ApiHost, origin: Origin, kind: Kind, path: string | null): Promise<Found | Refusal> {
  if (path === null) return refusals.missing
  const anonymous = await host.identify({ form: 'none' }, origin)
  const open = await locate(host, { principal: anonymous, origin }, kind, path)
  return open === 'missing' ? refusals.missing : { origin, anonymous, open, path, kind }
}

/** Who the caller is. The order is the contract's: what callers without credentials may do is served without a look at the Authorization header. */
async function admit(
  request: FastifyRequest,
  host: ApiHost,
  { origin, anonymous, open, path, kind }: Found,
  need: 'pull' | 'push',
): Promise<Admission | Refusal> {
  if (open !== 'hidden' && open.may[need]) return { repository: open.id, principal: anonymous }
  const credential = credentialOf(request.headers.authorization)
  if (credential === null) return refusals.unauthenticated
  const principal = await host.identify(credential, origin)
  const located = await locate(host, { principal, origin }, kind, path)
  if (located === 'missing') return refusals.missing
  return located === 'hidden' ? refusals.hidden : { repository: located.id, principal }
}

async function locate(host: ApiHost, call: Call, kind: Kind, path: string): Promise<Located | 'hidden' | 'missing'> {
  try {
    const located = await host.invoke<Located>(call, 'repository.locate', { path })
    return located.kind === kind ? located : 'missing'
  } catch (error) {
    if (isFault(error, 'not_found')) return error.context.absence === 'hidden' ? 'hidden' : 'missing'
    throw error
  }
}

/** Aborted when the client leaves before it has its whole answer. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(fault('malformed_request', { why: 'its client has gone' }))
  })
  return gone.signal
}

export type { Admission, Found }
export { findHosted, admit, goneSignal }
