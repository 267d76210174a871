import { connect } from 'node:net'
import { Agent, request as httpRequest } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDeployLab } from '../api/datatask/deploy-lab.suite.ts'
import { freePort } from '../../test/support/server.ts'
import type { DeployLab, Person } from '../api/datatask/deploy-lab.suite.ts'

// Real services behind the real gateway.
let lab: DeployLab
let ann: Person
let eve: Person
let gateway: string
let port: number

const program = `
const http = require('node:http')
const crypto = require('node:crypto')
const server = http.createServer((request, response) => {
  const path = request.url.split('?')[0]
  if (path === '/slow') return
  if (path === '/cookies') response.setHeader('set-cookie', ['mine=1', 'authtoken=evil; Path=/', 'Capstan_Session=evil'])
  if (path === '/headers') { response.setHeader('clear-site-data', '"cookies"'); response.setHeader('service-worker-allowed', '/') }
  if (path === '/stream') { response.write('first\\n'); return setTimeout(() => response.end('last\\n'), 300) }
  if (path === '/cut') { response.writeHead(200, { 'content-length': 100 }); response.write('part'); return setTimeout(() => request.socket.destroy(), 50) }
  let size = 0
  request.on('data', (bytes) => (size += bytes.length)).on('end', () => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ says: process.env.SAYS, port: process.env.PORT, url: request.url, method: request.method, headers: request.headers, size, from: request.socket.remotePort }))
  })
})
server.on('upgrade', (request, socket) => {
  const key = crypto.createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + key + '\\r\\n\\r\\n')
  socket.write('who:' + (request.headers.identity ?? '') + ';')
  socket.pipe(socket)
})
server.listen(Number(process.env.PORT), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
`
type Echo = { says: string; port: string; url: string; method: string; headers: Record<string, string>; size: number; from: number }

beforeAll(async () => {
  port = await freePort()
  gateway = `http://127.0.0.1:${port}`
  lab = await openDeployLab({ config: { defaultRuntime: 'process', unsandboxed: 'allow', gatewayPort: port, gatewayUrl: gateway } })
  ann = await lab.person('ann')
  eve = await lab.person('eve')
  await lab.system('group.create', { name: 'analysts' })
  await lab.system('group.add-member', { group: 'analysts', user: 'ann' })
  await lab.repository('weather', { 'web/manifest.json': {}, 'web/code/server.js': program }, { owner: ann.principal })
  await publish('closed', { prefix: '/closed/', access: 'analysts', timeout_ms: 700 })
  await publish('open', { prefix: '/open/', bypass_auth: true })
  await publish('inner', { prefix: '/deep/er/', rewrite: '', bypass_auth: true })
  await publish('sticky', { prefix: '/sticky/', rewrite: '/base', sticky_sessions: true, bypass_auth: true }, 3)
  await publish('none', { prefix: '/none/', bypass_auth: true }, 0)
  await until(async () => (await get('/open/')).status === 200 && (await get('/deep/er/')).status === 200 && (await get('/sticky/')).status === 200)
}, 30_000)
afterAll(() => lab.close())

async function publish(name: string, published: object, replicas = 1, says = 'one') {
  const manifest = {
    type: 'service',
    name,
    replicas,
    published,
    cmd: [process.execPath, '/code/server.js'],
    'container-port': 80,
    env: [{ name: 'SAYS', value: says }],
  }
  const answer = await lab.post(ann, '/v2/task/deploy/with-configuration', {
    namespace: 'weather',
    repository: 'weather',
    directory: 'web',
    configuration: JSON.stringify(manifest),
  })
  expect(answer.status, answer.text).toBe(200)
  if (replicas > 0) await lab.until(`/v1/task/state/${answer.json.id}`, ['running'])
  return String(answer.json.id)
}

