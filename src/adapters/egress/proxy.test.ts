import { createServer, request } from 'node:http'
import type { RequestListener } from 'node:http'
import { createServer as createNetServer, connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { silentLog } from '../../core/kernel/log.ts'
import type { EgressDestination, EgressPass } from '../../ports/egress.ts'
import { createEgress } from './egress.ts'
import { createEgressProxy } from './proxy.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A proxy whose names mean what the test says, question by question; 127.0.0.1 may be called and 127.0.0.2 may not. */
function proxyWith(names: Record<string, string[][]> = {}) {
  const asked: string[] = []
  const egress = createEgress({
    allow: ['127.0.0.1/32'],
    async lookup(host) {
      asked.push(host)
      const answers = names[host] ?? [['127.0.0.1']]
      return (answers.length > 1 ? (answers.shift() ?? []) : (answers[0] ?? [])).map((address) => ({ address }))
    },
  })
  const proxy = createEgressProxy({ egress, log: silentLog })
  closing.push(() => proxy.close())
  return { proxy, asked }
}

async function listen(host: string, answer: RequestListener): Promise<number> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

function through(pass: EgressPass, url: string, options: { password?: string; headers?: Record<string, string> } = {}) {
  const secret = options.password ?? pass.password
  return new Promise<{ status: number; text: string; headers: Record<string, unknown> }>((resolve, reject) => {
    const headers = {
      ...options.headers,
      ...(secret === '' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(`${pass.user}:${secret}`).toString('base64')}` }),
    }
    const asking = request({ host: pass.host, port: pass.port, path: url, headers, agent: false }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => (text += chunk))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }))
      answer.on('error', reject)
    })
    asking.on('error', reject)
    asking.end()
  })
}

function tunnelTo(pass: EgressPass, authority: string, hello: string) {
  return new Promise<string>((resolve) => {
    const socket = connect(pass.port, pass.host)
    let text = ''
    socket.on('data', (chunk) => {
      const first = text === ''
      text += chunk
      if (first && text.includes(' 200 ')) socket.write(hello)
    })
    socket.on('close', () => resolve(text))
    socket.on('error', () => {})
    const secret = Buffer.from(`${pass.user}:${pass.password}`).toString('base64')
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nProxy-Authorization: Basic ${secret}\r\n\r\n`)
  })
}

const to = (scheme: 'http' | 'https', host: string, port: number): EgressDestination => ({ scheme, host, port, purpose: 'git' })
const limits = { limitBytes: 1_000_000 }

test('a request goes to the host that the pass is for, without the secret and without what is between a client and its proxy', async () => {
  const { proxy } = proxyWith()
  let heard: Record<string, unknown> = {}
  const port = await listen('127.0.0.1', (asked, answer) => {
    heard = asked.headers
    answer.end(`you asked for ${asked.url}`)
  })
  const pass = await proxy.open(to('http', 'repo.test', port), limits)
  const { status, text } = await through(pass, `http://repo.test:${port}/a?b=c`, {
    headers: { 'proxy-connection': 'x', connection: 'x-hop', 'x-hop': '1' },
  })
  expect([status, text]).toEqual([200, 'you asked for /a?b=c'])
  expect(heard.host).toBe(`repo.test:${port}`)
  expect(Object.keys(heard).filter((name) => /proxy|x-hop/.test(name))).toEqual([])
})

test('without the secret of a pass that is open nothing is answered but 407', async () => {
  const { proxy, asked } = proxyWith()
  const port = await listen('127.0.0.1', (_, answer) => answer.end('in'))
  const pass = await proxy.open(to('http', 'repo.test', port), limits)
  expect((await through(pass, `http://repo.test:${port}/`, { password: '' })).status).toBe(407)
  expect((await through(pass, `http://repo.test:${port}/`, { password: 'a'.repeat(64) })).status).toBe(407)
  pass.close()
  expect((await through(pass, `http://repo.test:${port}/`)).status).toBe(407)
  expect(await tunnelTo(pass, `repo.test:${port}`, '')).toMatch(/^HTTP\/1.1 407/)
  expect(asked).toEqual([])
})

test('a redirect to another host leads nowhere, and is passed on to the child as it is', async () => {
  const { proxy } = proxyWith()
  let inner = 0
  const secret = await listen('127.0.0.1', (_, answer) => answer.end(`hit ${++inner}`))
  const port = await listen('127.0.0.1', (_, answer) => answer.writeHead(302, { location: `http://inner.test:${secret}/` }).end())
  const pass = await proxy.open(to('http', 'repo.test', port), limits)
  const led = await through(pass, `http://repo.test:${port}/`)
  expect(led.status).toBe(302)
  expect((await through(pass, String(led.headers.location))).status).toBe(403)
  expect((await through(pass, `http://repo.test:${secret}/`)).status, 'another port of the host').toBe(403)
  expect(inner).toBe(0)
  expect(pass.refused()).toMatch(/another host/)
})

test('a name that means an inner address at the next question is refused at that question', async () => {
  const { proxy } = proxyWith({ 'rebind.test': [['127.0.0.1'], ['127.0.0.2']] })
  let hits = 0
  const port = await listen('127.0.0.1', (_, answer) => answer.end(`hit ${++hits}`))
  const pass = await proxy.open(to('http', 'rebind.test', port), limits)
  expect((await through(pass, `http://rebind.test:${port}/`)).status).toBe(200)
  expect((await through(pass, `http://rebind.test:${port}/`)).status).toBe(403)
  expect(hits).toBe(1)
})

test('a name with one inner address among good ones is not called at all', async () => {
  const { proxy } = proxyWith({ 'mixed.test': [['127.0.0.1', '169.254.169.254']] })
  let hits = 0
  const port = await listen('127.0.0.1', (_, answer) => answer.end(`hit ${++hits}`))
  const pass = await proxy.open(to('http', 'mixed.test', port), limits)
  expect((await through(pass, `http://mixed.test:${port}/`)).status).toBe(403)
  expect(hits).toBe(0)
})

test.each(['ftp://repo.test/', 'file:///etc/passwd', '/relative', 'http://127.0.0.2/', 'http://user@other.test/'])(
  'the address %s is not forwarded',
  async (address) => {
    const { proxy } = proxyWith()
    const pass = await proxy.open(to('http', 'repo.test', 80), limits)
    expect((await through(pass, address)).status).toBe(403)
  },
)

test('a tunnel reaches the port of its pass over https, and no other; over http only the port of https', async () => {
  const { proxy } = proxyWith()
  const server = createNetServer((socket) => socket.once('data', (chunk) => socket.end(`echo ${chunk}`)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  const pass = await proxy.open(to('https', 'repo.test', port), limits)
  expect(await tunnelTo(pass, `repo.test:${port}`, 'hello')).toMatch(/ 200 [\s\S]*echo hello$/)
  expect(await tunnelTo(pass, `repo.test:${port + 1}`, 'hello')).toMatch(/^HTTP\/1.1 403/)
  expect(await tunnelTo(pass, `other.test:${port}`, 'hello')).toMatch(/^HTTP\/1.1 403/)
  expect((await through(pass, `http://repo.test:${port}/`)).status, 'down from https to http').toBe(403)
  const plain = await proxy.open(to('http', 'repo.test', port), limits)
  expect(await tunnelTo(plain, `repo.test:${port}`, 'hello')).toMatch(/^HTTP\/1.1 403/)
})

test('a host that sends more than the pass takes is cut off', async () => {
  const { proxy } = proxyWith()
  const port = await listen('127.0.0.1', (_, answer) => void answer.end(Buffer.alloc(3_000_000)))
  const pass = await proxy.open(to('http', 'repo.test', port), { limitBytes: 200_000 })
  await expect(through(pass, `http://repo.test:${port}/`)).rejects.toThrow()
  expect(pass.refused()).toMatch(/more than/)
})

test('a host that is not there is 502', async () => {
  const { proxy } = proxyWith()
  const port = await listen('127.0.0.1', () => {})
  await closing.pop()?.()
  const pass = await proxy.open(to('http', 'repo.test', port), limits)
  expect((await through(pass, `http://repo.test:${port}/`)).status).toBe(502)
})

test('a pass of an earlier proxy is opened again by its mark, which opens nothing by itself', async () => {
  const port = await listen('127.0.0.1', (_, answer) => answer.end('here'))
  const url = `http://repo.test:${port}/`
  const earlier = proxyWith()
  const { password, mark } = await earlier.proxy.open(to('http', 'repo.test', port), limits)
  await earlier.proxy.close()
  const { proxy } = proxyWith()
  const other = await proxy.open(to('http', 'repo.test', port), limits)
  expect((await through(other, url, { password })).status).toBe(407)
  const pass = await proxy.open(to('http', 'repo.test', port), { ...limits, mark })
  expect([pass.password, pass.mark]).toEqual(['', mark])
  expect((await through(pass, url, { password })).text).toBe('here')
  expect((await through(pass, url, { password: mark })).status).toBe(407)
  pass.close()
  expect((await through(other, url, { password })).status).toBe(407)
})
