import { lookup as systemLookup } from 'node:dns/promises'
import { fault } from '../../core/kernel/fault.ts'
import { parseAddress, parseNetworks } from '../../core/kernel/network.ts'
import { judge } from './judge.ts'
import type { Egress } from '../../ports/egress.ts'

/** All addresses of a name, of both families. */
type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>

const longestName = 253

/**
 * The guard of outgoing addresses. `allow` is the operator's list of networks (CIDR) that are allowed for every purpose. A caller must connect to one of
 * the addresses that it was given, never resolve the name again: the second answer could be another.
 */
function createEgress(options: { allow: readonly string[]; lookup?: Lookup }): Egress {
  const allow = parseNetworks(options.allow)
  const lookup = options.lookup ?? ((host) => systemLookup(host, { all: true, verbatim: true }))
  const allows: Egress['allows'] = (address, purpose) => {
    const parsed = parseAddress(address)
    return parsed !== null && judge(parsed, purpose, allow)
  }
  return {
    allows,
    async resolve(host, purpose) {
      const addresses = await addressesOf(host, lookup)
      // All of them, not the first: which one is connected to is not ours to choose once more is tried.
      const refused = addresses.find((address) => !allows(address, purpose))
      if (addresses.length === 0 || refused !== undefined)
        throw fault('egress_refused', { address: host }, { private: { note: `${purpose} ${refused ?? ''}` } })
      return addresses
    },
  }
}

async function addressesOf(host: string, lookup: Lookup): Promise<string[]> {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  if (parseAddress(bare)) return [bare]
  // Resolvers read "127.1", "0x7f000001" and "2130706433" as addresses; no name ends so.
  const last = bare.replace(/\.$/, '').split('.').at(-1) ?? ''
  if (bare.length > longestName || !/^[A-Za-z0-9_.-]+$/.test(bare) || /^(\d+|0x[0-9a-f]*)$/i.test(last)) return []
  try {
    return [...new Set((await lookup(bare)).map(({ address }) => address))]
  } catch {
    return []
  }
}

export type { Lookup }
export { createEgress }
