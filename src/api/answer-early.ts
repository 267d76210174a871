import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../core/kernel/clock.ts'

/** How long, and how much of, a body that is refused while it arrives is still taken, so that its sender gets to read the answer. */
const lingerMs = 2000
const lingerBytes = 16 * 1024 * 1024

/**
 * Answers a request whose body is still on its way with what `reply` says and `text`, and closes the connection. One that is closed with unread bytes is
 * reset, and the answer may be lost with it: so the answer goes out whole, and a bounded rest is thrown away.
 */
function answerEarly(request: FastifyRequest, reply: FastifyReply, clock: Clock, text: string): FastifyReply {
  const body = Buffer.from(text)
  reply.header('connection', 'close').header('content-length', body.length)
  reply.hijack()
  const { raw } = reply
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(reply.statusCode)
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
  const timer = clock.after(lingerMs, end)
  request.raw.on('data', count).once('end', end).once('close', end).resume()
  return reply
}

export { answerEarly }