async function until(condition: () => Promise<boolean>) {
  const end = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('It did not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const get = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  fetch(gateway + path, { headers, redirect: 'manual', ...init })
const as = (person: Person) => ({ authorization: `Bearer ${person.key}` })
const echo = async (path: string, headers: Record<string, string> = {}) => (await (await get(path, headers)).json()) as Echo

/** A request as a browser makes it when somebody opens an address. */
const open = (path: string) =>
  new Promise<{ status: number | undefined; location: string; cookies: string }>((resolve, reject) => {
    const outgoing = httpRequest(gateway + path, { headers: { accept: 'text/html,*/*' } }, (answer) => {
      answer.resume()
      resolve({ status: answer.statusCode, location: answer.headers.location ?? '', cookies: (answer.headers['set-cookie'] ?? []).join() })
    })
    outgoing.on('error', reject).end()
  })

test('the prefix is replaced as the service asked, queries and bodies pass', async () => {
  expect((await echo('/open/today?x=1')).url).toBe('/today?x=1')
  expect((await echo('/deep/er/today')).url).toBe('/deep/er/today')
  expect((await echo('/sticky/today')).url).toBe('/base/today')
  const sent = await get('/open/in', {}, { method: 'POST', body: 'x'.repeat(3_000_000) })
  expect((await sent.json()) as Echo).toMatchObject({ method: 'POST', size: 3_000_000 })
  expect((await get('/open')).headers.get('location')).toBe('/open/')
  expect((await get('/nowhere/')).status).toBe(404)
  expect((await get('/none/')).status).toBe(503)
})

test('a read goes over a kept connection to its instance, also when it says that its body has no bytes; what changes something never does', async () => {
  const from = async (method: string, length: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<Echo>()
    const outgoing = httpRequest(`${gateway}/open/`, { method, headers: { 'content-length': length } }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(JSON.parse(String(Buffer.concat(chunks))) as Echo))
    })
    outgoing.on('error', reject).end()
    return (await promise).from
  }
  const kept = await from('GET', '0')
  expect(await from('GET', '0')).toBe(kept)
  expect(await from('POST', '0')).not.toBe(kept)
  expect(await from('GET', '0')).toBe(kept)
})

test('a service is told who its visitor is, whatever the visitor claims, and never gets what proves it', async () => {
  const headers = {
    ...as(ann),
    identity: 'root@lab.test',
    'identity-signature': 'x',
    'x-forwarded-for': '8.8.8.8',
    cookie: 'mine=1; authtoken=a.b.c; capstan_session=d.e.f; other=2',
  }
  const seen = await echo('/closed/', headers)
  expect(seen.headers).toMatchObject({
    identity: 'ann@lab.test',
    cookie: 'mine=1; other=2',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-prefix': '/closed',
  })
  for (const name of ['authorization', 'identity-signature']) expect(seen.headers).not.toHaveProperty(name)
  const anonymous = await echo('/open/', { identity: 'root@lab.test', authorization: 'Bearer of-the-service' })
  expect(anonymous.headers).not.toHaveProperty('identity')
  expect(anonymous.headers.authorization).toBe('Bearer of-the-service')
})

test('who is not signed in is refused or sent to the sign-in; who is not in the group is refused', async () => {
  expect((await get('/closed/')).status).toBe(401)
  expect((await get('/closed/', { authorization: 'Bearer wrong' })).status).toBe(401)
  expect((await get('/closed/', as(eve))).status).toBe(403)
  expect((await get('/closed/', as(ann))).status).toBe(200)
  const sent = await open('/closed/page?a=b')
  expect(sent.status).toBe(303)
  const to = new URL(sent.location)
  expect([to.pathname, to.searchParams.get('to')]).toEqual(['/login', '/closed/page?a=b'])
})

test('a session is handed over by a code that is good once and only in the browser that asked', async () => {
  const session = await lab.system<{ token: string }>('session.create', { login: 'ann', password: 'a long ann phrase' })
  const principal = {
    ...ann.principal,
    credential: 'cookie' as const,
    credentialId: JSON.parse(Buffer.from(session.token.split('.')[1] ?? '', 'base64url').toString()).sid as string,
  }
  const sent = await open('/closed/')
  const state = sent.cookies.match(/capstan_gateway_state=([0-9a-f]+)/)?.[1] ?? ''
  const { code } = await lab.as<{ code: string }>(principal, 'session.hand-over', { state })
  const take = (cookie: string, to = '/closed/x') => get(`/.capstan/signed-in?${new URLSearchParams({ code, to })}`, { cookie })
  expect((await take('')).status).toBe(400)
  expect((await take(`capstan_gateway_state=${'0'.repeat(32)}`)).status).toBe(400)
  const taken = await take(`capstan_gateway_state=${state}`)
  expect([taken.status, taken.headers.get('location')]).toEqual([303, '/closed/x'])
  const token =
    taken.headers
      .getSetCookie()
      .join()
      .match(/capstan_gateway=([^;]+)/)?.[1] ?? ''
  expect((await echo('/closed/', { cookie: `capstan_gateway=${token}` })).headers.identity).toBe('ann@lab.test')
  expect((await take(`capstan_gateway_state=${state}`)).status).toBe(400)
  // The gateway's token is none of the platform's.
  expect((await lab.get({ ...ann, key: token }, '/v1/task/deploy/weather/web')).status).toBe(401)
  expect((await get('/closed/', { cookie: `capstan_gateway=${token.slice(0, -1)}0` })).status).toBe(401)
})

