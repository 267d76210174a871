import { GitProtocolError } from '../../ports/git.ts'
import type { RefUpdate } from '../../ports/git.ts'
import { isOid, noObject } from './names.ts'
import { packetAt } from './pkt-line.ts'

/** What a push asks for: the head of its request. `raw` are the bytes read so far, which git must get unchanged and first. */
type PushHead = {
  readonly commands: readonly RefUpdate[]
  readonly options: readonly string[]
  readonly capabilities: ReadonlySet<string>
  readonly raw: Buffer
}

const mostCommands = 10_000
const mostBytes = 1024 * 1024

/** Reads commands and push options from the beginning of a request, and no more of it than the chunk in which they end. */
async function readPushHead(body: AsyncIterator<Uint8Array>): Promise<PushHead> {
  const raw = new Growing()
  const commands: RefUpdate[] = []
  let capabilities: ReadonlySet<string> | null = null
  for (let packet = await nextPacket(raw, body, 'may-end'); packet !== null; packet = await nextPacket(raw, body, 'must-go-on')) {
    // A shallow client says first where its history is cut; the capabilities follow behind the first command.
    if (isShallow(packet)) continue
    const end = packet.indexOf(0)
    if (capabilities === null)
      capabilities = new Set(
        end < 0
          ? []
          : textOf(packet.subarray(end + 1))
              .trim()
              .split(' '),
      )
    else if (end >= 0) throw new GitProtocolError('a command has a second list of capabilities')
    const line = textOf(end < 0 ? packet : packet.subarray(0, end)).replace(/\n$/, '')
    if (line.startsWith('push-cert')) throw new GitProtocolError('signed pushes are not taken here')
    commands.push(parseCommand(line))
    if (commands.length > mostCommands) throw new GitProtocolError(`a push has more than ${mostCommands} commands`)
  }
  if (new Set(commands.map((command) => command.ref)).size < commands.length) throw new GitProtocolError('a push names a ref twice')
  capabilities ??= new Set()
  const options: string[] = []
  if (commands.length > 0 && capabilities.has('push-options')) {
    for (let packet = await nextPacket(raw, body, 'must-go-on'); packet !== null; packet = await nextPacket(raw, body, 'must-go-on')) {
      options.push(textOf(packet).replace(/\n$/, ''))
      if (options.length > mostCommands) throw new GitProtocolError('a push has too many options')
    }
  }
  return { commands, options, capabilities, raw: raw.bytes }
}

function isShallow(packet: Buffer): boolean {
  return packet.length <= 49 && /^shallow [0-9a-f]{40}\n?$/.test(packet.toString('latin1'))
}

function parseCommand(line: string): RefUpdate {
  const from = line.slice(0, 40)
  const to = line.slice(41, 81)
  const ref = line.slice(82)
  // Whether the name may be a ref is for git to say: its answer reaches the user in the report.
  if (!isOid(from) || !isOid(to) || line[40] !== ' ' || line[81] !== ' ' || ref === '')
    throw new GitProtocolError('a command of the push cannot be read')
  return { ref, from: from === noObject ? null : from, to: to === noObject ? null : to }
}

/** The bytes read so far, grown by doubling: a request in tiny pieces must not cost the square of its length. */
class Growing {
  #buffer: Buffer = Buffer.allocUnsafe(16 * 1024)
  #length = 0
  at = 0

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  add(chunk: Uint8Array): void {
    if (this.#length + chunk.length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + chunk.length))
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    this.#buffer.set(chunk, this.#length)
    this.#length += chunk.length
  }
}

// Null at a flush, and at the end of a body that may end there: git asks with an empty request whether it may push at all.
async function nextPacket(raw: Growing, body: AsyncIterator<Uint8Array>, end: 'may-end' | 'must-go-on'): Promise<Buffer | null> {
  for (;;) {
    const found = packetAt(raw.bytes, raw.at)
    if (found !== null) {
      raw.at = found.next
      if (raw.at > mostBytes) throw new GitProtocolError(`the commands of a push are longer than ${mostBytes} bytes`)
      if (found.packet.kind === 'flush') return null
      if (found.packet.kind !== 'data') throw new GitProtocolError('a push holds a packet that does not belong there')
      return found.packet.payload
    }
    const next = await body.next()
    if (next.done) {
      if (end === 'may-end' && raw.bytes.length === 0) return null
      throw new GitProtocolError('the push ends within its commands')
    }
    raw.add(next.value)
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOf(bytes: Buffer): string {
  try {
    return strict.decode(bytes)
  } catch {
    throw new GitProtocolError('the commands of a push must be UTF-8')
  }
}

export type { PushHead }
export { readPushHead }
