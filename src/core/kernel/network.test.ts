import { expect, test } from 'vitest'
import { inNetworks, parseAddress, parseNetwork, parseNetworks } from './network.ts'

const inside = (address: string, ...networks: string[]) => {
  const parsed = parseAddress(address)
  return parsed !== null && inNetworks(parsed, parseNetworks(networks))
}

test('an address lies in a network of its own family', () => {
  expect(inside('10.200.3.4', '10.0.0.0/8')).toBe(true)
  expect(inside('11.0.0.1', '10.0.0.0/8')).toBe(false)
  expect(inside('2001:db8:1::9', '2001:db8::/32')).toBe(true)
  expect(inside('2001:db9::9', '2001:db8::/32')).toBe(false)
  expect(inside('192.0.2.7', '192.0.2.7')).toBe(true)
  expect(inside('192.0.2.7', '0.0.0.0/0')).toBe(true)
  expect(inside('::1', '0.0.0.0/0')).toBe(false)
})

test('IPv4 written inside IPv6 is the same address, on both sides', () => {
  expect(inside('::ffff:10.1.2.3', '10.0.0.0/8')).toBe(true)
  expect(inside('::ffff:a01:203', '10.0.0.0/8')).toBe(true)
  expect(inside('10.1.2.3', '::ffff:10.0.0.0/104')).toBe(true)
  expect(inside('[fe80::1%eth0]', 'fe80::/10')).toBe(true)
})

test('what is no address is none, so that no other reader can take it for one', () => {
  for (const text of [
    '',
    '10.1',
    '010.0.0.1',
    '0x7f.0.0.1',
    '2130706433',
    '1.2.3.4.5',
    '256.1.1.1',
    ':::1',
    '1::2::3',
    '12345::',
    'g::',
    '1.2.3.4:80',
    ' 1.2.3.4',
  ])
    expect(parseAddress(text), text).toBeNull()
  for (const text of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '::/129', '::ffff:1.2.3.4/95', 'x/8']) expect(parseNetwork(text), text).toBeNull()
})
