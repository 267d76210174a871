import { at, load } from './support/load.ts'
import { admin, built, call, environmentOf, freePort, remove, scratch, signIn, start } from './support/servers.ts'
import type { BenchOptions, Figure } from './run.ts'

const repositories = 1000
const groups = 200
const userGroups = 20
const mostMs = 25
const leastRate = 1000

type Key = { readonly port: number; readonly key: string }

/** Kallithea's calls over 1,000 repositories in 200 groups, as an ordinary user who sees a part of them: the time of one, and how many there are in a second. */
export async function kallitheaCalls({ quick }: BenchOptions): Promise<Figure[]> {
  const folder = scratch()
  const port = await freePort()
  const ours = await start(built, { port, folder, path: '/readyz', environment: environmentOf(port, folder) })
  try {
    const token = await signIn(port)
    await fill(port, token)
    const [root, ann] = [await keyOf(port, token, admin.name), await keyOf(port, token, 'ann')]
    const times = quick ? 50 : 200
    const figures: Figure[] = []
    for (const [method, who] of [
      ['get_repos', ann],
      ['get_user', ann],
      ['get_user_groups', ann],
      ['get_users', root],
      ['get_repo_groups', root],
    ] as const) {
      const p95 = await timeOf({ port, key: who }, method, times)
      figures.push({
        what: `Kallithea ${method}, ${repositories} repositories, p95`,
        ours: `${p95.toFixed(1)} ms`,
        floor: '',
        ratio: '',
        bar: `< ${mostMs} ms`,
        held: p95 < mostMs,
      })
    }
    const common = { port, clients: 16, seconds: quick ? 2 : 5, warmSeconds: 1, method: 'POST', path: '/_admin/api', headers: {} }
    for (const [method, args] of [
      ['get_ip', {}],
      ['get_repo', { repoid: 1 }],
    ] as const) {
      const { rate, refused } = await load({ ...common, body: bodyOf(root, method, args) })
      if (refused > 0) throw new Error(`${refused} calls of ${method} were refused`)
      figures.push({
        what: `Kallithea ${method}, 16 clients`,
        ours: `${rate.toFixed(0)}/s`,
        floor: '',
        ratio: '',
        bar: `≥ ${leastRate}/s`,
        held: rate >= leastRate,
      })
    }
    return figures
  } finally {
    await ours.stop()
    remove(folder)
  }
}

async function fill(port: number, token: string): Promise<void> {
  const make = (operation: string, input: object) => call(port, operation, input, token)
  await make('user.create', { name: 'ann' })
  for (let n = 0; n < userGroups; n++) {
    await make('group.create', { name: `team${n}` })
    if (n % 2 === 0) await make('group.add-member', { group: `team${n}`, user: 'ann' })
  }
  for (let n = 0; n < groups; n++) await make('repository-group.create', { path: `group${n}` })
  for (let n = 0; n < repositories; n++) {
    const path = `group${n % groups}/repository${n}`
    await make('repository.create', { path, private: n % 3 === 0 })
    await make('grant.set', { on: `repository:${path}`, to: `group:team${n % userGroups}`, level: n % 2 === 0 ? 'read' : 'write' })
  }
}

async function keyOf(port: number, token: string, user: string): Promise<string> {
  const { secret } = (await call(port, 'api-key.create', { label: 'bench', user }, token)) as { secret: string } // what the operation gives
  return secret
}

function bodyOf(key: string, method: string, args: object): string {
  return JSON.stringify({ id: 1, api_key: key, method, args })
}

async function timeOf({ port, key }: Key, method: string, times: number): Promise<number> {
  const took: number[] = []
  const body = bodyOf(key, method, {})
  for (let n = 0; n < times + 20; n++) {
    const began = performance.now()
    const answer = await fetch(`http://127.0.0.1:${port}/_admin/api`, { method: 'POST', body })
    const { error } = (await answer.json()) as { error: string | null } // what every answer of this API has
    if (error !== null) throw new Error(`${method}: ${error}`)
    if (n >= 20) took.push(performance.now() - began)
  }
  took.sort((a, b) => a - b)
  return at(took, 0.95)
}
