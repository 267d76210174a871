import { faults } from '../../core/kernel/fault.ts'
import { retryAfter } from '../retry-after.ts'
import type { FastifyReply } from 'fastify'
import type { Fault } from '../../core/kernel/fault.ts'

/** A text that a client of git or Mercurial shows to its user. */
type Refusal = { readonly status: number; readonly text: string; readonly headers?: Readonly<Record<string, string>> }

/** Named by the contract (§12.2), so that stored passwords of clients go on to work. */
const challenge = { 'www-authenticate': 'Basic realm="Kallithea"' }

/** What everybody is refused with who asks for a repository by its address. */
const refusals = {
  missing: { status: 404, text: 'There is no such repository.' },
  /** Hidden from a caller who has signed in: the contract wants 403 where other APIs say that there is nothing. */
  hidden: { status: 403, text: 'You may not read this repository. Ask its owner for it.' },
  unauthenticated: { status: 401, text: 'Sign in with your name and password, or with an API key as password.', headers: challenge },
} as const satisfies Record<string, Refusal>

/** What a fault of core says to such a client. Reads the fault's private context for the one thing that the contract demands: missing or hidden. */
function refusalOf(fault: Fault): Refusal {
  switch (fault.code) {
    case 'not_found':
      return fault.context.absence === 'hidden' ? refusals.hidden : refusals.missing
    case 'unauthenticated':
    case 'invalid_credential':
      return { ...refusals.unauthenticated, text: fault.code === 'unauthenticated' ? refusals.unauthenticated.text : fault.message }
    case 'payload_too_large':
      // What is still on its way is not wanted any more.
      return { status: fault.status, text: fault.message, headers: { connection: 'close' } }
    default:
      return { status: fault.status, text: fault.message, headers: retryHeader(fault) }
  }
}

function retryHeader(fault: Fault): Readonly<Record<string, string>> {
  if (!faults[fault.code].retry) return {}
  return { 'retry-after': String(retryAfter(fault)) }
}

/** Sends a refusal as plain text. */
function refuse(reply: FastifyReply, { status, text, headers }: Refusal): FastifyReply {
  return reply
    .code(status)
    .headers(headers ?? {})
    .type('text/plain; charset=utf-8')
    .send(`${text}\n`)
}

export type { Refusal }
export { refusals, refusalOf, refuse }
