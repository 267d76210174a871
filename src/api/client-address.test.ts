import { expect, test } from 'vitest'
import { clientAddress, networkList } from './client-address.ts'
import type { IncomingMessage } from 'node:http'

function from(peer: string, forwarded: string | undefined, trusted: readonly string[]): string {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  // Of a request, only these two are read.
  return clientAddress(trusted)({ socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage)
}

const proxies = ['10.0.0.0/8', 'fd00::/8']

test('without trusted proxies the peer is the client, whatever a header says', () => {
  expect(from('203.0.113.9', '1.2.3.4', [])).toBe('203.0.113.9')
  expect(from('::ffff:203.0.113.9', '1.2.3.4', [])).toBe('203.0.113.9')
})

test('a peer that is no trusted proxy is not believed', () => {
  expect(from('203.0.113.9', '1.2.3.4', proxies)).toBe('203.0.113.9')
})

test('behind trusted proxies it is the right-most address that is none of them', () => {
  expect(from('10.0.0.1', '1.2.3.4', proxies)).toBe('1.2.3.4')
  expect(from('::ffff:10.0.0.1', '6.6.6.6, 1.2.3.4, 10.9.9.9', proxies)).toBe('1.2.3.4')
  expect(from('fd00::1', '[2001:db8::7]:443', proxies)).toBe('2001:db8::7')
  expect(from('10.0.0.1', '1.2.3.4:5678', proxies)).toBe('1.2.3.4')
})

test('an entry that is no address ends the search at the proxy that passed it on', () => {
  expect(from('10.0.0.1', '1.2.3.4, unknown', proxies)).toBe('10.0.0.1')
  expect(from('10.0.0.1', '1.2.3.4, <script>, 10.0.0.2', proxies)).toBe('10.0.0.2')
  expect(from('10.0.0.1', '', proxies)).toBe('10.0.0.1')
})

test('a network of mapped addresses is the network of IPv4 addresses', () => {
  const inside = networkList(['::ffff:192.0.2.0/120'])
  expect(inside('192.0.2.7')).toBe(true)
  expect(inside('192.0.3.7')).toBe(false)
  expect(inside('no address')).toBe(false)
})
