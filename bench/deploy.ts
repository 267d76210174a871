import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { at, load, median } from './support/load.ts'
import { pushRepository } from './support/repository.ts'
import { call, environmentOf, freePort, fromSource, remove, root, scratch, signIn, start } from './support/servers.ts'
import type { BenchOptions, Figure } from './run.ts'
import type { Running } from './support/servers.ts'

type Server = Running & { readonly token: string; readonly headers: Readonly<Record<string, string>> }

const clients = 32
const raised = {
  CAPSTAN_RUNTIME_DEFAULT: 'fake',
  CAPSTAN_LIMITS_RUNNING_PER_NAMESPACE: '100000',
  CAPSTAN_LIMITS_QUEUED_PER_NAMESPACE: '1000000',
  CAPSTAN_LIMITS_RUNNING_PER_TARGET: '100000',
}
const noop = { type: 'job', name: 'noop', cmd: ['/bin/true'] }
const deployPath = '/v1/task/deployas/bench/noop/n-{n}'

/** Deploys from a warm repository of this server: the time of one at 50/s, and how many are accepted with 32 clients beside the bare group-commit loop. */
export async function acceptDeploys({ quick }: BenchOptions): Promise<Figure[]> {
  const seconds = quick ? 3 : 8
  const turns = quick ? 1 : 3
  const [ours, floor, p50, p99]: [number[], number[], number[], number[]] = [[], [], [], []]
  for (let turn = 0; turn < turns; turn++) {
    floor.push(await bareRate(seconds))
    await withServer(raised, async (server) => {
      await pushRepository(server, 'bench', { 'noop/manifest.json': noop, 'noop/code/run.sh': 'true\n' })
      const { port, headers } = server
      const common = { port, method: 'GET', path: deployPath, headers, body: '' }
      const times = await paced(server, { perSecond: 50, seconds, warmSeconds: 2 })
      p50.push(at(times, 0.5))
      p99.push(at(times, 0.99))
      const result = await load({ ...common, clients, seconds, warmSeconds: 1 })
      if (result.refused > 0) throw new Error(`${result.refused} deploys were refused`)
      ours.push(result.rate)
    })
  }
  const [a, b, fast, slow] = [median(ours), median(floor), median(p50), median(p99)]
  return [
    { what: 'accepting a deploy at 50/s, p50', ours: `${fast.toFixed(1)} ms`, floor: '', ratio: '', bar: '≤ 15 ms', held: fast <= 15 },
    { what: 'accepting a deploy at 50/s, p99', ours: `${slow.toFixed(1)} ms`, floor: '', ratio: '', bar: '≤ 60 ms', held: slow <= 60 },
    {
      what: 'deploys accepted, 32 clients',
      ours: `${a.toFixed(0)}/s`,
      floor: `${b.toFixed(0)}/s`,
      ratio: (a / b).toFixed(2),
      bar: '≥ 0.5',
      held: a / b >= 0.5,
    },
  ]
}

/** A pipeline of 40 no-ops one after the other on the process runtime, against 40 bare process starts. */
export async function pipelineOfProcesses(): Promise<Figure[]> {
  const steps = 40
  const tasks = Array.from({ length: steps }, (_, n) => ({
    name: `s${n}`,
    namespacetask: 'bench/noop',
    dependance: n === 0 ? [] : [`s${n - 1}`],
  }))
  const [ours, bare]: [number[], number[]] = [[], []]
  await withServer({}, async (server) => {
    await pushRepository(server, 'bench', { 'noop/manifest.json': noop, 'chain/pipeline.json': { name: 'chain', tasks } })
    for (let turn = 0; turn < 5; turn++) {
      bare.push(
        await timeOf(async () => {
          for (let n = 0; n < steps; n++) await bareStart()
        }),
      )
      ours.push(await timeOf(() => pipeline(server, `chain-${turn}`)))
    }
  })
  const [a, b] = [median(ours), median(bare)]
  return [
    {
      what: `pipeline of ${steps} no-op tasks`,
      ours: `${a.toFixed(0)} ms`,
      floor: `${b.toFixed(0)} ms`,
      ratio: `+${(a - b).toFixed(0)} ms`,
      bar: '≤ +400 ms',
      held: a - b <= 400,
    },
  ]
}

/** 10,000 jobs: all of them by the Deploy API, a page of them natively, and how long the event loop stood still meanwhile. */
export async function listOfJobs(): Promise<Figure[]> {
  const jobs = 10_000
  return withServer(raised, async (server) => {
    const { port, token } = server
    await pushRepository(server, 'bench', { 'noop/manifest.json': noop })
    let made = 0
    const maker = async () => {
      while (made < jobs) await get(server, deployPath.replace('{n}', String(made++)))
    }
    await Promise.all(Array.from({ length: clients }, maker))
    await pause(2)
    const { jobs: listed } = JSON.parse(await get(server, '/v1/list/tasks')) as { jobs: unknown[] }
    if (listed.length !== jobs) throw new Error(`${listed.length} of ${jobs} jobs are listed`)
    const page = await listTimes(server, 100, () => call(port, 'task.list', { namespace: 'bench' }, token))
    const whole = await listTimes(server, 20, () => get(server, '/v1/list/tasks'))
    return [
      figureOfList('a page of 50 of 10,000 jobs, p95', page.p95),
      figureOfList('all 10,000 jobs in one list, p95', whole.p95),
      figureOfList('longest stall, pages', page.stall),
      figureOfList('longest stall, whole lists', whole.stall),
    ]
  })
}

