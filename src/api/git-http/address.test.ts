import { expect, test } from 'vitest'
import { parseAddress, serviceOf } from './address.ts'
import { credentialOf } from '../hosting/credential.ts'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

test.each([
  ['/lab/x/info/refs?service=git-upload-pack', { suffix: 'info/refs', path: 'lab/x', query: 'service=git-upload-pack' }],
  ['//lab/x/git-upload-pack', { suffix: 'git-upload-pack', path: 'lab/x', query: '' }],
  ['/a/info/refs/info/refs', { suffix: 'info/refs', path: 'a/info/refs', query: '' }],
  ['/gr%C3%B6%C3%9Fe/git-receive-pack', { suffix: 'git-receive-pack', path: 'größe', query: '' }],
])('%s is an address of git', (target, address) => expect(parseAddress(target)).toEqual(address))

test.each(['/', '/info/refsx', '/lab/x', '/lab/x/info/refs/', '/x?y=/info/refs', '/lab/x/INFO/REFS', '/lab/x/info%2frefs', ''])(
  '%j is not git’s',
  (target) => expect(parseAddress(target)).toBeNull(),
)

test.each([
  '',
  '/',
  '/.',
  '/..',
  '/a/../b',
  '/a//b',
  '/a/',
  '/a%2fb',
  '/a%5cb',
  '/a%00',
  '/a%0a',
  '/%',
  '/%ff',
  '/a%2e%2e/%2e%2e',
  `/${'x'.repeat(3000)}`,
])('below %j there is no repository', (path) => expect(parseAddress(`${path}/info/refs`)?.path ?? null).toBeNull())

test('the service is the first parameter and one of two words', () => {
  expect([serviceOf('service=git-upload-pack'), serviceOf('service=git-receive-pack&x')]).toEqual(['upload-pack', 'receive-pack'])
  for (const query of [
    '',
    'x&service=git-upload-pack',
    'service=git-upload-packx',
    'service=GIT-UPLOAD-PACK',
    'service=git-upload-pack%20--x',
    'Service=git-upload-pack',
  ])
    expect(serviceOf(query), query).toBeNull()
})

test('Basic and Bearer are taken, whatever case the scheme has; a password may hold colons', () => {
  expect(credentialOf(basic('ann:a:b'))).toEqual({ form: 'password', login: 'ann', password: 'a:b' })
  expect(credentialOf(basic('ann:').replace('Basic', 'bAsIc'))).toEqual({ form: 'password', login: 'ann', password: '' })
  expect(credentialOf('Bearer abc')).toEqual({ form: 'bearer', token: 'abc' })
})

test.each([undefined, '', 'Basic', 'Basic !!!', basic('ann'), basic(':x'), 'Negotiate x', 'Bearer', 'Bearer a b', 'Basic YTpi YTpi'])(
  '%j is no credential',
  (header) => expect(credentialOf(header)).toBeNull(),
)
