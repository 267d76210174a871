import { spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { at } from './support/load.ts'
import { bulkOf, historyOf } from './support/histories.ts'
import { admin, built, call, environmentOf, freePort, remove, resident, scratch, signIn, start } from './support/servers.ts'
import type { Kind } from './support/histories.ts'
import type { BenchOptions, Figure } from './run.ts'

const mostMiB = 150
const mostFirstMs = 1000
const mostCallMs = 120

type Lab = { readonly port: number; readonly folder: string; readonly token: string; readonly key: string; readonly pid: number }
type Took = { readonly ms: number; readonly mib: number }

/** A repository of 50,000 commits and one of 1 GiB, for git and for Mercurial: how long each exchange takes, when it begins to answer, and how much memory it takes. */
export async function largeRepositories({ quick }: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const kind of existsSync('/usr/bin/hg') ? (['git', 'hg'] as const) : (['git'] as const)) {
    for (const [what, source] of [
      [`${quick ? '2,000' : '50,000'} commits`, historyOf(kind, quick ? 2000 : 50_000)],
      [quick ? '64 MiB' : '1 GiB', bulkOf(kind, quick ? 64 : 1024)],
    ] as const) {
      const folder = scratch()
      const port = await freePort()
      const server = await start(built, { port, folder, path: '/readyz', environment: environmentOf(port, folder) })
      try {
        const token = await signIn(port)
        const { secret } = await call<{ secret: string }>(port, 'api-key.create', { label: 'bench', user: admin.name }, token)
        const lab = { port, folder, token, key: secret, pid: server.child.pid ?? 0 }
        figures.push(...(await exchanges(lab, kind, { what: `${kind}, ${what}`, source })))
      } finally {
        await server.stop()
        remove(folder)
      }
    }
  }
  return figures
}

async function exchanges(lab: Lab, kind: Kind, { what, source }: { what: string; source: string }): Promise<Figure[]> {
  const { serial } = await call<{ serial: number }>(lab.port, 'repository.create', { path: 'large', kind, downloads: true }, lab.token)
  const remote = `http://${admin.name}:${encodeURIComponent(admin.password)}@127.0.0.1:${lab.port}/large`
  const copy = join(lab.folder, 'copy')
  const bare = join(lab.folder, 'bare')
  const own = (args: readonly string[]) => run(kind, lab.folder, args)
  const figures: Figure[] = []
  const add = (figure: Figure) => {
    figures.push(figure)
    // It takes minutes: what is known already is said.
    console.error(`${figure.what}: ${figure.ours}${figure.floor && `, beside ${figure.floor}`}`)
  }
  const exchange = async (name: string, ours: () => Promise<void>, floor: (() => Promise<number>) | null, bar = '') => {
    const took = await measured(lab.pid, ours)
    const beside = floor === null ? null : await floor()
    add({
      what: `${what}: ${name}, and memory`,
      ours: `${took.ms.toFixed(0)} ms, ${took.mib.toFixed(0)} MiB`,
      floor: beside === null ? '' : `${beside.toFixed(0)} ms`,
      ratio: beside === null ? '' : (took.ms / beside).toFixed(2),
      bar: `${bar}< ${mostMiB} MiB`,
      held: took.mib < mostMiB,
    })
  }
  const timed = async (work: () => Promise<void>) => {
    const began = performance.now()
    await work()
    return performance.now() - began
  }
  const pushed = (to: string) => (kind === 'git' ? ['-C', source, 'push', '-q', to, 'master'] : ['-R', source, 'push', '-q', to])
  const cloned = (from: string, to: string) => ['clone', '-q', kind === 'git' ? '--bare' : '-U', from, to]
  if (kind === 'git') await own(['init', '-q', '--bare', bare])
  else await own(['init', bare])
  await exchange(
    'push',
    () => own(pushed(remote)),
    () => timed(() => own(kind === 'git' ? pushed(`file://${bare}`) : ['-R', source, 'push', '-q', bare])),
  )
  await exchange(
    'clone',
    () => own(cloned(remote, copy)),
    async () => {
      rmSync(copy, { recursive: true })
      return timed(() => own(kind === 'git' ? cloned(`file://${bare}`, copy) : ['clone', '-q', '-U', '--pull', bare, copy]))
    },
  )
  for (const [name, path] of [
    ['archive', '/large/archive/tip.tar'],
    ['clone', kind === 'git' ? '/large/git-upload-pack' : '/large?cmd=getbundle'],
  ] as const) {
    const { status, firstMs, mib, bytes } = await firstByte(lab, kind, path)
    add({
      what: `${what}: first byte of ${name}, ${(bytes / 2 ** 20).toFixed(0)} MiB, and memory`,
      ours: status === 200 ? `${firstMs.toFixed(0)} ms, ${mib.toFixed(0)} MiB` : `status ${status}`,
      floor: '',
      ratio: '',
      bar: `< ${mostFirstMs} ms, < ${mostMiB} MiB`,
      held: status === 200 && firstMs < mostFirstMs && mib < mostMiB,
    })
  }
  const bareCalls = {
    git: [
      ['log', '-10', 'master'],
      ['show', '--name-status', 'master'],
      ['ls-tree', '-r', '--name-only', 'master'],
    ],
    hg: [
      ['log', '-l', '10'],
      ['log', '-r', 'tip', '--verbose'],
      ['manifest', '-r', 'tip'],
    ],
  }
  for (const [number, [method, args]] of (
    [
      ['get_changesets', { max_revisions: 10 }],
      ['get_changeset', { raw_id: 'tip' }],
      ['get_repo_nodes', { revision: 'tip', root_path: '/' }],
    ] as const
  ).entries()) {
    const bareCall = () => run(kind, source, bareCalls[kind][number] ?? [])
    const { p50, p95, bare, mib } = await calls(lab, { method, args: { repoid: serial, ...args }, beside: () => timed(bareCall) })
    add({
      what: `${what}: ${method}, p95 (p50), and memory`,
      ours: `${p95.toFixed(0)} (${p50.toFixed(0)}) ms, ${mib.toFixed(0)} MiB`,
      floor: `${bare.p95.toFixed(0)} (${bare.p50.toFixed(0)}) ms`,
      ratio: (p95 / bare.p95).toFixed(2),
      bar: `< ${mostCallMs} ms, < ${mostMiB} MiB`,
      held: p95 < mostCallMs && mib < mostMiB,
    })
  }
  return figures
}

