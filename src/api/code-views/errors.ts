import { faults } from '../../core/kernel/fault.ts'
import { retryAfter } from '../retry-after.ts'
import { sendText } from './answer.ts'
import type { FastifyReply } from 'fastify'
import type { Fault } from '../../core/kernel/fault.ts'

const signInPage = '/login'

/**
 * What a caller hears who may not see a thing, or asks for one that is not there: both alike. Who has not signed in is sent to do that (contract §12.5).
 */
function refuseHidden(reply: FastifyReply, { signedIn }: { signedIn: boolean }): FastifyReply {
  if (signedIn) return sendText(reply, 404, 'There is nothing at this address, or you may not see it.\n')
  return sendText(reply, 302, 'Sign in to see whether there is something at this address.\n', { location: signInPage })
}

/** A fault of core as text. */
function refuseFault(reply: FastifyReply, fault: Fault): FastifyReply {
  const retry = faults[fault.code].retry ? { 'retry-after': String(retryAfter(fault)) } : {}
  return sendText(reply, fault.status, `${fault.message}\n`, retry)
}

/** Whether a fault says that a revision is not there. Its kind is private context: the contract has a text for it (§12.5). */
function isUnknownRevision({ code, context }: Fault): boolean {
  return code === 'not_found' && context.kind === 'revision'
}

/** Whether a repository offers no downloads: the note is private context, and the contract has a text for it (§12.5). */
function isDownloadsOff({ code, context }: Fault): boolean {
  return code === 'unsupported' && context.note === 'downloads'
}

export { refuseHidden, refuseFault, isUnknownRevision, isDownloadsOff }
