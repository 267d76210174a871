import { deeperThan } from '../../core/kernel/json.ts'
import { jsonError } from './json-error.ts'
import { bytesRepr } from './python.ts'
import type { Json } from '../../core/kernel/json.ts'

const deepest = 200
// The text of a parse error shows the body (contract §1.1). Beyond this a program sent it, and nobody reads it.
const mostShown = 64 * 1024

/** The value of a body, or the text of the error. `text` is the decoded body, for what a value cannot keep (see `exactId`). */
function parseBody(body: Buffer): { readonly value: Json; readonly text: string } | { readonly error: string } {
  const decoded = decodeText(body)
  if ('error' in decoded) return { error: parseError(decoded.error, body) }
  const { text } = decoded
  try {
    const value = JSON.parse(text) as Json
    return deeperThan(value, deepest) ? { error: parseError('maximum recursion depth exceeded', body) } : { value, text }
  } catch {
    return { error: parseError(jsonError(text), body) }
  }
}

/** The `id` of a body with its numbers as they were written: a number of this language cannot hold each of theirs. */
function exactId(id: Json, text: string): unknown {
  if (id === null || typeof id === 'string' || typeof id === 'boolean' || Number.isSafeInteger(id)) return id
  const exact = JSON.parse(text, (_name, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && context?.source !== undefined ? rawJson(context.source) : value,
  ) as { id: unknown }
  return exact.id
}

// In the language since lately; the types of the compiler do not know it yet.
function rawJson(source: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source)
}

function parseError(why: string, body: Buffer): string {
  return `JSON parse error ERR:${why} RAW:${bytesRepr(body.subarray(0, mostShown))}`
}

function decodeText(body: Buffer): { text: string } | { error: string } {
  const encoding = encodingOf(body)
  try {
    return { text: new TextDecoder(encoding, { fatal: true }).decode(body) }
  } catch {
    return { error: encoding === 'utf-8' ? utf8Error(body) : `'${encoding}' codec can't decode bytes in position 0-1: illegal encoding` }
  }
}

// The first bytes of JSON are ASCII, so the zeros among them tell the encoding. A mark of the byte order is dropped by the decoder.
function encodingOf(body: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' {
  const [first, second] = body
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  if (body.length >= 2 && body.length % 2 === 0) {
    if (first === 0 && second !== 0) return 'utf-16be'
    if (first !== 0 && second === 0) return 'utf-16le'
  }
  return 'utf-8'
}

function utf8Error(body: Buffer): string {
  for (let at = 0; at < body.length; ) {
    const lead = body[at] ?? 0
    const length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0
    const where = (bytes: number) => {
      const what = bytes > 1 ? `bytes in position ${at}-${at + bytes - 1}` : `byte 0x${lead.toString(16).padStart(2, '0')} in position ${at}`
      return `'utf-8' codec can't decode ${what}`
    }
    if (length === 0) return `${where(1)}: invalid start byte`
    for (let more = 1; more < length; more++) {
      const byte = body[at + more]
      if (byte === undefined) return `${where(more)}: unexpected end of data`
      if (byte < lowest(lead, more) || byte > highest(lead, more)) return `${where(more)}: invalid continuation byte`
    }
    at += length
  }
  return "'utf-8' codec can't decode the body"
}

function lowest(lead: number, at: number): number {
  return at === 1 && lead === 0xe0 ? 0xa0 : at === 1 && lead === 0xf0 ? 0x90 : 0x80
}

function highest(lead: number, at: number): number {
  return at === 1 && lead === 0xf4 ? 0x8f : at === 1 && lead === 0xed ? 0x9f : 0xbf
}

export { parseBody, exactId }
