import { join } from 'node:path'
import { load, median } from './support/load.ts'
import { admin, built, call, environmentOf, freePort, remove, root, scratch, signIn, start } from './support/servers.ts'
import type { Figure } from './run.ts'

/** An authenticated read of one indexed row through the native API, against a bare fastify route that gives the same JSON. */
export async function readOneRow(): Promise<Figure[]> {
  const folder = scratch()
  const port = await freePort()
  const ours = await start(built, { port, folder, path: '/readyz', environment: environmentOf(port, folder) })
  const token = await signIn(port)
  const user = await call(port, 'user.get', { user: admin.name }, token)
  const barePort = await freePort()
  const bare = await start([join(root, 'bench/support/floor.ts'), 'read', String(barePort), JSON.stringify(user)], {
    port: barePort,
    folder,
    path: '/',
  })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
  const body = JSON.stringify({ user: admin.name })
  const rates: [number[], number[]] = [[], []]
  for (let turn = 0; turn < 3; turn++) {
    const common = { clients: 16, seconds: 3, warmSeconds: 0.5, method: 'POST', headers, body }
    rates[0].push((await load({ ...common, port, path: '/api/v1/user.get' })).rate)
    rates[1].push((await load({ ...common, port: barePort, path: '/read' })).rate)
  }
  await ours.stop()
  await bare.stop()
  remove(folder)
  const [a, b] = [median(rates[0]), median(rates[1])]
  return [
    {
      what: 'authenticated read of one row',
      ours: `${a.toFixed(0)}/s`,
      floor: `${b.toFixed(0)}/s`,
      ratio: (a / b).toFixed(2),
      bar: '≥ 0.6',
      held: a / b >= 0.6,
    },
  ]
}
