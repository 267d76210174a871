import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { at, load, median } from './support/load.ts'
import { call, environmentOf, freePort, fromSource, remove, resident, root, scratch, signIn, start } from './support/servers.ts'
import type { BenchOptions, Figure } from './run.ts'
import type { Running } from './support/servers.ts'

type Server = Running & { readonly headers: Readonly<Record<string, string>>; readonly token: string }

const clients = 32
const steps = 5
const rounds = 10_000

/** Events to workflows, jobs of five built-in steps beside the bare group-commit loop, a loop of 10,000 steps, and lists of jobs with resident memory. */
export async function workflowJobs(options: BenchOptions): Promise<Figure[]> {
  return [...(await events(options)), ...(await loopOfSteps()), ...(await lists(options))]
}

async function events({ quick }: BenchOptions): Promise<Figure[]> {
  const [seconds, turns] = quick ? [3, 1] : [8, 3]
  const [paced, accepted, finished, floor]: [number[], number[], number[], number[]] = [[], [], [], []]
  for (let turn = 0; turn < turns; turn++) {
    floor.push(await bareFinished(seconds))
    await withServer(async (server) => {
      const plain = await workflow(server, 'plain', 0)
      paced.push(at(await atRate(server, plain, { perSecond: 200, seconds, warmSeconds: 1 }), 0.99))
      accepted.push((await drive(server, plain, seconds)).accepted)
    })
    await withServer(async (server) => finished.push((await drive(server, await workflow(server, 'five', steps), seconds)).finished))
  }
  const [p99, rate, jobs, bare] = [median(paced), median(accepted), median(finished), median(floor)]
  // A run of the floor is four commits' worth of rows: one that accepts it and one for each of its three steps. A job of ours is accepted, and has the
  // step that starts it and five more.
  const [floorWrites, ourWrites] = [4, 1 + 1 + steps]
  const scaled = (bare * floorWrites) / ourWrites
  return [
    { what: 'an event accepted at 200/s, p99', ours: `${p99.toFixed(1)} ms`, floor: '', ratio: '', bar: '< 25 ms', held: p99 < 25 },
    { what: `events accepted, ${clients} clients`, ours: `${rate.toFixed(0)}/s`, floor: '', ratio: '', bar: '≥ 2500/s', held: rate >= 2500 },
    {
      what: `jobs of ${steps} built-in steps finished (floor: ${bare.toFixed(0)}/s × ${floorWrites} / ${ourWrites} writes)`,
      ours: `${jobs.toFixed(0)}/s`,
      floor: `${scaled.toFixed(0)}/s`,
      ratio: (jobs / scaled).toFixed(2),
      bar: '≥ 0.5, ≥ 300/s',
      held: jobs / scaled >= 0.5 && jobs >= 300,
    },
  ]
}

async function loopOfSteps(): Promise<Figure[]> {
  return withServer(async (server) => {
    const inner = { ...action('up'), parent_id: 'loop' }
    const loop = {
      id: 'loop',
      name: 'loop',
      parent_id: '',
      type: 'loop',
      parameters: { repeatCount: rounds, innerEdgeId: 'loop>up', nextEdgeId: 'loop>' },
    }
    const paths = [
      path('start', 'loop'),
      { ...path('loop', 'up'), id: 'loop>up' },
      { ...path('loop', ''), id: 'loop>' },
      { ...path('up', ''), parent_id: 'loop' },
    ]
    const id = await made(server, { name: 'loop', type: 'normal', steps: [trigger, loop, inner], paths })
    const before = resident(server.child.pid ?? 0)
    const began = performance.now()
    const most = peakOf(server)
    const job = await event(server, id, '{"text":"abc"}')
    for (;;) {
      const { status, ended_at } = (await json(server, `/v2/jobs?group_id=${job}&minimum=true`)).jobs[0] ?? {}
      if (status === 'succeeded') break
      if (ended_at !== undefined) throw new Error(`The job has ${status}`)
      await pause(0.25)
    }
    const ms = performance.now() - began
    const peak = most.stop()
    return [
      { what: `a loop of ${rounds} built-in steps`, ours: `${(ms / 1000).toFixed(1)} s`, floor: '', ratio: '', bar: '< 5 s', held: ms < 5000 },
      {
        what: 'resident memory before it and at most',
        ours: `${before.toFixed(0)}, ${peak.toFixed(0)} MiB`,
        floor: '',
        ratio: '',
        bar: '',
        held: null,
      },
    ]
  })
}

