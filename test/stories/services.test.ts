import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort, startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// A published service and a deployment on the real server, over its stops and its sudden ends.
let server: Server
let gateway: string

// Each life has a name of its own; numbers of processes mean nothing outside of a sandbox.
const program = `
const life = require('node:crypto').randomUUID()
require('node:http')
  .createServer((request, response) => (request.url === '/die' ? process.exit(1) : response.end(life + ' ' + (request.headers.identity ?? 'nobody'))))
  .listen(Number(process.env.PORT), '127.0.0.1')`

beforeAll(async () => {
  const port = await freePort()
  gateway = `http://127.0.0.1:${port}`
  server = await startServer({ environment: { CAPSTAN_GATEWAY_PORT: String(port), CAPSTAN_UNSANDBOXED: 'allow' } })
  const published = { prefix: '/web/', bypass_auth: true }
  await deploy({ type: 'service', name: 'web', replicas: 2, 'container-port': 80, cmd: [process.execPath, '-e', program], published })
  await deploy({ type: 'deployment', name: 'worker', cmd: ['/bin/sh', '-c', 'while :; do sleep 1; done'] })
  await until('both run', async () => (await stateOf('web')) === 'running' && (await stateOf('worker')) === 'running')
}, 60_000)
afterAll(() => server.close(), 30_000)

async function deploy(configuration: object): Promise<void> {
  await server.admin.ok('task.deploy', { namespace: 'lab', configuration })
}

async function stateOf(name: string): Promise<unknown> {
  const { items } = await server.admin.ok('task.list', { namespace: 'lab', type: 'deployment' })
  return (items as { name: string; state: string }[]).find((item) => item.name === name)?.state
}

async function instances(): Promise<string[]> {
  const { items } = await server.admin.ok('run.list', { kind: 'replica', active: true, limit: 100 })
  return (items as { id: string }[]).map((run) => run.id).sort()
}

async function lives(): Promise<string[]> {
  const seen = new Set<string>()
  for (let round = 0; round < 8; round++) seen.add((await (await fetch(`${gateway}/web/`)).text()).split(' ')[0] ?? '')
  return [...seen].sort()
}

test.each([
  ['is stopped', () => server.stop()],
  ['is killed', () => server.kill()],
])(
  'instances go on while the server %s, and it leads to the same ones again',
  async (_, end) => {
    const before = { runs: await instances(), lives: await lives() }
    expect([before.runs.length, before.lives.length]).toEqual([3, 2])
    await end()
    await server.start()
    expect(await lives()).toEqual(before.lives)
    expect(await instances()).toEqual(before.runs)
    expect([await stateOf('web'), await stateOf('worker')]).toEqual(['running', 'running'])
  },
  60_000,
)

test('what was deleted just before the server was killed ends after its restart', async () => {
  await server.admin.ok('task.delete', { namespace: 'lab', name: 'worker', type: 'deployment' })
  await server.kill()
  await server.start()
  await until('only the service is left', async () => (await instances()).length === 2)
  expect((await server.admin.call('task.delete', { namespace: 'lab', name: 'worker', type: 'deployment' })).status).toBe(404)
}, 60_000)

test('an instance that ends is taken off the route, and comes back', async () => {
  expect((await fetch(`${gateway}/web/die`, { method: 'POST' })).status).toBe(502)
  await until('it is degraded', async () => (await stateOf('web')) === 'degraded')
  for (let round = 0; round < 10; round++) expect((await fetch(`${gateway}/web/`)).status).toBe(200)
  expect((await lives()).length).toBe(1)
  await until('it runs again', async () => (await stateOf('web')) === 'running', 20_000)
  expect((await lives()).length).toBe(2)
}, 60_000)

test('a browser signs in at the platform and is led back to the service', async () => {
  const published = { prefix: '/closed/' }
  await deploy({ type: 'service', name: 'closed', 'container-port': 80, cmd: [process.execPath, '-e', program], published })
  await until('it runs', async () => (await stateOf('closed')) === 'running')
  await server.person('bob')
  const form = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/login`, { method: 'POST', redirect: 'manual', headers, body: new URLSearchParams(fields) })
  const errand = { state: 'ab'.repeat(16), to: '/closed/page' }
  const page = await fetch(`${server.url}/login?${new URLSearchParams({ ...errand, to: '/"><script>' })}`)
  expect(await page.text()).not.toContain('"><script>')
  const wrong = await form({ ...errand, login: 'bob', password: 'wrong' })
  expect([wrong.status, (await wrong.text()).includes(errand.state)]).toEqual([401, true])
  const foreign = await form({ ...errand, login: 'bob', password: 'a long phrase of bob' }, { origin: 'http://evil.test' })
  expect([foreign.status, foreign.headers.getSetCookie()]).toEqual([403, []])

  const signed = await form({ ...errand, login: 'bob', password: 'a long phrase of bob' })
  const back = new URL(signed.headers.get('location') ?? '')
  expect([signed.status, back.origin, back.pathname, back.searchParams.get('to')]).toEqual([303, gateway, '/.capstan/signed-in', '/closed/page'])
  const taken = await fetch(back, { redirect: 'manual', headers: { cookie: `capstan_gateway_state=${errand.state}` } })
  const [cookie = ''] = taken.headers.getSetCookie()
  expect([taken.status, taken.headers.get('location')]).toEqual([303, '/closed/page'])
  const seen = await fetch(`${gateway}/closed/page`, { headers: { cookie: cookie.split(';')[0] ?? '' } })
  expect(await seen.text()).toContain('bob@lab.test')
  await server.admin.ok('user.disable', { user: 'bob' })
  await until(
    'a disabled account is out',
    async () => (await fetch(`${gateway}/closed/`, { headers: { cookie: cookie.split(';')[0] ?? '' } })).status === 401,
    5000,
  )
}, 60_000)
