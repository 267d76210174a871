import { Readable } from 'node:stream'
import { fault } from '../../core/kernel/fault.ts'
import { answerEarly } from '../answer-early.ts'
import { toFault } from '../to-fault.ts'
import { errorBody, refusalOf } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiHost } from '../api.ts'

const json = 'application/json; charset=utf-8'

/** Answers with 200: every success of this API has that status (contract §4.2). */
function sendJson(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.code(200).type(json).header('cache-control', 'no-store').send(JSON.stringify(body))
}

/** Answers with 200 and a text that is made piece by piece. */
function sendPieces(reply: FastifyReply, pieces: AsyncIterable<string>): FastifyReply {
  return reply.code(200).type(json).header('cache-control', 'no-store').send(Readable.from(pieces))
}

/** Answers with what went wrong. Anything but a fault is a defect: it is logged and told as such. */
function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  host: ApiHost,
  error: unknown,
  fields: Readonly<Record<string, string>> = {},
): FastifyReply {
  const refusal = refusalOf(toFault(error, request, host.log), fields)
  if (refusal.status === 401) reply.header('www-authenticate', 'Bearer realm="deploy-api"')
  if (refusal.retryAfterSeconds !== null) reply.header('retry-after', String(refusal.retryAfterSeconds))
  if (refusal.replayed) reply.header('idempotency-replayed', 'true')
  reply.code(refusal.status).type(json).header('cache-control', 'no-store').header('x-request-id', request.id)
  const text = JSON.stringify(errorBody(refusal, request.id))
  if (refusal.code === 'payload_too_large') return answerEarly(request, reply, host.clock, text)
  return reply.send(text)
}

/** The refusal of an address: it is no route, or takes another method. */
function unmatched(request: FastifyRequest, reply: FastifyReply, allowed: readonly string[]) {
  if (allowed.length === 0) return fault('route_not_found')
  reply.header('allow', allowed.join(', '))
  return fault('method_not_allowed', { method: request.method, allowed: allowed.join(', ') })
}

export { sendJson, sendPieces, sendError, unmatched }
