import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEgress } from '../../../../adapters/egress/egress.ts'
import { createOutbound } from '../../../../adapters/egress/outbound.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { callTest, failureOf } from '../testing/call.ts'
import { accessFrom } from './access.ts'
import { askedFor, redirected } from './asked.ts'
import { httpPlugin } from './plugin.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { Services } from '../../../operation/services.ts'

const heard: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = []
const server = createServer((asked, answer) => {
  let body = ''
  asked.on('data', (chunk) => (body += chunk))
  asked.on('end', () => {
    const { method = '', url = '', headers } = asked
    heard.push({ method, url, headers, body })
    if (url === '/moved') answer.writeHead(302, { location: '/json' }).end()
    else if (url === '/kept') answer.writeHead(307, { location: '/echo' }).end()
    else if (url === '/away') answer.writeHead(302, { location: `http://other.test:${port}/json` }).end()
    else if (url === '/inside') answer.writeHead(302, { location: 'http://inner.test/' }).end()
    else if (url === '/loop') answer.writeHead(302, { location: '/loop' }).end()
    else if (url === '/bytes') answer.end(Buffer.from([0xff, 0]))
    else if (url === '/html') answer.writeHead(404, { 'content-type': 'text/html', 'x-two': ['a', 'b'] }).end('[1]')
    else if (url === '/large') answer.end(Buffer.alloc(10 * 1024 * 1024 + 1, 'x'))
    else if (url === '/silent') return
    else if (url === '/latin') answer.writeHead(200, { 'content-type': 'text/plain; charset=ISO-8859-1' }).end(Buffer.from('grün', 'latin1'))
    else if (url === '/odd') answer.writeHead(200, { 'content-type': 'text/plain; charset=nonsense' }).end('grün')
    else if (url === '/api/out') answer.writeHead(302, { location: '/json' }).end()
    else if (url === '/denied/') answer.writeHead(401).end()
    else answer.writeHead(200, { 'content-type': 'application/json' }).end('{"a":[1]}')
  })
})
let port = 0
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port // it listens on TCP
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const lookup = async (host: string) => [{ address: host === 'inner.test' ? '127.0.0.2' : '127.0.0.1' }]
const services = { clock: systemClock, outbound: createOutbound({ egress: createEgress({ allow: ['127.0.0.1/32'], lookup }) }) }
const request = (path: string, more: JsonObject = {}) =>
  callTest('http', 'request', { url: `http://hook.test:${port}${path}`, ...more }, { services })
const refused = (path: string, more: JsonObject = {}) =>
  failureOf('http', 'request', { url: `http://hook.test:${port}${path}`, ...more }, { services })
const last = () => heard.at(-1)

test('the answer has status, headers, text, and the object where it is JSON', async () => {
  const answer = await request('/json?a=b')
  expect(answer).toMatchObject({ status: 200, body: '{"a":[1]}', body_object: { a: [1] }, size: 9, url: `http://hook.test:${port}/json?a=b` })
  expect(answer.headers).toMatchObject({ 'content-type': 'application/json' })
  expect(last()).toMatchObject({ method: 'GET', url: '/json?a=b', headers: { host: `hook.test:${port}`, 'accept-encoding': 'identity' } })
})

test('method, headers and body go out as they are; an object goes out as JSON', async () => {
  await request('/json', { method: 'PUT', headers: { 'X-One': 'ä', 'Content-Length': '99', Host: 'evil.test' }, body: 'text ü' })
  expect(last()).toMatchObject({ method: 'PUT', body: 'text ü', headers: { 'x-one': 'ä', host: `hook.test:${port}`, 'content-length': '7' } })
  await request('/json', { method: 'POST', body_object: { a: 1 } })
  expect(last()).toMatchObject({ method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } })
})

test('a status is no failure unless it is asked for', async () => {
  expect(await request('/html')).toMatchObject({ status: 404, body: '[1]', headers: { 'x-two': 'a, b' } })
  expect(await request('/html')).not.toHaveProperty('body_object')
  expect(await refused('/html', { fail_on_status: true })).toBe('ActionFailed: The answer has the status 404')
})

test('bytes that are no text come as Base64', async () => {
  expect(await request('/bytes')).toMatchObject({ body: '', body_base64: '/wA=', size: 2 })
})

test('redirects are followed: with GET where that is meant, with the same body where not, as often as allowed', async () => {
  expect(await request('/moved', { method: 'POST', body: 'x' })).toMatchObject({ status: 200, url: `http://hook.test:${port}/json` })
  expect(last()).toMatchObject({ method: 'GET', body: '' })
  await request('/kept', { method: 'POST', body: 'x' })
  expect(last()).toMatchObject({ method: 'POST', url: '/echo', body: 'x' })
  expect(await request('/moved', { redirects: 0 })).toMatchObject({ status: 302 })
  expect(await refused('/loop')).toMatch(/more than 5 redirects/)
})

test('another origin gets no credentials, and a redirect inside is refused like any other address', async () => {
  await request('/away', { headers: { Authorization: 'Bearer x', Cookie: 'a=b', 'X-Api-Key': 'k', 'Private-Token': 't', 'X-Kept': 'y' } })
  expect(last()?.headers).toMatchObject({ 'x-kept': 'y', host: `other.test:${port}` })
  expect(last()?.headers).not.toHaveProperty('authorization')
  for (const name of ['cookie', 'x-api-key', 'private-token']) expect(last()?.headers).not.toHaveProperty(name)
  expect(await refused('/inside')).toMatch(/inner\.test may not be called/)
})