/** Runs it, and gives the most memory that the server had meanwhile. */
async function measured(pid: number, work: () => Promise<void>): Promise<Took> {
  let mib = resident(pid)
  const sampler = setInterval(() => (mib = Math.max(mib, resident(pid))), 20)
  const began = performance.now()
  try {
    await work()
  } finally {
    clearInterval(sampler)
  }
  return { ms: performance.now() - began, mib }
}

function run(kind: Kind, cwd: string, args: readonly string[]): Promise<void> {
  const environment = { PATH: '/usr/bin:/bin:/usr/local/bin', HOME: cwd, HGRCPATH: '', HGPLAIN: '1', GIT_TERMINAL_PROMPT: '0', LANG: 'C.UTF-8' }
  const plain = kind === 'git' ? ['-c', 'core.compression=0'] : []
  return new Promise((resolve, reject) => {
    const child = spawn(kind, [...plain, ...args], { cwd, env: environment, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (bytes) => (said += bytes))
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${kind} ${args.join(' ')}: ${said}`))))
  })
}

/** When the first byte of a long answer comes, and the most memory until its last. */
async function firstByte(lab: Lab, kind: Kind, path: string): Promise<{ status: number; firstMs: number; mib: number; bytes: number }> {
  let [status, firstMs, bytes] = [0, Number.NaN, 0]
  const auth = `${admin.name}:${admin.password}`
  const post = path.endsWith('upload-pack') ? await wanted(lab) : null
  const headers: Record<string, string> = {
    // What people see is not for git's and hg's way of signing in.
    authorization: path.includes('/archive/') ? `Bearer ${lab.token}` : `Basic ${Buffer.from(auth).toString('base64')}`,
    ...(post ? { 'content-type': 'application/x-git-upload-pack-request' } : {}),
    ...(path.includes('cmd=') && kind === 'hg'
      ? { 'x-hgarg-1': `common=${'0'.repeat(40)}&heads=${await tipOf(lab)}`, accept: 'application/mercurial-0.1' }
      : {}),
  }
  const { mib } = await measured(lab.pid, () => {
    const began = performance.now()
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: lab.port, path, method: post ? 'POST' : 'GET', headers }, (answer) => {
        status = answer.statusCode ?? 0
        answer.on('data', (chunk: Buffer) => {
          if (bytes === 0) firstMs = performance.now() - began
          bytes += chunk.length
        })
        answer.once('end', resolve).once('error', reject)
      })
      asked.once('error', reject)
      asked.end(post ?? undefined)
    })
  })
  return { status, firstMs, mib, bytes }
}

async function tipOf({ port, token }: Lab): Promise<string> {
  const { items } = await call<{ items: { commit: string }[] }>(port, 'repository.list-branches', { repository: 'large' }, token)
  return items[0]?.commit ?? ''
}

async function wanted(lab: Lab): Promise<Buffer> {
  return Buffer.from(`0048want ${await tipOf(lab)} ofs-delta no-progress\n00000009done\n`)
}

type Calls = { readonly method: string; readonly args: object; readonly beside: () => Promise<number> }
type Times = { readonly p50: number; readonly p95: number }

/** The times of one call, in turn with those of what does the least that could answer it. */
async function calls({ port, key, pid }: Lab, { method, args, beside }: Calls): Promise<Times & { bare: Times; mib: number }> {
  const [ours, floor]: [number[], number[]] = [[], []]
  const body = JSON.stringify({ id: 1, api_key: key, method, args })
  const { mib } = await measured(pid, async () => {
    for (let n = 0; n < 50; n++) {
      const began = performance.now()
      const answer = await fetch(`http://127.0.0.1:${port}/_admin/api`, { method: 'POST', body })
      const { error } = (await answer.json()) as { error: string | null } // what every answer of this API has
      if (error !== null) throw new Error(`${method}: ${error}`)
      if (n >= 10) ours.push(performance.now() - began)
      if (n >= 10) floor.push(await beside())
    }
  })
  return { ...timesOf(ours), bare: timesOf(floor), mib }
}

function timesOf(took: number[]): Times {
  took.sort((a, b) => a - b)
  return { p50: at(took, 0.5), p95: at(took, 0.95) }
}