/** Jobs are copied into the file of the store while no server runs: what is measured is reading them. */
async function lists({ quick }: BenchOptions): Promise<Figure[]> {
  const folder = scratch()
  try {
    const id = await withServer(
      async (server) => {
        const flow = await workflow(server, 'five', steps)
        const job = await event(server, flow, '{"text":"abc"}')
        while ((await json(server, `/v2/jobs/${job}`)).status !== 'succeeded') await pause(0.05)
        return job
      },
      { folder },
    )
    copy(folder, id, 10_000)
    const streamed = await withServer(
      async (server) => {
        await json(server, '/v2/jobs?limit=1')
        const before = resident(server.child.pid ?? 0)
        const most = peakOf(server)
        const began = performance.now()
        const answer = await fetch(`http://127.0.0.1:${server.port}/v2/jobs`, { headers: server.headers })
        let bytes = 0
        for await (const chunk of answer.body ?? []) bytes += chunk.length
        return { ms: performance.now() - began, mebibytes: bytes / 1024 / 1024, before, peak: most.stop() }
      },
      { folder },
    )
    const many = quick ? 20_000 : 100_000
    copy(folder, id, many)
    failSome(folder)
    const page = await withServer(
      async (server) => {
        const times = async (query: string) => {
          const seen: number[] = []
          for (let n = 0; n < 40; n++) {
            const began = performance.now()
            await json(server, `/v2/jobs?limit=50&desc=created_at&desc=job_id${query}`)
            if (n >= 10) seen.push(performance.now() - began)
          }
          return at(seen.sort(ascending), 0.95)
        }
        return {
          full: await times(''),
          minimum: await times('&minimum=true'),
          deep: await times('&offset=5000'),
          failed: await times('&status=failed'),
        }
      },
      { folder },
    )
    const row = (what: string, ms: number): Figure => ({ what, ours: `${ms.toFixed(1)} ms`, floor: '', ratio: '', bar: '< 50 ms', held: ms < 50 })
    return [
      row(`50 of ${many} jobs with context, p95`, page.full),
      row('the same without context', page.minimum),
      row('the same after 5,000 others', page.deep),
      row('the ten of them that failed', page.failed),
      {
        what: `all of 10,000 jobs streamed (${streamed.mebibytes.toFixed(0)} MiB in ${(streamed.ms / 1000).toFixed(1)} s), resident at most`,
        ours: `${streamed.peak.toFixed(0)} MiB`,
        floor: `${streamed.before.toFixed(0)} MiB before`,
        ratio: '',
        bar: '< 150 MiB',
        held: streamed.peak < 150,
      },
    ]
  } finally {
    remove(folder)
  }
}

/** Makes so many jobs of one, its steps included. */
function copy(folder: string, id: string, count: number): void {
  const db = new DatabaseSync(join(folder, 'data', 'capstan.db'))
  const columns = (table: string) =>
    (db.prepare(`select name from pragma_table_info('${table}')`).all() as { name: string }[]).map(({ name }) => name)
  const [runColumns, stepColumns] = [columns('run'), columns('step')]
  const there = Number((db.prepare('select count(*) as count from run').get() as { count: number }).count)
  const run = db.prepare(
    `insert into run (${runColumns.join(', ')}) select ${runColumns.map((name) => (name === 'id' ? '?' : name === 'created_at' ? 'created_at + ?' : name)).join(', ')} from run where id = ?`,
  )
  const own = db.prepare(
    `insert into step (${stepColumns.join(', ')}) select ${stepColumns.map((name) => (name === 'run_id' ? '?' : name)).join(', ')} from step where run_id = ?`,
  )
  db.exec('begin')
  for (let n = there; n < count; n++) {
    const next = randomUUID()
    run.run(next, n, id)
    own.run(next, id)
  }
  db.exec('commit')
  db.close()
}

/** Lets ten jobs have failed. */
function failSome(folder: string): void {
  const db = new DatabaseSync(join(folder, 'data', 'capstan.db'))
  db.exec("update run set state = 'failed' where id in (select id from run order by id limit 10)")
  db.close()
}

const trigger = { id: 'start', name: 'start', parent_id: '', type: 'api_trigger', parameters: {} }

function action(id: string) {
  const parameters = {
    step_id: 'split',
    plugin_name: 'string',
    plugin_vendor: 'capstan',
    plugin_version: '1.0.0',
    input: { text: '{{[start].[text]}}' },
  }
  return { id, name: id, parent_id: '', type: 'action', parameters }
}

