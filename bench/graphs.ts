import { spawn } from 'node:child_process'
import { median } from './support/load.ts'
import { call, environmentOf, freePort, fromSource, remove, scratch, signIn, start } from './support/servers.ts'
import type { Figure } from './run.ts'

type Run = { readonly state: string; readonly created_at: string; readonly finished_at: string | null }

/** A chain of 40 no-op process steps against 40 bare process starts one after the other. */
export async function chainOfProcesses(): Promise<Figure[]> {
  return withServer(async (port, token) => {
    const ours: number[] = []
    const bare: number[] = []
    for (let turn = 0; turn < 5; turn++) {
      bare.push(
        await timeOf(async () => {
          for (let at = 0; at < 40; at++) await bareStart()
        }),
      )
      ours.push(await timeOf(() => carryOut(port, token, { name: `chain-${turn}`, steps: 40, runtime: 'process' })))
    }
    const [a, b] = [median(ours), median(bare)]
    return [
      {
        what: 'chain of 40 process steps',
        ours: `${a.toFixed(0)} ms`,
        floor: `${b.toFixed(0)} ms`,
        ratio: `+${(a - b).toFixed(0)} ms`,
        bar: '≤ +400 ms',
        held: a - b <= 400,
      },
    ]
  })
}

/** A graph of 1,000 no-op nodes, 32 at once, on the fake runtime: what the orchestration of a node costs. */
export async function graphOfNodes(): Promise<Figure[]> {
  return withServer(async (port, token) => {
    const times: number[] = []
    for (let turn = 0; turn < 5; turn++) times.push(await timeOf(() => carryOut(port, token, { name: `graph-${turn}`, steps: 1000, width: 32 })))
    const each = median(times) / 1000
    return [{ what: '1,000-node graph, 32 parallel', ours: `${each.toFixed(2)} ms a node`, floor: '', ratio: '', bar: '≤ 3 ms', held: each <= 3 }]
  })
}

async function withServer(measure: (port: number, token: string) => Promise<Figure[]>): Promise<Figure[]> {
  const folder = scratch()
  const port = await freePort()
  const server = await start(fromSource, { port, folder, path: '/readyz', environment: environmentOf(port, folder) })
  try {
    return await measure(port, await signIn(port))
  } finally {
    await server.stop()
    remove(folder)
  }
}

async function carryOut(port: number, token: string, input: object): Promise<void> {
  const { id } = await call<{ id: string }>(port, 'bench.start', input, token)
  for (;;) {
    const run = await call<Run>(port, 'run.get', { run: id }, token)
    if (run.state === 'succeeded') return
    if (run.finished_at !== null) throw new Error(`The run ended as ${run.state}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function bareStart(): Promise<void> {
  return new Promise((resolve, reject) =>
    spawn('/bin/sh', ['-c', 'exit 0'], { stdio: 'ignore' })
      .once('error', reject)
      .once('exit', () => resolve()),
  )
}

async function timeOf(work: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}
