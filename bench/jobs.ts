import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { median } from './support/load.ts'
import { pushRepository } from './support/repository.ts'
import { environmentOf, freePort, fromSource, remove, root, scratch, signIn, start } from './support/servers.ts'
import type { BenchOptions, Figure } from './run.ts'

type Server = { readonly port: number; readonly token: string; readonly folder: string }

const tasks = 500
const jobMs = 100
const slots = 100

/** A pipeline of 500 no-op tasks by the Deploy API, 32 at once, beside the same supervised starts by the runtime alone. */
export async function wideOfProcesses({ quick }: BenchOptions): Promise<Figure[]> {
  const parallel = 32
  const [ours, floor]: [number[], number[]] = [[], []]
  await withServer({}, async (server) => {
    const noop = { type: 'job', name: 'noop', cmd: ['/bin/true'] }
    const wide = Array.from({ length: tasks }, (_, n) => ({ name: `s${n}`, namespacetask: 'bench/noop', dependance: [] }))
    await pushRepository(server, 'bench', { 'noop/manifest.json': noop, 'wide/pipeline.json': { name: 'wide', tasks: wide } })
    for (let turn = 0; turn < (quick ? 1 : 3); turn++) {
      floor.push(await supervised(tasks, parallel, ['/bin/true']))
      ours.push(await timeOf(() => pipeline(server, `wide-${turn}`)))
    }
  })
  return [compared(`pipeline of ${tasks} no-op tasks, ${parallel} at once`, median(ours), median(floor), 1.15)]
}

/** 500 jobs of 100 ms on 100 slots, from the first deploy to the last end: as processes beside supervised and bare ones, and on the `fake` runtime. */
export async function jobsOnSlots({ quick }: BenchOptions): Promise<Figure[]> {
  const [ours, supervisedMs, bare, fake]: [number[], number[], number[], number[]] = [[], [], [], []]
  const limits = { CAPSTAN_LIMITS_RUNNING_PER_TARGET: String(slots), CAPSTAN_LIMITS_RUNNING_PER_NAMESPACE: String(slots) }
  for (let turn = 0; turn < (quick ? 1 : 3); turn++) {
    bare.push(await timeOf(() => inParallel(tasks, slots, () => bareStart('sleep', '0.1'))))
    supervisedMs.push(await supervised(tasks, slots, ['sleep', '0.1']))
    ours.push(await deployed(limits))
    fake.push(await deployed({ ...limits, CAPSTAN_RUNTIME_DEFAULT: 'fake', BENCH_FAKE_MS: String(jobMs) }))
  }
  const ideal = (tasks / slots) * jobMs
  const [a, b, c, d] = [median(ours), median(supervisedMs), median(bare), median(fake)]
  return [
    share(`${tasks} jobs of ${jobMs} ms on ${slots} slots, beside supervised starts`, a, b, 0.95),
    share('the same beside bare starts', a, c, null),
    share('the same on the fake runtime, beside no cost at all', d, ideal, null),
  ]
}

function compared(what: string, ours: number, floor: number, most: number): Figure {
  const ratio = ours / floor
  return { what, ours: `${ours.toFixed(0)} ms`, floor: `${floor.toFixed(0)} ms`, ratio: ratio.toFixed(2), bar: `≤ ${most}`, held: ratio <= most }
}

function share(what: string, ours: number, floor: number, least: number | null): Figure {
  const used = floor / ours
  const bar = least === null ? '' : `≥ ${least * 100} %`
  const held = least === null ? null : used >= least
  return { what, ours: `${ours.toFixed(0)} ms`, floor: `${floor.toFixed(0)} ms`, ratio: `${(used * 100).toFixed(0)} %`, bar, held }
}

async function deployed(environment: Readonly<Record<string, string>>): Promise<number> {
  return withServer(environment, async (server) => {
    const manifest = { type: 'job', name: 'short', cmd: ['sleep', '0.1'] }
    await pushRepository(server, 'bench', { 'short/manifest.json': manifest })
    await get(server, '/v1/task/deployas/bench/short/warm')
    await ended(server, 1)
    const began = Date.now()
    let next = 0
    await inParallel(tasks, 32, () => get(server, `/v1/task/deployas/bench/short/j-${next++}`))
    return (await ended(server, tasks + 1)) - began
  })
}

/** When the last of so many jobs had ended. Asked rarely: each look reads all of them. */
async function ended(server: Server, count: number): Promise<number> {
  for (;;) {
    const { items, next } = await page(server)
    if (next !== null) throw new Error('The jobs do not fit in one page')
    if (items.length === count && items.every(({ finished_at }) => finished_at !== null)) {
      if (items.some(({ state }) => state !== 'succeeded')) throw new Error('A job failed')
      return Math.max(...items.map(({ finished_at }) => Date.parse(finished_at ?? '')))
    }
    await pause(250)
  }
}

type Run = { readonly state: string; readonly finished_at: string | null }

async function page({ port, token }: Server): Promise<{ items: Run[]; next: string | null }> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ namespace: 'bench', limit: 1000 })
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/task.list`, { method: 'POST', headers, body })
  if (!answer.ok) throw new Error(`task.list: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as { items: Run[]; next: string | null }
}

async function supervised(count: number, parallel: number, command: readonly string[]): Promise<number> {
  const args = [join(root, 'bench/support/starts.ts'), String(count), String(parallel), ...command]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return Number(stdout)
}

async function inParallel(count: number, parallel: number, work: () => Promise<unknown>): Promise<void> {
  let begun = 0
  const client = async () => {
    while (begun++ < count) await work()
  }
  await Promise.all(Array.from({ length: parallel }, client))
}

function bareStart(program: string, ...args: string[]): Promise<void> {
  return new Promise((resolve, reject) =>
    spawn(program, args, { stdio: 'ignore' })
      .once('error', reject)
      .once('exit', () => resolve()),
  )
}

async function pipeline(server: Server, name: string): Promise<void> {
  const { id } = JSON.parse(await get(server, `/v1/pipeline/runas/bench/wide/${name}`)) as { id: string }
  for (;;) {
    const { state } = JSON.parse(await get(server, `/v1/pipeline/state/bench/${id}`)) as { state: string }
    if (state === 'succeeded') return
    if (state !== 'running' && state !== 'pending') throw new Error(`The pipeline ended as ${state}`)
    await pause(50)
  }
}

async function get({ port, token }: Server, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${token}` } })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
  return text
}

async function withServer<T>(environment: Readonly<Record<string, string>>, measure: (server: Server) => Promise<T>): Promise<T> {
  const folder = scratch()
  const port = await freePort()
  const options = { port, folder, path: '/readyz', environment: environmentOf(port, folder, environment) }
  const server = await start(fromSource, options)
  try {
    return await measure({ port, folder, token: await signIn(port) })
  } finally {
    await server.stop()
    remove(folder)
  }
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
