import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'

/** What changes with every push must come from us each time. `Expires` and `Pragma` are for old proxies. */
const uncached = { expires: 'Fri, 01 Jan 1980 00:00:00 GMT', pragma: 'no-cache', 'cache-control': 'no-cache, max-age=0, must-revalidate' }

type AnswerHead = { readonly status?: number; readonly headers: Readonly<Record<string, string>> }

const highWaterMark = 256 * 1024

/**
 * Sends a stream as the answer, no faster than the client reads, and resolves when it has gone out or the client has left. Nothing is sent before the
 * first piece is there: what fails until then rejects, and can still be answered with a status.
 */
async function sendStream(reply: FastifyReply, { status = 200, headers }: AnswerHead, body: AsyncIterable<Uint8Array>): Promise<void> {
  const pieces = body[Symbol.asyncIterator]()
  const first = await pieces.next()
  if (reply.raw.destroyed) return
  const closed = new Promise<void>((resolve) => reply.raw.once('close', () => resolve()))
  reply.code(status).headers({ ...uncached, ...headers })
  reply.send(Readable.from(restOf(first, pieces), { objectMode: false, highWaterMark }))
  await closed
}

async function* restOf(first: IteratorResult<Uint8Array>, pieces: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; !next.done; next = await pieces.next()) yield next.value
  } finally {
    await pieces.return?.()
  }
}

export type { AnswerHead }
export { sendStream }
