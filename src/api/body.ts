import { fault } from '../core/kernel/fault.ts'
import type { IncomingMessage } from 'node:http'

/**
 * A request's whole body. It is counted while it arrives: as soon as it is, or says that it is, larger than `limit` bytes nothing more is read
 * (`payload_too_large`). One that ends too early is a `malformed_request` of the private kind `body`.
 */
async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw fault('payload_too_large', { limit })
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > limit) throw fault('payload_too_large', { limit })
      chunks.push(chunk)
    }
  } catch (error) {
    if (size > limit) throw error
    throw fault('malformed_request', { why: 'its body ended too early' }, { cause: error, private: { kind: 'body' } })
  }
  return Buffer.concat(chunks, size)
}

/** Whether a request brings a body at all. */
function bringsBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

export { readBody, bringsBody }
