import { formFault } from './decode.ts'

const mostParts = 100
const mostHeaderBytes = 8192
const boundaryPattern = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/

/**
 * The fields of a `multipart/form-data` body that is whole in memory (RFC 7578). Strict: what is not framed exactly is `invalid_form`, because two readers
 * that repair differently would see different fields.
 */
function parseMultipart(body: Uint8Array, contentType: string): [string, string][] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const boundary = boundaryOf(contentType)
  const opening = Buffer.from(`--${boundary}`)
  const between = Buffer.from(`\r\n--${boundary}`)
  const fields: [string, string][] = []
  let at = startOf(bytes, opening, between)
  for (;;) {
    const after = bytes.subarray(at, at + 2).toString('latin1')
    if (after === '--') return fields
    // Blanks may follow a delimiter, though nobody sends them.
    const line = after === '\r\n' ? at : blanksEnd(bytes, at)
    const end = bytes.indexOf(between, line)
    if (end < 0) throw broken('it ends before its last boundary')
    if (fields.length >= mostParts) throw broken(`it has more than ${mostParts} parts`)
    fields.push(partOf(bytes.subarray(line + 2, end)))
    at = end + between.length
  }
}

function startOf(bytes: Buffer, opening: Buffer, between: Buffer): number {
  if (bytes.subarray(0, opening.length).equals(opening)) return opening.length
  const found = bytes.indexOf(between)
  if (found < 0) throw broken('its boundary is not in it')
  return found + between.length
}

function blanksEnd(bytes: Buffer, from: number): number {
  let at = from
  while (bytes[at] === 0x20 || bytes[at] === 0x09) at++
  if (bytes[at] !== 0x0d || bytes[at + 1] !== 0x0a) throw broken('there is text behind a boundary')
  return at
}

function partOf(part: Buffer): [string, string] {
  const end = part.subarray(0, 2).toString('latin1') === '\r\n' ? 0 : part.indexOf('\r\n\r\n')
  if (end < 0 || end > mostHeaderBytes) throw broken('a part has no end of its headers')
  const head = text(part.subarray(0, end))
  const disposition = head
    .split('\r\n')
    .map((line) => /^content-disposition:\s*form-data\s*(;.*)$/i.exec(line)?.[1])
    .find((found) => found !== undefined)
  const name = disposition === undefined ? null : nameIn(disposition)
  if (name === null) throw broken('a part has no name')
  const encoding = /^content-transfer-encoding:\s*(\S+)\s*$/im.exec(head)?.[1]?.toLowerCase()
  if (encoding !== undefined && !['7bit', '8bit', 'binary'].includes(encoding)) throw broken(`a part has the transfer encoding ${encoding}`)
  return [name, text(part.subarray(end === 0 ? 2 : end + 4))]
}

function nameIn(disposition: string): string | null {
  let name: string | null = null
  for (const found of disposition.matchAll(/;\s*([A-Za-z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))/g)) {
    if (found[1]?.toLowerCase() !== 'name') continue
    if (name !== null) throw broken('a part has two names')
    name = (found[2]?.replace(/\\(.)/g, '$1') ?? found[3] ?? '').replaceAll('%22', '"').replaceAll('%0D%0A', '\r\n')
  }
  return name
}

function boundaryOf(contentType: string): string {
  const found = [...contentType.matchAll(/;\s*boundary=(?:"([^"]*)"|([^;\s"]*))/gi)]
  const boundary = found[0]?.[1] ?? found[0]?.[2] ?? ''
  if (found.length !== 1 || !boundaryPattern.test(boundary)) throw broken('its content type names no boundary')
  return boundary
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw broken('a part is not valid UTF-8')
  }
}

function broken(why: string) {
  return formFault('invalid_form', `its multipart body cannot be read: ${why}`)
}

export { parseMultipart }