test('what a service answers cannot reach beyond it: no cookie of the platform, nothing that acts on the whole origin', async () => {
  expect((await get('/open/cookies')).headers.getSetCookie()).toEqual(['mine=1'])
  const { headers } = await get('/open/headers')
  expect([headers.get('clear-site-data'), headers.get('service-worker-allowed')]).toEqual([null, null])
})

test('an answer comes as it is made, is cut where it was cut, and is waited for as long as the service said', async () => {
  const reader = (await get('/open/stream')).body?.getReader()
  const first = await reader?.read()
  expect(new TextDecoder().decode(first?.value)).toBe('first\n')
  await expect(get('/open/cut').then((answer) => answer.text())).rejects.toThrow()
  expect((await get('/closed/slow', as(ann))).status).toBe(504)
})

test('instances take turns; a visitor with the cookie keeps the one it had, and a forged cookie means nothing', async () => {
  const ports = new Set<string>()
  for (let round = 0; round < 6; round++) ports.add((await echo('/sticky/')).port)
  expect(ports.size).toBe(3)
  const first = await get('/sticky/')
  const [cookie = ''] = first.headers.getSetCookie()
  expect(cookie).toMatch(/Path=\/sticky\/;.*HttpOnly/)
  const { port: mine } = (await first.json()) as Echo
  const kept = new Set<string>()
  for (let round = 0; round < 6; round++) kept.add((await echo('/sticky/', { cookie: cookie.split(';')[0] ?? '' })).port)
  expect([...kept]).toEqual([mine])
  expect((await get('/sticky/', { cookie: 'capstan_sticky=forged' })).headers.getSetCookie()).toHaveLength(1)
})

test('a WebSocket passes both ways, with the same rules about who may', async () => {
  const talk = (path: string, headers: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      let text = ''
      socket.on('error', reject).on('close', () => resolve(text))
      socket.on('data', (bytes) => {
        text += bytes
        if (text.includes('who:') && !text.includes('hello')) socket.write('hello')
        if (text.endsWith('hello')) socket.end()
      })
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`,
      )
    })
  const answer = await talk('/closed/socket', `Authorization: Bearer ${ann.key}\r\nIdentity: root\r\n`)
  expect(answer).toContain('101 Switching Protocols')
  expect(answer).toContain('who:ann@lab.test;hello')
  expect(await talk('/closed/socket', '')).toContain(' 401 ')
  expect(await talk('/none/socket', '')).toContain(' 503 ')
})

test('two framings of one body, and addresses for another kind of proxy, are refused', async () => {
  const say = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      let answer = ''
      socket
        .on('error', reject)
        .on('data', (bytes) => (answer += bytes))
        .on('close', () => resolve(answer))
      socket.write(text)
    })
  expect(
    await say(
      'POST /open/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /closed/ HTTP/1.1\r\nHost: x\r\n\r\n',
    ),
  ).toMatch(/^HTTP\/1.1 400/)
  expect(await say('GET http://elsewhere/open/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
  const named = await say('GET /open/ HTTP/1.1\r\nHost: x\r\nConnection: close, x-secret\r\nX-Secret: 1\r\n\r\n')
  expect(named).not.toContain('x-secret')
})

test('a service that is replaced 20 times under load loses no request', async () => {
  await publish('busy', { prefix: '/busy/', bypass_auth: true }, 2, 'g0')
  await until(async () => (await get('/busy/')).status === 200)
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  const failed: string[] = []
  const said = new Set<string>()
  let count = 0
  let going = true
  const one = (index: number) =>
    new Promise<void>((resolve) => {
      const body = index % 3 === 0 ? 'some body' : ''
      const outgoing = httpRequest(
        `${gateway}/busy/`,
        { agent, method: body ? 'POST' : 'GET', headers: body ? { 'content-length': body.length } : {} },
        (answer) => {
          let text = ''
          answer
            .on('data', (bytes) => (text += bytes))
            .on('end', () => {
              count++
              if (answer.statusCode === 200) said.add((JSON.parse(text) as Echo).says)
              else failed.push(`${answer.statusCode} ${text}`)
              resolve()
            })
          answer.on('error', (error) => failed.push(String(error)))
        },
      )
      outgoing.on('error', (error) => {
        failed.push(String(error))
        resolve()
      })
      outgoing.end(body)
    })
  const clients = Array.from({ length: 4 }, async (_, client) => {
    for (let index = client; going; index++) {
      await one(index)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })
  for (let generation = 1; generation <= 20; generation++) await publish('busy', { prefix: '/busy/', bypass_auth: true }, 2, `g${generation}`)
  await until(async () => said.has('g20'))
  going = false
  await Promise.all(clients)
  agent.destroy()
  expect(failed).toEqual([])
  expect(count).toBeGreaterThan(200)
  expect(said.size).toBeGreaterThan(10)
}, 60_000)