test('user and password of the address become a header and are not shown', async () => {
  const answer = await callTest('http', 'request', { url: `http://ann:s%40x@hook.test:${port}/json` }, { services })
  expect(last()?.headers.authorization).toBe(`Basic ${Buffer.from('ann:s@x').toString('base64')}`)
  expect(answer.url).toBe(`http://hook.test:${port}/json`)
})

test.each<readonly [string, JsonObject, RegExp]>([
  ['/large', {}, /The answer is larger than 10 MiB/],
  ['/silent', { timeout: 0.1 }, /no answer within 0\.1 s|There was no answer/],
  ['/json', { headers: { 'a b': 'x' } }, /"a b" is no name of a header/],
  ['/json', { headers: { a: 'x\r\nb: c' } }, /characters that headers cannot have/],
  ['/json', { method: 'TRACE' }, /must be one of GET/],
  ['/json', { timeout: 5000 }, /up to 300 seconds/],
  ['/json', { url: 'file:///etc/passwd' }, /neither http nor https/],
  ['/json', { url: 'http://ann:50%@hook.test/' }, /"%" that is not followed by two hex digits/],
  ['/json', { body_base64: '*', method: 'POST' }, /not Base64/],
  ['/json', { url: 'nowhere' }, /URL cannot be read/],
  ['/json', { url: 'http://169.254.169.254/latest' }, /may not be called/],
])('%s %j is refused in words', async (path, more, message) => {
  expect(await refused(path, more)).toMatch(message)
})

test('a query, a form, a list and bytes go out as such', async () => {
  await request('/json?a=1', { query: { q: 'ä b', list: [1, 2], none: null } })
  expect(last()?.url).toBe('/json?a=1&q=%C3%A4+b&list=1&list=2')
  await request('/json', { method: 'POST', form: { user: 'a&b', n: 5 } })
  expect(last()).toMatchObject({ body: 'user=a%26b&n=5', headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  await request('/json', { method: 'POST', body_array: [1, { a: 2 }] })
  expect(last()).toMatchObject({ body: '[1,{"a":2}]', headers: { 'content-type': 'application/json' } })
  await request('/json', { method: 'POST', body_base64: Buffer.from('bytes').toString('base64') })
  expect(last()).toMatchObject({ body: 'bytes', headers: { 'content-type': 'application/octet-stream' } })
})

test('a body is read in the characters that the answer names, and in UTF-8 where nobody knows them', async () => {
  expect(await request('/latin')).toMatchObject({ body: 'grün', size: 4 })
  expect(await request('/odd')).toMatchObject({ body: 'grün' })
})

const access = (parameters: JsonObject, path = '') => accessFrom({ base_url: `http://hook.test:${port}${path}`, ...parameters })
const told = (work: () => unknown) => {
  try {
    return JSON.stringify(work())
  } catch (error) {
    return String(error)
  }
}

test('credentials of a connection go to its base and below, whatever a step asks for', () => {
  const api = access({ token: { token: 'tok' }, key: { secretKey: 'k1' }, key_header: 'X-Key' }, '/api')
  const asked = askedFor({ url: '/items?x=1', headers: { Authorization: 'mine' } }, api)
  expect(asked).toMatchObject({ url: `http://hook.test:${port}/api/items?x=1`, headers: { authorization: 'Bearer tok', 'x-key': 'k1' } })
  expect(askedFor({ url: `http://hook.test:${port}/api` }, api).headers).toMatchObject({ authorization: 'Bearer tok' })
  expect(askedFor({ url: '//evil.test/x' }, api).url).toBe(`http://hook.test:${port}/api/evil.test/x`)
  for (const url of [
    `http://hook.test:${port}/apix`,
    `http://hook.test:${port}/`,
    'http://evil.test/api',
    `https://hook.test:${port}/api`,
    '/../x',
    '/%2e%2e/x',
  ])
    expect(told(() => askedFor({ url }, api))).toContain(`The connection is for http://hook.test:${port}/api and what is below it only`)
  const redirect = (location: string) => redirected(asked, { status: 302, location }, api).headers
  expect(redirect('/api/other')).toMatchObject({ authorization: 'Bearer tok', 'x-key': 'k1' })
  for (const location of ['/elsewhere', 'http://evil.test/api']) expect(Object.keys(redirect(location))).toEqual(['accept-encoding'])
})

test('a connection is sent as Basic, Bearer or a header, and one that cannot be is refused in words', () => {
  expect(access({ credentials: { username: 'ann', password: 's:x' } }).headers).toEqual({ authorization: `Basic ${btoa('ann:s:x')}` })
  expect(access({ key: { secretKey: 'k' } }).headers).toEqual({ 'x-api-key': 'k' })
  expect(told(() => access({ credentials: { username: 'a', password: 'b' }, token: { token: 't' } }))).toContain('both a password and a token')
  expect(told(() => accessFrom({ base_url: 'ftp://x' }))).toContain('no http or https address')
  expect(told(() => accessFrom({ base_url: 'http://u:p@x' }))).toContain('a user, a query or a fragment')
})

test('a connection is tried by asking for its base', async () => {
  const test = (path: string) =>
    httpPlugin.test?.(
      { services: services as Partial<Services> as Services, signal: AbortSignal.timeout(5000) },
      { base_url: `http://hook.test:${port}${path}`, token: { token: 'tok' } },
    )
  expect(await test('/json')).toBe('The base URL answers with the status 200.')
  expect(last()?.headers.authorization).toBe('Bearer tok')
  await expect(test('/denied/')).rejects.toThrow('The base URL answers with the status 401')
})
