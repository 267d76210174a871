import { fault } from '../../core/kernel/fault.ts'
import { deeperThan, isObject } from '../../core/kernel/json.ts'
import type { IncomingMessage } from 'node:http'
import type { JsonObject } from '../../core/kernel/json.ts'

/** Largest body and deepest nesting (contract §2). */
const bodyLimit = 10 * 1024 * 1024
const deepest = 64

/**
 * The JSON object that a request brings, whatever its Content-Type says; an empty body is `{}`. It is counted while it arrives: as soon as it is, or says
 * that it is, larger than the limit nothing more is read. Of duplicate keys the last counts; names like `__proto__` are plain data.
 */
async function readObject(request: IncomingMessage): Promise<JsonObject> {
  const text = decoded(await readBytes(request))
  if (text.trim() === '') return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw fault('malformed_request', { why: 'its body is not JSON' }, { cause: error })
  }
  if (!isObject(value)) throw fault('malformed_request', { why: 'its body is not a JSON object' })
  if (deeperThan(value, deepest)) throw fault('malformed_request', { why: `its body nests deeper than ${deepest} levels` })
  return value as JsonObject // what was parsed from JSON
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
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
    throw fault('malformed_request', { why: 'its body ended too early' }, { cause: error })
  }
  return Buffer.concat(chunks, size)
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw fault('malformed_request', { why: 'its body is not UTF-8' }, { cause: error })
  }
}

export { bodyLimit, readObject }
