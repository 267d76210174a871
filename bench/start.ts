import { join } from 'node:path'
import { median } from './support/load.ts'
import { built, call, environmentOf, freePort, remove, resident, root, scratch, signIn, start } from './support/servers.ts'
import type { BenchOptions, Figure } from './run.ts'

/** Start to first answer with the data folder initialised, and memory at rest after 100 sign-ins, against a bare node:http server. */
export async function startAndMemory({ quick }: BenchOptions): Promise<Figure[]> {
  const folder = scratch()
  const port = await freePort()
  const environment = environmentOf(port, folder)
  const ours: number[] = []
  const bare: number[] = []
  await (await start(built, { port, folder, path: '/healthz', environment })).stop()
  for (let turn = 0; turn < (quick ? 5 : 9); turn++) {
    bare.push(await timed([join(root, 'bench/support/floor.ts'), 'http', String(port)], { port, folder, path: '/' }))
    ours.push(await timed(built, { port, folder, path: '/healthz', environment }))
  }
  const server = await start(built, { port, folder, path: '/readyz', environment })
  const floor = await start([join(root, 'bench/support/floor.ts'), 'http', String(port + 1)], { port: port + 1, folder, path: '/' })
  for (let turn = 0; turn < 100; turn++) await signIn(port)
  await call(port, 'user.list', {}, await signIn(port))
  await new Promise((resolve) => setTimeout(resolve, 3000))
  const memory = resident(server.child.pid ?? 0)
  const least = resident(floor.child.pid ?? 0)
  await server.stop()
  await floor.stop()
  remove(folder)
  const [a, b] = [median(ours), median(bare)]
  return [
    {
      what: 'start to first answer',
      ours: `${a.toFixed(0)} ms`,
      floor: `${b.toFixed(0)} ms`,
      ratio: (a / b).toFixed(1),
      bar: '< 8, < 1 s',
      held: a < 8 * b && a < 1000,
    },
    {
      what: 'memory after 100 sign-ins',
      ours: `${memory.toFixed(0)} MiB`,
      floor: `${least.toFixed(0)} MiB`,
      ratio: (memory / least).toFixed(1),
      bar: '< 128 MiB',
      held: memory < 128,
    },
  ]
}

async function timed(args: readonly string[], options: Parameters<typeof start>[1]): Promise<number> {
  const began = performance.now()
  const running = await start(args, options)
  const took = performance.now() - began
  await running.stop()
  return took
}
