import { Readable } from 'node:stream'
import { answerEarly } from '../answer-early.ts'
import { toFault } from '../to-fault.ts'
import { refusalOf } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiHost } from '../api.ts'

const json = 'application/json; charset=utf-8'

/** Answers with 200: every success of this API has that status (contract §2). */
function sendJson(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.code(200).type(json).send(JSON.stringify(body))
}

/** Answers with 200 and a text that is made piece by piece. */
function sendPieces(reply: FastifyReply, pieces: AsyncIterable<string>): FastifyReply {
  return reply.code(200).type(json).send(Readable.from(pieces))
}

/** Answers with what went wrong. Anything but a fault is a defect: it is logged and told as such. */
function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  host: ApiHost,
  error: unknown,
  told: { readonly gone?: boolean } = {},
): FastifyReply {
  const { status, body, retryAfterSeconds } = refusalOf(toFault(error, request, host.log), told)
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="komand"')
  if (retryAfterSeconds !== null) reply.header('retry-after', String(retryAfterSeconds))
  reply.code(status).type(json)
  const text = JSON.stringify(body)
  if (status === 413) return answerEarly(request, reply, host.clock, text)
  return reply.send(text)
}

export { sendJson, sendPieces, sendError }
