import { faults } from '../../core/kernel/fault.ts'
import { retryAfter } from '../retry-after.ts'
import type { FastifyReply } from 'fastify'
import type { Fault } from '../../core/kernel/fault.ts'

/** The form of every error of the native API; addresses that belong to no API are refused in it as well. */
export type ErrorBody = { readonly error: { readonly code: string; readonly message: string; readonly details?: Readonly<Record<string, unknown>> } }

function errorBody({ code, message, details }: Fault): ErrorBody {
  return { error: { code, message, ...(details ? { details } : {}) } }
}

/** Answers with a fault: its status, what to wait, how to sign in. */
export function sendFault(reply: FastifyReply, fault: Fault): FastifyReply {
  reply.code(fault.status).type('application/json; charset=utf-8')
  if (fault.status === 401) reply.header('www-authenticate', challengeOf(fault))
  if (faults[fault.code].retry) reply.header('retry-after', String(retryAfter(fault)))
  return reply.send(JSON.stringify(errorBody(fault)))
}

function challengeOf(fault: Fault): string {
  return fault.code === 'invalid_credential' ? 'Bearer realm="capstan", error="invalid_token"' : 'Bearer realm="capstan"'
}
