import { expect, test } from 'vitest'
import { isFault } from '../../core/kernel/fault.ts'
import { createEgress } from './egress.ts'

const names: Record<string, string[]> = {
  'public.test': ['93.184.216.34', '2606:2800:220:1::1'],
  'mixed.test': ['93.184.216.34', '127.0.0.1'],
  'inner.test': ['10.0.0.5'],
  'empty.test': [],
}
const lookup = async (host: string) => {
  const found = names[host]
  if (!found) throw new Error('ENOTFOUND')
  return found.map((address) => ({ address }))
}
const egress = createEgress({ allow: [], lookup })
const refused = async (host: string, purpose: 'git' | 'cluster' = 'git', guard = egress) => {
  const error = await guard.resolve(host, purpose).then(
    () => null,
    (reason: unknown) => reason,
  )
  return isFault(error, 'egress_refused')
}

test('a public name resolves to all its addresses', async () => {
  expect(await egress.resolve('public.test', 'git')).toEqual(['93.184.216.34', '2606:2800:220:1::1'])
  expect(await egress.resolve('93.184.216.34', 'webhook')).toEqual(['93.184.216.34'])
  expect(await egress.resolve('[2606:2800:220:1::1]', 'webhook')).toEqual(['2606:2800:220:1::1'])
})

test('one bad address among good ones refuses the name', async () => {
  expect(await refused('mixed.test')).toBe(true)
})

test('a name without an address, or that cannot be resolved, is refused', async () => {
  expect(await refused('empty.test')).toBe(true)
  expect(await refused('nowhere.test')).toBe(true)
})

test.each([
  '127.0.0.1',
  '127.255.1.2',
  '0.0.0.0',
  '169.254.169.254',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'ff02::1',
  'fd00:ec2::254',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:169.254.169.254',
  '::127.0.0.1',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::169.254.169.254',
  '64:ff9b:1::7f00:1',
  '2002:7f00:1::',
  '2002:a9fe:a9fe::1',
  '2001:0:53aa:64c:0:fbff:80ff:fffe',
  '[::1]',
  '[::ffff:127.0.0.1]',
])('%s is never called, for clusters neither', async (address) => {
  expect(await refused(address, 'git')).toBe(true)
  expect(await refused(address, 'cluster')).toBe(true)
})

test.each(['10.1.2.3', '172.31.0.1', '192.168.1.1', '100.64.0.1', 'fd12::1', '::ffff:10.0.0.1', '64:ff9b::a00:1', '2002:a00:1::'])(
  'the private address %s is for clusters only',
  async (address) => {
    expect(await refused(address, 'git')).toBe(true)
    expect(await refused(address, 'cluster')).toBe(false)
  },
)

test.each(['127.1', '2130706433', '0x7f000001', '0177.0.0.1', '127.0.0.1.', 'localhost:80', 'a b', 'x@127.0.0.1', '', '[127.0.0.1', 'a/b'])(
  'the disguised address %s is no name',
  async (host) => {
    expect(await refused(host, 'git', createEgress({ allow: [], lookup: async () => [{ address: '93.184.216.34' }] }))).toBe(true)
  },
)

test('the operator can allow networks for every purpose, in the IPv4-mapped form as well', async () => {
  const open = createEgress({ allow: ['127.0.0.0/8', '10.0.0.0/8'], lookup })
  expect(await open.resolve('inner.test', 'git')).toEqual(['10.0.0.5'])
  expect(open.allows('127.0.0.1', 'webhook')).toBe(true)
  expect(open.allows('::ffff:127.0.0.1', 'webhook')).toBe(true)
  expect(open.allows('192.168.0.1', 'webhook')).toBe(false)
})
