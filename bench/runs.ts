import { join } from 'node:path'
import { load, median } from './support/load.ts'
import { environmentOf, freePort, fromSource, remove, root, scratch, signIn, start } from './support/servers.ts'
import type { BenchOptions, Figure } from './run.ts'
import type { Running } from './support/servers.ts'

const clients = 32

/** Three-step durable runs: accepted per second and run to the end, 32 clients over HTTP, against the bare group-commit loop. */
export async function threeStepRuns({ quick }: BenchOptions): Promise<Figure[]> {
  const seconds = quick ? 3 : 8
  const turns = quick ? 2 : 3
  const results: { accepted: number[]; finished: number[]; floorAccepted: number[]; floorFinished: number[]; p99: number[] } = {
    accepted: [],
    finished: [],
    floorAccepted: [],
    floorFinished: [],
    p99: [],
  }
  for (let turn = 0; turn < turns; turn++) {
    const floor = await startFloor()
    const bare = await drive(floor, seconds, { method: 'POST', path: '/runs', headers: { 'content-type': 'application/json' } }, finishedByFloor)
    results.floorAccepted.push(bare.accepted)
    results.floorFinished.push(bare.finished)
    await floor.stop()
    remove(floor.folder)
    const ours = await startOurs()
    const token = await signIn(ours.port)
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
    const run = await drive(ours, seconds, { method: 'POST', path: '/api/v1/bench.start', headers }, finishedByOurs)
    results.accepted.push(run.accepted)
    results.finished.push(run.finished)
    results.p99.push(run.p99)
    await ours.stop()
    remove(ours.folder)
  }
  const [accepted, finished] = [median(results.accepted), median(results.finished)]
  const [floorAccepted, floorFinished] = [median(results.floorAccepted), median(results.floorFinished)]
  const row = (what: string, a: number, b: number, bar: number | null): Figure => ({
    what,
    ours: `${a.toFixed(0)}/s`,
    floor: `${b.toFixed(0)}/s`,
    ratio: (a / b).toFixed(2),
    bar: bar === null ? '' : `≥ ${bar}`,
    held: bar === null ? null : a / b >= bar,
  })
  return [
    row('three-step runs accepted (SQLite)', accepted, floorAccepted, null),
    row('three-step runs finished (SQLite)', finished, floorFinished, 0.7),
    { what: 'accepting one, p99', ours: `${median(results.p99).toFixed(0)} ms`, floor: '', ratio: '', bar: '', held: null },
  ]
}

type Request = { readonly method: string; readonly path: string; readonly headers: Readonly<Record<string, string>> }

async function drive(server: Running, seconds: number, request: Request, finished: (server: Running) => Promise<number>) {
  const before = await finished(server)
  const began = performance.now()
  const result = await load({ port: server.port, clients, seconds, warmSeconds: 1, ...request, body: '{"name":"run-{n}","steps":3}' })
  const took = (performance.now() - began) / 1000
  return { accepted: result.rate, p99: result.p99, finished: ((await finished(server)) - before) / took }
}

async function startFloor(): Promise<Running> {
  const folder = scratch()
  const port = await freePort()
  return start([join(root, 'bench/support/floor.ts'), 'runs', String(port), join(folder, 'floor.db')], { port, folder, path: '/finished' })
}

async function startOurs(): Promise<Running> {
  const folder = scratch()
  const port = await freePort()
  const environment = environmentOf(port, folder)
  return start(fromSource, { port, folder, path: '/readyz', environment })
}

async function finishedByFloor(server: Running): Promise<number> {
  return Number(await (await fetch(`http://127.0.0.1:${server.port}/finished`)).text())
}

async function finishedByOurs(server: Running): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text()
  return Number(/capstan_runs\{[^}]*kind="bench"[^}]*state="succeeded"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0)
}
