/** An IP address as a number. IPv4 inside IPv6 (`::ffff:192.0.2.1`) is IPv4 here, because it is the same peer. */
type Address = { readonly bits: 32 | 128; readonly value: bigint }

/** All addresses that share the first `prefix` bits. */
type Network = { readonly bits: 32 | 128; readonly value: bigint; readonly prefix: number }

/** The address in a text, or null. Brackets and zones (`fe80::1%eth0`) are understood; leading zeros, octal and short forms of IPv4 are not. */
function parseAddress(text: string): Address | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  if (!bare.includes(':')) return parse4(bare)
  const zone = bare.indexOf('%')
  const value = parse6(zone < 0 ? bare : bare.slice(0, zone))
  if (value === null) return null
  return value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffffffffn } : { bits: 128, value }
}

/** The network of a CIDR text (`10.0.0.0/8`, `2001:db8::/32`) or of a single address, or null. Bits behind the prefix are ignored. */
function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (!address) return null
  if (slash < 0) return { ...address, prefix: address.bits }
  const digits = text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(digits)) return null
  // `::ffff:10.0.0.0/104` was written as IPv6 and counts its bits from there.
  const mapped = address.bits === 32 && text.slice(0, slash).includes(':')
  const prefix = Number(digits) - (mapped ? 96 : 0)
  return prefix < 0 || prefix > address.bits ? null : { ...address, prefix }
}

/** Whether an address lies in one of the networks. */
function inNetworks(address: Address, networks: readonly Network[]): boolean {
  return networks.some(({ bits, value, prefix }) => {
    const behind = BigInt(bits - prefix)
    return bits === address.bits && value >> behind === address.value >> behind
  })
}

/** The networks of texts that were checked when they were stored or configured; what is none is left out. */
function parseNetworks(texts: readonly string[]): Network[] {
  return texts.map(parseNetwork).filter((network) => network !== null)
}

/** Whose an address is, for counters: whoever has one address of IPv6 has its whole /64. What is no address stands for itself. */
function holderOf(address: string): string {
  const parsed = parseAddress(address)
  if (!parsed) return address
  return parsed.bits === 32 ? `4:${parsed.value}` : `6:${parsed.value >> 64n}`
}

const part4 = /^(0|[1-9]\d{0,2})$/

function parse4(text: string): Address | null {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => part4.test(part) && Number(part) < 256)) return null
  return { bits: 32, value: parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n) }
}

function parse6(text: string): bigint | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const head = groups(halves[0] ?? '')
  const tail = halves.length === 2 ? groups(halves[1] ?? '') : []
  if (!head || !tail) return null
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  return [...head, ...new Array<bigint>(missing).fill(0n), ...tail].reduce((sum, group) => (sum << 16n) | group, 0n)
}

function groups(text: string): bigint[] | null {
  if (text === '') return []
  const list: bigint[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      list.push(BigInt(`0x${part}`))
      continue
    }
    const last = index === parts.length - 1 ? parse4(part) : null
    if (!last) return null
    list.push(last.value >> 16n, last.value & 0xffffn)
  }
  return list
}

export type { Address, Network }
export { parseAddress, parseNetwork, inNetworks, parseNetworks, holderOf }
