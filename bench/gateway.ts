import { join } from 'node:path'
import { load, median } from './support/load.ts'
import { pushRepository } from './support/repository.ts'
import { call, environmentOf, freePort, fromSource, remove, root, scratch, signIn, start } from './support/servers.ts'
import type { BenchOptions, Figure } from './run.ts'

const program = `
const body = JSON.stringify({ ok: true, text: 'x'.repeat(200) })
const headers = { 'content-type': 'application/json', 'content-length': body.length }
require('node:http')
  .createServer((_, answer) => answer.writeHead(200, headers).end(body))
  .listen(Number(process.env.PORT), '127.0.0.1')
`
const service = (name: string, published: object) => ({
  type: 'service',
  name,
  cmd: [process.execPath, '/code/server.js'],
  'container-port': 80,
  'termination-grace-seconds': 1,
  published: { prefix: `/${name}/`, ...published },
})

/** A published service through the gateway, and past a bare proxy to the same instance: requests a second, and what one request costs more. */
export async function gatewayBesideProxy({ quick }: BenchOptions): Promise<Figure[]> {
  const folder = scratch()
  const [port, gatewayPort, proxyPort] = [await freePort(), await freePort(), await freePort()]
  const environment = environmentOf(port, folder, { CAPSTAN_GATEWAY_PORT: String(gatewayPort), CAPSTAN_UNSANDBOXED: 'allow' })
  const server = await start(fromSource, { port, folder, path: '/readyz', environment })
  const token = await signIn(port)
  const headers = { authorization: `Bearer ${token}` }
  await pushRepository({ port, token, folder }, 'bench', { 'web/manifest.json': {}, 'web/code/server.js': program })
  const deploy = (name: string, published: object) =>
    call(port, 'task.deploy', { repository: 'bench', directory: 'web', namespace: 'bench', configuration: service(name, published) }, token)
  try {
    await deploy('open', { bypass_auth: true })
    await deploy('closed', {})
    await served(`http://127.0.0.1:${gatewayPort}/open/`, headers)
    await served(`http://127.0.0.1:${gatewayPort}/closed/`, headers)
    const target = await portOf(port, 'open')
    const proxy = await start([join(root, 'bench/support/floor.ts'), 'proxy', String(proxyPort), String(target)], {
      port: proxyPort,
      folder,
      path: '/',
    })
    try {
      return await measure({ gatewayPort, proxyPort, headers }, { seconds: quick ? 2 : 5, turns: quick ? 1 : 3 })
    } finally {
      await proxy.stop()
    }
  } finally {
    // Instances outlive a server: they have to be gone before it is.
    await removeServices(port, token).finally(() => server.stop())
    remove(folder)
  }
}

async function removeServices(port: number, token: string): Promise<void> {
  for (const name of ['open', 'closed']) await call(port, 'task.delete', { namespace: 'bench', name, type: 'service' }, token)
  for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const active = [...text.matchAll(/capstan_runs\{[^}]*kind="replica"[^}]*state="(?:queued|starting|running)"[^}]*\} (\d+)/g)]
    if (active.every(([, count]) => count === '0')) return
  }
  throw new Error('The instances did not end')
}

type Ways = { readonly gatewayPort: number; readonly proxyPort: number; readonly headers: Readonly<Record<string, string>> }

async function measure({ gatewayPort, proxyPort, headers }: Ways, { seconds, turns }: { seconds: number; turns: number }): Promise<Figure[]> {
  const ways = {
    proxy: { port: proxyPort, path: '/', headers: {} },
    open: { port: gatewayPort, path: '/open/', headers: {} },
    closed: { port: gatewayPort, path: '/closed/', headers },
  }
  const one = async (way: keyof typeof ways, clients: number) => {
    const result = await load({ ...ways[way], clients, seconds, warmSeconds: 1, method: 'GET', body: '' })
    if (result.refused > 0) throw new Error(`${result.refused} requests were refused`)
    return result
  }
  const rates = { proxy: [] as number[], open: [] as number[], closed: [] as number[] }
  const times = { proxy: [] as number[], open: [] as number[], closed: [] as number[] }
  for (let turn = 0; turn < turns; turn++) {
    for (const way of ['proxy', 'open', 'closed'] as const) {
      rates[way].push((await one(way, 32)).rate)
      times[way].push((await one(way, 1)).p50)
    }
  }
  const rate = (what: string, way: 'open' | 'closed'): Figure => {
    const [a, b] = [median(rates[way]), median(rates.proxy)]
    return { what, ours: `${a.toFixed(0)}/s`, floor: `${b.toFixed(0)}/s`, ratio: (a / b).toFixed(2), bar: '≥ 0.5', held: a / b >= 0.5 }
  }
  const added = (what: string, way: 'open' | 'closed'): Figure => {
    const [a, b] = [median(times[way]), median(times.proxy)]
    const more = `+${(a - b).toFixed(2)} ms`
    return { what, ours: `${a.toFixed(2)} ms`, floor: `${b.toFixed(2)} ms`, ratio: more, bar: '≤ +1 ms', held: a - b <= 1 }
  }
  return [
    rate('gateway, open service', 'open'),
    rate('gateway, visitor known by a token', 'closed'),
    added('gateway, open service, p50', 'open'),
    added('gateway, visitor known, p50', 'closed'),
  ]
}

async function served(url: string, headers: Readonly<Record<string, string>>): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100))) {
    if ((await fetch(url, { headers })).ok) return
  }
  throw new Error(`${url} is not served`)
}

async function portOf(port: number, service: string): Promise<number> {
  const answer = (await (await fetch(`http://127.0.0.1:${port}/v1/list/tasks/bench`)).json()) as {
    services: { name: string; internal_url: string }[]
  }
  const url = answer.services.find(({ name }) => name === service)?.internal_url
  if (!url) throw new Error(`The service ${service} has no instance`)
  return Number(new URL(url).port)
}