function figureOfList(what: string, ms: number): Figure {
  return { what, ours: `${ms.toFixed(1)} ms`, floor: '', ratio: '', bar: '< 50 ms', held: ms < 50 }
}

async function listTimes({ port, token }: Server, times: number, list: () => Promise<unknown>) {
  await list()
  await call(port, 'bench.stall', {}, token)
  const took: number[] = []
  for (let turn = 0; turn < times; turn++) took.push(await timeOf(list))
  const { ms: stall } = await call<{ ms: number }>(port, 'bench.stall', {}, token)
  return { p95: at(took.toSorted(ascending), 0.95), stall }
}

/** What a server with 1,000 cron jobs uses while none is due, against the same server with none. */
export async function idleWithCronJobs({ quick }: BenchOptions): Promise<Figure[]> {
  const jobs = 1000
  const seconds = quick ? 5 : 20
  return withServer(raised, async (server) => {
    const configuration = (n: number) => ({ ...noop, name: `cron-${n}`, schedule: `${n % 60} ${Math.floor(n / 60) % 24} 29 2 *` })
    await pause(3)
    const without = await busyShare(server, seconds)
    for (let n = 0; n < jobs; n += clients) {
      const some = Array.from({ length: Math.min(clients, jobs - n) }, (_, more) => configuration(n + more))
      await Promise.all(some.map((one) => call(server.port, 'task.deploy', { namespace: 'bench', configuration: one }, server.token)))
    }
    await pause(3)
    const share = await busyShare(server, seconds)
    return [
      {
        what: `idle CPU with ${jobs.toLocaleString('en')} cron jobs`,
        ours: `${(share * 100).toFixed(2)} %`,
        floor: `${(without * 100).toFixed(2)} %`,
        ratio: '',
        bar: '< 1 %',
        held: share < 0.01,
      },
    ]
  })
}

/** Share of one core that a server used, in the time from now. Linux counts in hundredths of a second. */
async function busyShare({ child }: Running, seconds: number): Promise<number> {
  const used = () => {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / 100
  }
  const [before, began] = [used(), performance.now()]
  await pause(seconds)
  return (used() - before) / ((performance.now() - began) / 1000)
}

async function withServer<T>(environment: Readonly<Record<string, string>>, measure: (server: Server) => Promise<T>): Promise<T> {
  const folder = scratch()
  const port = await freePort()
  const options = { port, folder, path: '/readyz', environment: environmentOf(port, folder, environment) }
  const server = await start(fromSource, options)
  try {
    const token = await signIn(port)
    return await measure({ ...server, token, headers: { authorization: `Bearer ${token}` } })
  } finally {
    await server.stop()
    remove(folder)
  }
}

async function bareRate(seconds: number): Promise<number> {
  const folder = scratch()
  const port = await freePort()
  const floor = await start([join(root, 'bench/support/floor.ts'), 'runs', String(port), join(folder, 'floor.db')], {
    port,
    folder,
    path: '/finished',
  })
  const headers = { 'content-type': 'application/json' }
  const { rate } = await load({ port, clients, seconds, warmSeconds: 1, method: 'POST', path: '/runs', headers, body: '{"name":"run-{n}"}' })
  await floor.stop()
  remove(folder)
  return rate
}

/** Deploys so many a second, whether the ones before were answered or not. Gives the times of all after the warm-up, in ms, in order. */
async function paced(server: Server, { perSecond, seconds, warmSeconds }: { perSecond: number; seconds: number; warmSeconds: number }) {
  const times: number[] = []
  const under: Promise<void>[] = []
  const began = performance.now()
  for (let n = 0; n < perSecond * (warmSeconds + seconds); n++) {
    const due = began + (n * 1000) / perSecond
    await pause((due - performance.now()) / 1000)
    const sent = performance.now()
    const path = deployPath.replace('{n}', `p-${n}`)
    under.push(
      get(server, path).then(() => {
        if (n >= perSecond * warmSeconds) times.push(performance.now() - sent)
      }),
    )
  }
  await Promise.all(under)
  return times.sort(ascending)
}

async function pipeline(server: Server, name: string): Promise<void> {
  const { id } = JSON.parse(await get(server, `/v1/pipeline/runas/bench/chain/${name}`)) as { id: string }
  for (;;) {
    const { state } = JSON.parse(await get(server, `/v1/pipeline/state/bench/${id}`)) as { state: string }
    if (state === 'succeeded') return
    if (state !== 'running' && state !== 'pending') throw new Error(`The pipeline ended as ${state}`)
    await pause(0.005)
  }
}

async function get({ port, headers }: Server, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
  return text
}

function bareStart(): Promise<void> {
  return new Promise((resolve, reject) =>
    spawn('/bin/true', { stdio: 'ignore' })
      .once('error', reject)
      .once('exit', () => resolve()),
  )
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, seconds) * 1000))
}

function ascending(a: number, b: number): number {
  return a - b
}
