import { sendStream } from '../hosting/answer.ts'
import type { FastifyReply } from 'fastify'
import type { Delivery } from '../../core/repository/outlet.ts'

const plain = 'text/plain; charset=utf-8'
const bytes = 'application/octet-stream'

/** Whatever a browser is led to believe, it may do nothing with it: no script, no form, no frame, no part of another site's page. */
const guard = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-resource-policy': 'same-origin',
}

// As git tells: a file with a zero byte in the beginning is no text.
const looked = 8000

/** Sends a file: as plain text when it looks like text, else as bytes to be saved. Never as what its name says. */
async function sendFile(reply: FastifyReply, delivery: Delivery, body: AsyncIterable<Uint8Array>): Promise<void> {
  const pieces = body[Symbol.asyncIterator]()
  const first = await pieces.next()
  const isText = first.done || !first.value.subarray(0, looked).includes(0)
  const headers = {
    ...guard,
    'content-type': isText ? plain : bytes,
    'content-disposition': disposition(isText ? 'inline' : 'attachment', delivery.name),
    ...(delivery.bytes === null ? {} : { 'content-length': String(delivery.bytes) }),
  }
  await sendStream(reply, { headers }, joined(first, pieces))
}

/** Sends text piece by piece. */
async function sendTextStream(reply: FastifyReply, delivery: Delivery, body: AsyncIterable<Uint8Array>): Promise<void> {
  await sendStream(reply, { headers: { ...guard, 'content-type': plain, 'content-disposition': disposition('inline', delivery.name) } }, body)
}

/** Sends an archive of a type of the contract's. */
async function sendArchive(reply: FastifyReply, type: string, delivery: Delivery, body: AsyncIterable<Uint8Array>): Promise<void> {
  await sendStream(reply, { headers: { ...guard, 'content-type': type, 'content-disposition': disposition('attachment', delivery.name) } }, body)
}

/** Sends a text that is there as a whole. */
function sendText(reply: FastifyReply, status: number, text: string, headers: Readonly<Record<string, string>> = {}): FastifyReply {
  return reply
    .code(status)
    .headers({ ...guard, ...headers })
    .header('content-type', plain)
    .send(Buffer.from(text))
}

function joined(first: IteratorResult<Uint8Array>, pieces: AsyncIterator<Uint8Array>): AsyncIterableIterator<Uint8Array> {
  let waiting: IteratorResult<Uint8Array> | null = first
  const all: AsyncIterableIterator<Uint8Array> = {
    async next() {
      const next = waiting ?? (await pieces.next())
      waiting = null
      return next
    },
    async return() {
      await pieces.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => all,
  }
  return all
}

// RFC 6266: the name in UTF-8, and nothing of it as it was written, so that no letter of it can end the header.
function disposition(how: 'inline' | 'attachment', name: string): string {
  const letters = encodeURIComponent(name.toWellFormed()).replace(/['()*!]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
  return `${how}; filename*=UTF-8''${letters}`
}

export { sendFile, sendTextStream, sendArchive, sendText }
