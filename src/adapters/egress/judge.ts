import { inNetworks, parseNetworks } from '../../core/kernel/network.ts'
import type { Address, Network } from '../../core/kernel/network.ts'
import type { EgressPurpose } from '../../ports/egress.ts'

// Never callable unless the operator lists them, whatever the purpose.
const never = parseNetworks([
  '0.0.0.0/8', // this host
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, and where most clouds keep their metadata
  '100.100.100.200/32', // metadata of one cloud, inside the shared range
  '168.63.129.16/32', // agent of another cloud, a public address
  '192.0.0.0/24', // protocol assignments, metadata of a third
  '192.0.2.0/24', // documentation
  '198.51.100.0/24',
  '203.0.113.0/24',
  '192.88.99.0/24', // relays of 6to4
  '198.18.0.0/15', // measurements
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '::/128',
  '::1/128',
  'fe80::/10', // link-local
  'fec0::/10', // site-local, given up long ago
  'ff00::/8', // multicast
  'fd00:ec2::/32', // metadata of a cloud, inside the private range
  'fd20:ce::/32',
  '100::/64', // discard
  '2001::/23', // protocol assignments, Teredo among them
  '2001:db8::/32', // documentation
  '3fff::/20',
  '5f00::/16', // segment routing
  '64:ff9b:1::/48', // local translation: where the inner address stands is not known
])

// Private ranges: only clusters live there without the operator's word.
const inner = parseNetworks(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'])

// IPv4 inside IPv6, and by how many bits it stands left of the end. (::ffff:0:0/96 is IPv4 already when it is parsed.)
const carriers: readonly { readonly networks: Network[]; readonly shift: bigint }[] = [
  { networks: parseNetworks(['::/96', '64:ff9b::/96', '::ffff:0:0:0/96']), shift: 0n },
  { networks: parseNetworks(['2002::/16']), shift: 80n },
]

/** Whether an address may be called for a purpose: by itself, and by the IPv4 address that a translator would make of it. */
export function judge(address: Address, purpose: EgressPurpose, allow: readonly Network[]): boolean {
  if (inNetworks(address, allow)) return true
  if (inNetworks(address, never)) return false
  if (purpose !== 'cluster' && inNetworks(address, inner)) return false
  const carrier = carriers.find(({ networks }) => inNetworks(address, networks))
  if (!carrier) return true
  return judge({ bits: 32, value: (address.value >> carrier.shift) & 0xffffffffn }, purpose, allow)
}
