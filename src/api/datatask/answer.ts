import { Readable } from 'node:stream'
import { fault } from '../../core/kernel/fault.ts'
import { toFault } from '../to-fault.ts'
import { errorBody, refusalOf } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiHost } from '../api.ts'
import type { Refusal } from './errors.ts'

const json = 'application/json; charset=utf-8'

/** How long, and how much of, a body that is refused while it arrives is still taken, so that its sender gets to read the answer. */
const lingerMs = 2000
const lingerBytes = 16 * 1024 * 1024

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
  if (refusal.code === 'payload_too_large') return sendAndClose(request, reply, host, refusal)
  return reply.send(JSON.stringify(errorBody(refusal, request.id)))
}

/** The refusal of an address: it is no route, or takes another method. */
function unmatched(request: FastifyRequest, reply: FastifyReply, allowed: readonly string[]) {
  if (allowed.length === 0) return fault('route_not_found')
  reply.header('allow', allowed.join(', '))
  return fault('method_not_allowed', { method: request.method, allowed: allowed.join(', ') })
}

// A connection that is closed with unread bytes is reset, and the answer may be lost with it: so the answer goes out whole, and a bounded rest is thrown away.
function sendAndClose(request: FastifyRequest, reply: FastifyReply, host: ApiHost, refusal: Refusal): FastifyReply {
  const body = Buffer.from(JSON.stringify(errorBody(refusal, request.id)))
  reply.header('connection', 'close').header('content-length', body.length)
  reply.hijack()
  const { raw } = reply
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(refusal.status)
  raw.write(body)
  let rest = 0
  const end = () => {
    timer.cancel()
    request.raw.off('data', count).off('end', end).off('close', end)
    raw.end()
  }
  const count = (chunk: Uint8Array) => {
    rest += chunk.length
    if (rest <= lingerBytes) return
    // Whoever sends quickly could go on for as long as the answer takes to leave.
    request.raw.pause()
    end()
  }
  const timer = host.clock.after(lingerMs, end)
  request.raw.on('data', count).once('end', end).once('close', end).resume()
  return reply
}

export { sendJson, sendPieces, sendError, unmatched }
