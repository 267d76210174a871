/**
 * How values look in the texts of this API (contract §2.1): its originals print the values of another language, and clients in the field compare the
 * texts.
 */

/** A value as it stands inside a text: a string as it is, `None`, `True`, `False`, and everything else as it would be written in a program. */
function str(value: unknown): string {
  return typeof value === 'string' ? value : repr(value)
}

function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'string') return quoted(value)
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`
  return `{${Object.entries(value)
    .map(([name, member]) => `${quoted(name)}: ${repr(member)}`)
    .join(', ')}}`
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const inside = text.replace(/[\\\n\r\t]/g, (found) => escapes[found] ?? found).replaceAll(quote, `\\${quote}`)
  return quote + inside + quote
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Bytes as a literal of bytes, `b'…'`. */
function bytesRepr(bytes: Uint8Array): string {
  const quote = bytes.includes(0x27) && !bytes.includes(0x22) ? '"' : "'"
  const pieces: string[] = []
  for (const byte of bytes) pieces.push(byteRepr(byte, quote))
  return `b${quote}${pieces.join('')}${quote}`
}

function byteRepr(byte: number, quote: string): string {
  const text = String.fromCharCode(byte)
  if (text === quote) return `\\${quote}`
  if (Object.hasOwn(escapes, text)) return escapes[text] ?? ''
  return byte >= 0x20 && byte < 0x7f ? text : `\\x${byte.toString(16).padStart(2, '0')}`
}

/** JSON in which every character that is not plain ASCII is written as an escape (contract §1). */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

export { str, bytesRepr, asciiJson }
