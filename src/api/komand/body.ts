import { fault } from '../../core/kernel/fault.ts'
import { deeperThan, isObject } from '../../core/kernel/json.ts'
import { readBody } from '../body.ts'
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
  const text = decoded(await readBody(request, bodyLimit))
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

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw fault('malformed_request', { why: 'its body is not UTF-8' }, { cause: error })
  }
}

export { readObject }
