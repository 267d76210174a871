import { BlockList, isIP } from 'node:net'
import type { IncomingMessage } from 'node:http'

/** Says where a request comes from. */
type ClientAddress = (request: IncomingMessage) => string

/**
 * The address of the TCP peer; where that is a trusted proxy, the right-most address of `X-Forwarded-For` that is no trusted proxy. An entry that is no
 * address ends the search at the proxy that passed it on: what a client wrote is never taken for an address.
 */
function clientAddress(trustedProxies: readonly string[]): ClientAddress {
  if (trustedProxies.length === 0) return peerOf
  const trusted = networkList(trustedProxies)
  return (request) => {
    let address = peerOf(request)
    const forwarded = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',').reverse()
    for (const entry of forwarded) {
      if (!trusted(address)) break
      const next = withoutPort(entry.trim())
      if (isIP(next) === 0) break
      address = plainAddress(next)
    }
    return address
  }
}

/** Whether an address is in one of the networks (CIDR). IPv4-mapped addresses count as IPv4. */
function networkList(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix = ''] = network.split('/')
    const mapped = plainAddress(address)
    if (isIP(mapped) === 4) list.addSubnet(mapped, mapped === address ? Number(prefix) : Math.max(0, Number(prefix) - 96), 'ipv4')
    else list.addSubnet(address, Number(prefix), 'ipv6')
  }
  return (address) => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }
}

/** An address in one spelling: IPv4-mapped ones as IPv4, without a zone. */
function plainAddress(address: string): string {
  const bare = address.split('%')[0] ?? ''
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)
  return mapped?.[1] ?? bare
}

function peerOf(request: IncomingMessage): string {
  return plainAddress(request.socket.remoteAddress ?? '')
}

function withoutPort(entry: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ?? entry
}

export type { ClientAddress }
export { clientAddress, networkList, plainAddress }
