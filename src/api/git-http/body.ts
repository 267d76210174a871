import { createGunzip } from 'node:zlib'
import { fault, isFault } from '../../core/kernel/fault.ts'
import type { Readable } from 'node:stream'
import type { Fault } from '../../core/kernel/fault.ts'

const gzipNames = ['gzip', 'x-gzip']

/** Whether a Content-Encoding can be decoded here. */
function isKnownEncoding(encoding: string | undefined): boolean {
  return encoding === undefined || encoding === '' || encoding.toLowerCase() === 'identity' || isGzip(encoding)
}

function isGzip(encoding: string | undefined): boolean {
  return gzipNames.includes(encoding?.toLowerCase() ?? '')
}

type Body = {
  readonly chunks: AsyncIterable<Uint8Array>
  /** What was wrong with the body itself, once something was: more to the point than what git says about a body that ends too early. */
  readonly failure: () => Fault | null
}

/**
 * A request's body, decoded piece by piece as it is asked for, so that neither a large pack nor a small bomb ever fills the memory. More than `limit`
 * decoded bytes: `payload_too_large`; broken gzip: `malformed_request`. The request itself is left open, so that the client gets to read the answer.
 */
function bodyOf(request: Readable, encoding: string | undefined, limit: number): Body {
  let failure: Fault | null = null
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const { source, done } = isGzip(encoding) ? unzipped(request) : { source: request, done: () => {} }
    let size = 0
    try {
      for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > limit) throw fault('payload_too_large', { limit })
        yield chunk
      }
    } catch (error) {
      failure = bodyFault(error)
      throw failure
    } finally {
      done()
    }
  }
  return { chunks: chunks(), failure: () => failure }
}

function bodyFault(error: unknown): Fault {
  if (isFault(error)) return error
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : null
  const why = String(code).startsWith('Z_') ? 'its body is not the gzip that its header promises' : 'its body ended too early'
  return fault('malformed_request', { why }, { cause: error })
}

// Not by pipeline: that would destroy the request when the body is broken, and with it the connection that the answer needs.
function unzipped(request: Readable): { source: Readable; done: () => void } {
  const gunzip = createGunzip()
  const cut = () => {
    if (!request.readableEnded) gunzip.destroy(new Error('The client has gone'))
  }
  request.once('close', cut).once('error', cut).pipe(gunzip)
  return {
    source: gunzip,
    done() {
      request.off('close', cut).off('error', cut).unpipe(gunzip)
      gunzip.destroy()
    },
  }
}

export type { Body }
export { isKnownEncoding, bodyOf }
