import { parseNetwork } from '../../core/kernel/network.ts'

/** The first and the last address of a network (contract §4, `get_ip`). */
function networkRange(network: string): [string, string] {
  const parsed = parseNetwork(network)
  if (!parsed) return [network, network]
  const behind = BigInt(parsed.bits - parsed.prefix)
  const first = (parsed.value >> behind) << behind
  const last = first + (1n << behind) - 1n
  return [written(first, parsed.bits), written(last, parsed.bits)]
}

function written(value: bigint, bits: 32 | 128): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.')
  const groups = Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16))
  return shortened(groups)
}

// The longest run of zeros, the first of several, is left out; one alone is not.
function shortened(groups: readonly string[]): string {
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (groups[start + length] === '0') length++
    if (length > best.length) best = { start, length }
  }
  if (best.start < 0) return groups.join(':')
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`
}

export { networkRange }
