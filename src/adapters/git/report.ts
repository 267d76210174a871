import { GitProtocolError, GitUnavailable } from '../../ports/git.ts'
import { packetAt } from './pkt-line.ts'

const heldLimit = 8 * 1024 * 1024
const progressLimit = 256 * 1024

/**
 * Splits what receive-pack prints: progress goes on to the client as it comes, the report (and all behind it) is held back until the push is recorded.
 * Without a side band everything is report. Progress that nobody takes is dropped, whole packets at a time, so that a client that does not read cannot stop a push half-way.
 */
export class ReportHold {
  readonly #sideBand: boolean
  readonly #progress: Buffer[] = []
  #progressSize = 0
  #partial: Buffer = Buffer.alloc(0)
  #held: Buffer[] = []
  #heldSize = 0
  #holding: boolean

  constructor(options: { sideBand: boolean }) {
    this.#sideBand = options.sideBand
    this.#holding = !options.sideBand
  }

  /** Takes what git printed next. */
  add(chunk: Buffer): void {
    if (this.#holding) {
      this.#hold(chunk)
      return
    }
    this.#partial = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk])
    let at = 0
    for (let found = packetAt(this.#partial, at); found !== null; found = packetAt(this.#partial, at)) {
      const progress =
        found.packet.kind === 'data' && (found.packet.payload[0] === 2 || (found.packet.payload[0] === 1 && found.packet.payload.length === 1))
      if (!progress) {
        this.#holding = true
        break
      }
      this.#pass(this.#partial.subarray(at, found.next))
      at = found.next
    }
    this.#partial = this.#partial.subarray(at)
    if (this.#holding) {
      this.#hold(this.#partial)
      this.#partial = Buffer.alloc(0)
    }
  }

  /** The progress that waits, or null. */
  takeProgress(): Buffer | null {
    if (this.#progress.length === 0) return null
    this.#progressSize = 0
    return Buffer.concat(this.#progress.splice(0))
  }

  /** What was held back. */
  takeHeld(): Buffer {
    const held = Buffer.concat([...this.#held, this.#partial])
    this.#held = []
    return held
  }

  /** The refs that git says it has updated; null when its report is not all there, or the client wanted none. */
  updated(): ReadonlySet<string> | null {
    try {
      return parseReport(this.#sideBand ? firstBand(Buffer.concat(this.#held)) : Buffer.concat(this.#held))
    } catch (error) {
      if (error instanceof GitProtocolError) return null
      throw error
    }
  }

  #pass(bytes: Buffer): void {
    if (this.#progressSize + bytes.length > progressLimit) return
    this.#progressSize += bytes.length
    this.#progress.push(bytes)
  }

  #hold(chunk: Buffer): void {
    this.#heldSize += chunk.length
    if (this.#heldSize > heldLimit) throw new GitUnavailable(`git reported more than ${heldLimit} bytes about a push`)
    this.#held.push(chunk)
  }
}

function firstBand(bytes: Buffer): Buffer {
  const pieces: Buffer[] = []
  let at = 0
  for (let found = packetAt(bytes, at); found !== null; found = packetAt(bytes, at)) {
    at = found.next
    if (found.packet.kind === 'data' && found.packet.payload[0] === 1) pieces.push(found.packet.payload.subarray(1))
  }
  return Buffer.concat(pieces)
}

function parseReport(bytes: Buffer): ReadonlySet<string> | null {
  const updated = new Set<string>()
  let at = 0
  for (let found = packetAt(bytes, at); found !== null; found = packetAt(bytes, at)) {
    at = found.next
    if (found.packet.kind === 'flush') return updated
    if (found.packet.kind !== 'data') return null
    const line = found.packet.payload.toString('utf8').replace(/\n$/, '')
    if (line.startsWith('ok ')) updated.add(line.slice(3))
  }
  return null
}