function path(from: string, to: string) {
  return { id: `${from}>${to}`, from_step: from, to_step: to, name: '' }
}

async function workflow(server: Server, name: string, count: number): Promise<string> {
  const ids = Array.from({ length: count }, (_, n) => `s${n}`)
  const order = ['start', ...ids, '']
  const paths = order.slice(1).map((to, n) => path(order[n] ?? '', to))
  return made(server, { name, type: 'normal', steps: [trigger, ...ids.map(action)], paths })
}

async function made({ port, token }: Server, document: object): Promise<string> {
  const { id } = await call<{ id: string }>(port, 'workflow.create', { document }, token)
  await call(port, 'workflow.activate', { workflow: id }, token)
  return id
}

async function event({ port, headers }: Server, id: string, body: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/v2/workflows/${id}/events`, { method: 'POST', headers, body })
  if (!answer.ok) throw new Error(`event: ${answer.status} ${await answer.text()}`)
  return ((await answer.json()) as { job_id: string }).job_id
}

async function drive(server: Server, id: string, seconds: number): Promise<{ accepted: number; finished: number }> {
  const before = await finishedOf(server)
  const began = performance.now()
  const body = '{"text":"abc"}'
  const result = await load({
    port: server.port,
    clients,
    seconds,
    warmSeconds: 1,
    method: 'POST',
    path: `/v2/workflows/${id}/events`,
    headers: server.headers,
    body,
  })
  if (result.refused > 0) throw new Error(`${result.refused} events were refused`)
  const took = (performance.now() - began) / 1000
  return { accepted: result.rate, finished: ((await finishedOf(server)) - before) / took }
}

async function finishedOf({ port }: Server): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return Number(/capstan_runs\{[^}]*kind="workflow"[^}]*state="succeeded"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0)
}

async function atRate(
  server: Server,
  id: string,
  { perSecond, seconds, warmSeconds }: { perSecond: number; seconds: number; warmSeconds: number },
): Promise<number[]> {
  const times: number[] = []
  const under: Promise<void>[] = []
  const began = performance.now()
  for (let n = 0; n < perSecond * (warmSeconds + seconds); n++) {
    const due = began + (n * 1000) / perSecond
    await pause((due - performance.now()) / 1000)
    const sent = performance.now()
    under.push(
      event(server, id, '{"text":"abc"}').then(() => {
        if (n >= perSecond * warmSeconds) times.push(performance.now() - sent)
      }),
    )
  }
  await Promise.all(under)
  return times.sort(ascending)
}

async function bareFinished(seconds: number): Promise<number> {
  const folder = scratch()
  const port = await freePort()
  const args = [join(root, 'bench/support/floor.ts'), 'runs', String(port), join(folder, 'floor.db')]
  const floor = await start(args, { port, folder, path: '/finished' })
  const headers = { 'content-type': 'application/json' }
  const finished = async () => Number(await (await fetch(`http://127.0.0.1:${port}/finished`)).text())
  const began = performance.now()
  await load({ port, clients, seconds, warmSeconds: 1, method: 'POST', path: '/runs', headers, body: '{"name":"run-{n}"}' })
  const rate = (await finished()) / ((performance.now() - began) / 1000)
  await floor.stop()
  remove(folder)
  return rate
}

/** The most that a server's memory comes to until it is stopped. */
function peakOf({ child }: Server): { stop(): number } {
  let most = 0
  const look = () => {
    most = Math.max(most, resident(child.pid ?? 0))
  }
  look()
  const timer = setInterval(look, 20)
  return {
    stop() {
      look()
      clearInterval(timer)
      return most
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: read as scripts do
async function json({ port, headers }: Server, path: string): Promise<any> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

async function withServer<T>(measure: (server: Server) => Promise<T>, kept?: { readonly folder: string }): Promise<T> {
  const folder = kept?.folder ?? scratch()
  const port = await freePort()
  const environment = environmentOf(port, folder)
  const server = await start(fromSource, { port, folder, path: '/readyz', environment })
  try {
    const token = await signIn(port)
    return await measure({ ...server, token, headers: { authorization: `Bearer ${token}` } })
  } finally {
    await server.stop()
    if (!kept) remove(folder)
  }
}

const ascending = (a: number, b: number) => a - b

function pause(seconds: number): Promise<void> {
  return seconds <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}
