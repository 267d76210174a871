import { Readable } from 'node:stream'
import { toFault } from '../to-fault.ts'
import { refusalOf } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiHost } from '../api.ts'

const json = 'application/json; charset=utf-8'

/** How long, and how much of, a body that is refused while it arrives is still taken, so that its sender gets to read the answer. */
const lingerMs = 2000
const lingerBytes = 16 * 1024 * 1024

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
  if (status === 413) return sendAndClose(request, reply, host, text)
  return reply.send(text)
}

// A connection that is closed with unread bytes is reset, and the answer may be lost with it: so the answer goes out whole, and a bounded rest is thrown away.
function sendAndClose(request: FastifyRequest, reply: FastifyReply, host: ApiHost, text: string): FastifyReply {
  const body = Buffer.from(text)
  reply.header('connection', 'close').header('content-length', body.length)
  reply.hijack()
  const { raw } = reply
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(413)
  raw.write(body)
  let rest = 0
  const end = () => {
    timer.cancel()
    request.raw.off('data', count).off('end', end).off('close', end)
    raw.end()
  }
  const count = (chunk: Uint8Array) => {
    rest += chunk.length
    if (rest > lingerBytes) end()
  }
  const timer = host.clock.after(lingerMs, end)
  request.raw.on('data', count).once('end', end).once('close', end).resume()
  return reply
}

export { sendJson, sendPieces, sendError }
