import { call, environmentOf, freePort, fromSource, remove, scratch, signIn, start } from './support/servers.ts'
import type { Figure } from './run.ts'

const jobs = 1000

/** kill -9 of a server with 1,000 running jobs: how long until it serves again, and what was lost or doubled. */
export async function restartWithRunning(): Promise<Figure[]> {
  const folder = scratch()
  const port = await freePort()
  const environment = environmentOf(port, folder)
  let server = await start(fromSource, { port, folder, path: '/readyz', environment })
  const token = await signIn(port)
  for (let at = 0; at < jobs; at += 20) {
    const input = (n: number) => ({ name: `job-${n}`, steps: 1, runtime: 'process', script: 'sleep 45' })
    await Promise.all(Array.from({ length: 20 }, (_, n) => call(port, 'bench.start', input(at + n), token)))
  }
  await until(async () => (await count(port, 'running')) === jobs)
  await server.stop('SIGKILL')
  const began = performance.now()
  server = await start(fromSource, { port, folder, path: '/readyz', environment })
  const took = performance.now() - began
  await until(async () => (await count(port, 'running')) + (await count(port, 'succeeded')) + (await count(port, 'lost')) >= jobs)
  await until(async () => (await count(port, 'running')) === 0)
  const kept = await count(port, 'succeeded')
  await server.stop()
  remove(folder)
  return [
    {
      what: `restart with ${jobs} running jobs`,
      ours: `${took.toFixed(0)} ms, ${jobs - kept} lost`,
      floor: '',
      ratio: '',
      bar: '< 3 s, 0 lost',
      held: took < 3000 && kept === jobs,
    },
  ]
}

async function count(port: number, state: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return Number(new RegExp(`capstan_runs\\{[^}]*kind="bench"[^}]*state="${state}"[^}]*\\} (\\d+)`).exec(text)?.[1] ?? 0)
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 240_000; Date.now() < end; ) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('It took too long')
}
