import { GitProtocolError } from '../../ports/git.ts'

/** One packet line: its payload, or a special packet (`flush` ends a section). */
export type Packet = { readonly kind: 'data'; readonly payload: Buffer } | { readonly kind: 'flush' | 'delim' | 'end' }

const longestPacket = 65_520

/** A packet line with this payload. */
export function packet(payload: string | Buffer): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes])
}

export const flushPacket = Buffer.from('0000')

/**
 * The packet at `at`, and where the next one begins; null while it is not all there. What is no packet line: `GitProtocolError`.
 */
export function packetAt(bytes: Buffer, at: number): { packet: Packet; next: number } | null {
  if (bytes.length < at + 4) {
    if (!/^[0-9a-f]*$/i.test(bytes.toString('latin1', at))) throw new GitProtocolError('a packet has no length')
    return null
  }
  const digits = bytes.toString('latin1', at, at + 4)
  if (!/^[0-9a-f]{4}$/i.test(digits)) throw new GitProtocolError('a packet has no length')
  const length = Number.parseInt(digits, 16)
  if (length === 0) return { packet: { kind: 'flush' }, next: at + 4 }
  if (length === 1) return { packet: { kind: 'delim' }, next: at + 4 }
  if (length === 2) return { packet: { kind: 'end' }, next: at + 4 }
  if (length < 4 || length > longestPacket) throw new GitProtocolError('a packet has an impossible length')
  if (bytes.length < at + length) return null
  return { packet: { kind: 'data', payload: bytes.subarray(at + 4, at + length) }, next: at + length }
}
