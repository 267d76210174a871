import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { isFault } from '../../core/kernel/fault.ts'
import { OutboundFailed } from '../../ports/egress.ts'
import { createEgress } from './egress.ts'
import { createOutbound } from './outbound.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function listen(answer: RequestListener): Promise<number> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  )
  return (server.address() as AddressInfo).port
}

const outbound = createOutbound({
  egress: createEgress({ allow: ['127.0.0.1/32'], lookup: async (host) => [{ address: host === 'inner.test' ? '127.0.0.2' : '127.0.0.1' }] }),
})
const post = (url: string, more: object = {}) =>
  outbound.post({
    url,
    purpose: 'webhook',
    headers: { 'x-one': '1' },
    body: '{"ä":1}',
    timeoutMs: 5000,
    keepBytes: 100,
    signal: new AbortController().signal,
    ...more,
  })
const failure = (running: Promise<unknown>) =>
  running.then(
    () => null,
    (error: unknown) => error,
  )

test('it posts the body as it is, under the name that was asked for, and gives the beginning of the answer', async () => {
  let heard = ''
  const port = await listen((asked, answer) => {
    heard = `${asked.method} ${asked.headers.host} ${asked.headers['x-one']} `
    asked.on('data', (chunk) => (heard += chunk))
    asked.on('end', () => answer.writeHead(201).end('x'.repeat(100_000)))
  })
  expect(await post(`http://hook.test:${port}/in?a=b`)).toEqual({ status: 201, excerpt: 'x'.repeat(100) })
  expect(heard).toBe(`POST hook.test:${port} 1 {"ä":1}`)
})

test('a redirect is an answer and is not followed', async () => {
  const port = await listen((_, answer) => answer.writeHead(307, { location: 'http://127.0.0.1/' }).end())
  expect((await post(`http://hook.test:${port}/`)).status).toBe(307)
})

test('an address that may not be called is refused, and one that nobody answers at fails with words for its owner', async () => {
  expect(isFault(await failure(post('http://inner.test/')), 'egress_refused')).toBe(true)
  const port = await listen(() => {})
  await closing.pop()?.()
  const error = await failure(post(`http://hook.test:${port}/`))
  expect(error).toBeInstanceOf(OutboundFailed)
  expect(String(error)).toMatch(/refused/)
  expect(await failure(post('ftp://hook.test/'))).toBeInstanceOf(OutboundFailed)
})

test('a receiver that does not answer, or drips, is left after the time-out', async () => {
  const silent = await listen(() => {})
  expect(String(await failure(post(`http://hook.test:${silent}/`, { timeoutMs: 100 })))).toMatch(/within 0.1 s/)
  const dripping = await listen((_, answer) => void answer.writeHead(200).write('x'))
  expect(String(await failure(post(`http://hook.test:${dripping}/`, { timeoutMs: 100 })))).toMatch(/within 0.1 s/)
})

test('an answer that changes the protocol, or ends without one, is a failure at once', async () => {
  const port = await listen((asked) => asked.socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'))
  expect(await failure(post(`http://hook.test:${port}/`, { timeoutMs: 60_000 }))).toMatchObject({ message: 'The answer speaks another protocol' })
  const silent = await listen((asked) => asked.socket.end())
  expect(await failure(post(`http://hook.test:${silent}/`, { timeoutMs: 60_000 }))).toMatchObject({ message: 'The connection was cut' })
})
