const shortest = 4
const shortestLine = 8

// A longer form is looked for in pieces of this size: so an occurrence is still covered whole, and no more than this is ever held back.
const longestPiece = 512

/**
 * The texts by which a secret value gives itself away: as it is, without the line break at its end, each longer line of it, and all of these in base64
 * (both alphabets, all three alignments inside a longer text), percent-encoded, escaped as JSON, and in hex.
 */
export function formsOf(value: string): Uint8Array[] {
  const found = new Map<string, Uint8Array>()
  const add = (form: Uint8Array) => {
    if (form.length >= shortest) found.set(Buffer.from(form).toString('latin1'), form)
  }
  for (const text of textsOf(value.toWellFormed())) {
    const bytes = Buffer.from(text)
    if (bytes.length < shortest) continue
    add(bytes)
    for (const form of [...base64Of(bytes), ...percentOf(text), ...jsonOf(text), bytes.toString('hex'), bytes.toString('hex').toUpperCase()])
      add(Buffer.from(form))
  }
  return [...found.values()].flatMap(pieces)
}

function textsOf(value: string): string[] {
  const lines = value.split(/\r\n|[\r\n]/)
  const long = lines.length > 1 ? lines.map((line) => line.trim()).filter((line) => line.length >= shortestLine) : []
  return [...new Set([value, value.trim(), ...long])]
}

// Inside a longer text a value begins at any of three places within a group of three bytes. The characters that its neighbours have a part in are left
// out; with padding, the value stands at the end and its last character is its own.
function base64Of(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    const own = text.slice(before === 0 ? 0 : before + 1)
    const bare = own.replace(/=+$/, '')
    const inside = bare === own ? own : bare.slice(0, -1)
    const forms = [inside, bare, own]
    return [...forms, ...forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))]
  })
}

function percentOf(text: string): string[] {
  const component = encodeURIComponent(text)
  const strict = component.replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  const form = new URLSearchParams([['', text]]).toString().slice(1)
  const upper = [component, strict, component.replaceAll('%20', '+'), form, encodeURI(text)]
  return [...upper, ...upper.map((encoded) => encoded.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))]
}

function jsonOf(text: string): string[] {
  const plain = JSON.stringify(text).slice(1, -1)
  const ascii = plain.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return [plain, ascii, plain.replaceAll('/', '\\/'), JSON.stringify(plain).slice(1, -1)]
}

function pieces(form: Uint8Array): Uint8Array[] {
  if (form.length <= longestPiece) return [form]
  const list: Uint8Array[] = []
  for (let at = 0; at + longestPiece <= form.length; at += longestPiece) list.push(form.subarray(at, at + longestPiece))
  list.push(form.subarray(form.length - longestPiece))
  return list
}
