import { fault } from '../../core/kernel/fault.ts'
import type { IncomingMessage } from 'node:http'

/** Largest body of a request. */
const bodyLimit = 1024 * 1024

/** A request's whole body. It is counted while it arrives: as soon as it is, or says that it is, larger than the limit nothing more is read. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > bodyLimit) throw fault('payload_too_large', { limit: bodyLimit })
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > bodyLimit) throw fault('payload_too_large', { limit: bodyLimit })
      chunks.push(chunk)
    }
  } catch (error) {
    if (size > bodyLimit) throw error
    throw fault('malformed_request', { why: 'its body ended too early' }, { cause: error, private: { kind: 'invalid_form' } })
  }
  return Buffer.concat(chunks, size)
}

/** Whether a request brings a body at all. */
function bringsBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

export { bodyLimit, readBody, bringsBody }
