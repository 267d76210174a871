import { expect, test } from 'vitest'
import { Fault } from '../kernel/fault.ts'
import { parseRemote } from './address.ts'

const refused = (text: string): Fault => {
  try {
    parseRemote(text, 'repository.create')
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error(`${JSON.stringify(text)} was taken`)
}

test('an address is taken apart, and its password is in nothing but what is sealed and what is handed over', () => {
  const address = parseRemote('https://ann:p%40ss@Git.Example:8443/team/a.git', 'x')
  expect(address).toEqual({
    scheme: 'https',
    host: 'git.example',
    port: 8443,
    url: 'https://git.example:8443/team/a.git',
    credentials: { user: 'ann', password: 'p@ss' },
    whole: 'https://ann:p%40ss@git.example:8443/team/a.git',
    masked: 'https://ann:*****@git.example:8443/team/a.git',
  })
  expect(parseRemote('http://git.example/a', 'x')).toMatchObject({ port: 80, credentials: null, masked: 'http://git.example/a' })
})

test('a name without a password is taken for a token and not shown', () => {
  expect(parseRemote('https://ghp_token@git.example/a', 'x').masked).toBe('https://*****@git.example/a')
})

test.each([
  '',
  '-oProxyCommand=x',
  '--upload-pack=touch x',
  '/srv/repositories/a',
  '../a',
  'file:///srv/a',
  'ext::sh -c touch% x',
  'ext::sh%20-c',
  'git://git.example/a',
  'ssh://git.example/a',
  'git@git.example:a',
  'ftp://git.example/a',
  'http:git.example/a',
  'http:///a',
  'https://git.example/a b',
  'https://git.example/a\nHost: x',
  'https://git.example/a\u0000',
  'https://git.example/\u202ea',
  'https://git.example/a?x=y',
  'https://git.example/a#b',
  'https://a%ZZ:b@git.example/a',
  'https://a%0d%0a:b@git.example/a',
  'https://ann:*****@git.example/a',
  'https://*****@git.example/a',
  'http\u003a\\\\git.example\\a',
])('%j is no address, and the refusal does not repeat it', (text) => {
  const fault = refused(text)
  expect(fault.code).toBe('invalid_input')
  if (text.length > 3) expect(JSON.stringify([fault.message, fault.details])).not.toContain(text)
})
