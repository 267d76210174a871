import { randomBytes, randomFillSync, randomUUID } from 'node:crypto'

/** The only source of ids and randomness in core. */
type Ids = {
  /** A UUIDv7: sorts by time of making. For everything that no open route shows. */
  record(): string
  /** A UUIDv4: cannot be guessed. For runs, tasks and pipelines. */
  opaque(): string
  /** `bytes` random bytes in hex. */
  hex(bytes: number): string
  /** `length` letters and digits, each of 62 equally likely. */
  letters(length: number): string
  /** A number in [0, 1), for jitter only. */
  fraction(): number
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

const systemIds: Ids = {
  record: () => uuid7(Date.now()),
  opaque: () => randomUUID(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
  letters,
  fraction: () => Math.random(),
}

let lastMs = 0
let sequence = 0
// Asking for random bytes costs the same for many as for few.
const random = Buffer.alloc(4096)
let used = random.length

// RFC 9562 §6.2 method 1: ids made in one millisecond count up in the 12 bits behind the time, so that they sort as they were made.
function uuid7(now: number): string {
  if (now > lastMs) {
    lastMs = now
    sequence = randomBytes(2).readUInt16BE() & 0x3ff
  } else if (++sequence > 0xfff) {
    lastMs += 1
    sequence = 0
  }
  if (used >= random.length) {
    randomFillSync(random)
    used = 0
  }
  random[used] = ((random[used] as number) & 0x3f) | 0x80
  const time = lastMs.toString(16).padStart(12, '0')
  const tail = random.toString('hex', used, used + 8)
  used += 8
  return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence.toString(16).padStart(3, '0')}-${tail.slice(0, 4)}-${tail.slice(4)}`
}

function letters(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      // 248 is the largest multiple of 62 in a byte: beyond it some letters would be likelier than others.
      if (byte < 248 && text.length < length) text += alphabet[byte % 62]
    }
  }
  return text
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function isUuid(text: string): boolean {
  return uuidPattern.test(text)
}

/** Whether a text could be taken for an id of some API: all digits, a UUID, or 24 hex digits. Names of users and groups must not. */
function looksLikeId(text: string): boolean {
  return /^\d+$/.test(text) || /^[0-9a-f]{24}$/i.test(text) || uuidPattern.test(text.toLowerCase())
}

export type { Ids }
export { systemIds, isUuid, looksLikeId }
