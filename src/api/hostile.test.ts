import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startLab } from './http-lab.suite.ts'
import type { Lab } from './http-lab.suite.ts'

// Whatever is sent, the server refuses it in words, or hangs up, and goes on answering others.

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab.close())
afterEach(async () => {
  expect((await lab.post('thing.list', {})).status).toBe(200)
  expect(lab.logged.filter(({ event }) => event === 'http.failed')).toEqual([])
})

const json = 'Content-Type: application/json\r\n'
const post = (headers: string, body = '', path = '/api/v1/thing.list') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}Connection: close\r\n\r\n${body}`
const sized = (body: string, headers = '') => post(`${json}${headers}Content-Length: ${Buffer.byteLength(body)}\r\n`, body)

/** Statuses of all answers on the connection; an empty list means that the server hung up. */
async function statuses(bytes: string | readonly string[]): Promise<number[]> {
  const text = await lab.raw(bytes)
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status))
}

const requests: readonly [story: string, bytes: string | readonly string[], wanted: readonly number[]][] = [
  ['headers of 64 KiB', post(`X-A: ${'a'.repeat(65_536)}\r\n`), [431]],
  ['ten thousand small headers', post('X-A: b\r\n'.repeat(10_000)), [431]],
  ['an address of 40 KiB', `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, [431]],
  ['a header without end', `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(40_000)}`, [431]],
  ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', [400]],
  ['two hosts that differ', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n', [200, 400]],
  ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', [400]],
  ['an unknown method', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n', [400]],
  ['a method of another protocol', 'PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', [404, 405]],
  ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n', []],
  ['TRACE', 'TRACE /api/v1/thing.list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', [404, 405]],
  ['an absolute address', 'GET http://evil.example/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', [200, 404, 400]],
  ['a future version', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n', [400, 505]],
  ['a space before the colon of a header', 'POST /api/v1/thing.list HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello', [400]],
  ['a header folded over two lines', 'GET / HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\nConnection: close\r\n\r\n', [200, 400]],
  ['a NUL in a header', 'GET / HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n', [400]],
  ['a bare line feed in a header', 'GET / HTTP/1.1\nHost: x\n\n', [400]],
  ['two lengths', post(`${json}Content-Length: 2\r\nContent-Length: 3\r\n`, '{} '), [400]],
  ['a negative length', post(`${json}Content-Length: -1\r\n`), [400]],
  ['a length beyond all numbers', post(`${json}Content-Length: 99999999999999999999999999\r\n`), [400]],
  ['a length of 10 GiB', post(`${json}Content-Length: 10737418240\r\n`, '{'), [413]],
  ['length and chunks at once', post(`${json}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n`, '0\r\n\r\n'), [400]],
  ['an unknown transfer encoding', post(`${json}Transfer-Encoding: gzip, xchunked\r\n`, '{}'), [400, 501]],
  ['a chunk with a bad size', post(`${json}Transfer-Encoding: chunked\r\n`, 'zz\r\n{}\r\n0\r\n\r\n'), [400]],
  ['endless chunks', [post(`${json}Transfer-Encoding: chunked\r\n`), ...Array<string>(40).fill(`10000\r\n${'a'.repeat(65_536)}\r\n`)], [413]],
  ['a body in an encoding that nobody unpacks', sized('{}', 'Content-Encoding: gzip\r\n'), [200, 400, 415]],
  ['half a body and good-bye', post(`${json}Content-Length: 100\r\n`, '{"a":').replace('Connection: close', 'X: y'), []],
  ['a body that is no JSON', sized('{"a":'), [400]],
  ['a byte order mark', sized('\ufeff{}'), [200, 400]],
  ['__proto__ as a member', sized('{"__proto__":{"administrator":true}}'), [400]],
  ['__proto__ in disguise', sized('{"\\u005f_proto__":{"administrator":true}}'), [400]],
  ['constructor.prototype as a member', sized('{"constructor":{"prototype":{"administrator":true}}}'), [400]],
  ['a list nested 200,000 deep', sized(`{"limit":${'['.repeat(200_000)}${']'.repeat(200_000)}}`), [400]],
  ['an object nested 100,000 deep', sized(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`), [400]],
  ['sixty thousand unknown members', sized(`{${Array.from({ length: 60_000 }, (_, index) => `"m${index}":1`).join()}}`), [400]],
  ['a number beyond all numbers', sized('{"limit":1e999}'), [400]],
  ['a path that climbs', 'GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', [404, 400]],
  ['a path that climbs in disguise', 'GET /api/v1/%2e%2e%2f%2e%2e%2fetc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', [404, 405]],
  ['a NUL in the path', 'POST /api/v1/thing.list%00 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', [404]],
  ['a broken percent sign', 'POST /api/v1/%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', [400]],
  ['two Authorization headers', sized('{}', 'Authorization: Bearer token-of-ann\r\nAuthorization: Bearer wrong\r\n'), [200, 401]],
  ['a cookie header of 8 KiB', sized('{}', `Cookie: ${'a=b; '.repeat(1600)}\r\n`), [200]],
  ['a thousand query parameters', `GET /api/v1/runs/x/log?${'a=b&'.repeat(1000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, [400]],
  ['an upgrade to nothing', 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n', [200, 400]],
  ['Expect of something unknown', post(`${json}Expect: the-impossible\r\nContent-Length: 2\r\n`, '{}'), [200, 417]],
]

describe('hostile requests', () => {
  test.each(requests)('%s', async (_story, bytes, wanted) => {
    const seen = await statuses(bytes)
    if (wanted.length === 0) expect(seen.filter((status) => status !== 400 && status !== 408)).toEqual([])
    else {
      expect(seen).toHaveLength(1)
      expect(wanted).toContain(seen[0])
    }
  })

  test('a request hidden in the body of another is never answered', async () => {
    const hidden = 'POST /api/v1/caller.get HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'
    const outer = (headers: string) => `POST /api/v1/thing.list HTTP/1.1\r\nHost: x\r\n${json}${headers}\r\n`
    const chunked = `${outer('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n')}0\r\n\r\n${hidden}`
    const obscured = `${outer('Content-Length: 0\r\nTransfer-Encoding : chunked\r\n')}0\r\n\r\n${hidden}`
    const doubled = `${outer('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n')}0\r\n\r\n${hidden}`
    for (const bytes of [chunked, obscured, doubled]) expect(await statuses(bytes)).toEqual([400])
  })

  test('members that reach for a prototype are refused by the parser, before any schema', async () => {
    for (const body of ['{"__proto__":{"a":1}}', '{"\\u005f_proto__":{"a":1}}', '{"constructor":{"prototype":{"a":1}}}']) {
      expect(await lab.raw(sized(body)), body).toContain('"malformed_request"')
    }
  })

  test('nothing that was sent has changed what all objects have', () => {
    expect(({} as Record<string, unknown>).administrator).toBeUndefined()
  })

  test('a message never repeats control characters of the request', async () => {
    const answer = await lab.raw('POST /api/v1/a%1b%5b2J%0ab HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    expect(answer.split('\r\n\r\n')[1]).not.toMatch(/\u001b|\\u001b|\\n/)
  })
})
