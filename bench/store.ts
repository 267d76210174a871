/*
 * Three-step durable runs through the store's engine acts, 32 clients, beside the barest loop that is as durable: one table of runs and one of steps, and
 * nothing else (no names, limits, fences, audit or lists). Print with: node bench/store.ts [seconds]
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openPostgresStore } from '../src/adapters/store/postgres/store.ts'
import { openSqliteStore } from '../src/adapters/store/sqlite/store.ts'
import { acceptAct, advanceAct, auditRow, runRow, stepRow } from '../src/adapters/store/testing/rows.ts'
import { systemClock } from '../src/core/kernel/clock.ts'
import { silentLog } from '../src/core/kernel/log.ts'
import type { Store } from '../src/ports/store/store.ts'
import { startPostgres } from '../test/support/postgres.ts'

const seconds = Number(process.argv[2] ?? 4)
const clients = 32
const stepCount = 3

/** `cpu` is what this process spent on one run, in ms: it does not move with what else the machine does. */
type Figure = { runs: number; p50: number; p99: number; cpu: number }

/** Runs `one` again and again by all clients, and counts. */
async function measure(one: () => Promise<void>): Promise<Figure> {
  const times: number[] = []
  const work = async (until: number) => {
    while (performance.now() < until) {
      const before = performance.now()
      await one()
      times.push(performance.now() - before)
    }
  }
  await Promise.all(Array.from({ length: clients }, () => work(performance.now() + 500)))
  times.length = 0
  const usage = process.cpuUsage()
  const started = performance.now()
  await Promise.all(Array.from({ length: clients }, () => work(started + seconds * 1000)))
  const spent = process.cpuUsage(usage)
  const took = (performance.now() - started) / 1000
  times.sort((a, b) => a - b)
  const at = (part: number) => times[Math.floor(times.length * part)] ?? 0
  return { runs: times.length / took, p50: at(0.5), p99: at(0.99), cpu: (spent.user + spent.system) / 1000 / times.length }
}

function throughStore(store: Store): () => Promise<void> {
  const places = [{ gauge: 'namespace:weather', amount: 1, limit: 1000 }]
  return async () => {
    const run = runRow()
    const step = (n: number) => stepRow(run.id, `step-${n}`, { position: n })
    const start = (n: number) => ({ key: `step-${n}`, places })
    await store.engine.accept(acceptAct({ run, steps: [step(0)], starts: [start(0)], queueLimit: 1000, audit: [auditRow()] }))
    for (let n = 0; n < stepCount; n++) {
      const last = n === stepCount - 1
      await store.engine.advance(
        advanceAct(run, {
          steps: [{ key: `step-${n}`, attempt: 1, patch: { state: 'succeeded', started_at: 1, finished_at: 2, exit_code: 0 } }],
          create: last ? [] : [step(n + 1)],
          starts: last ? [] : [start(n + 1)],
          run: last ? { state: 'succeeded', active: false, finished_at: 2 } : n === 0 ? { state: 'running', started_at: 1 } : null,
        }),
      )
    }
  }
}

/** The group-commit loop of a few lines: closures, one transaction per turn of the event loop. */
function bareSqlite(file: string): { one: () => Promise<void>; close: () => void } {
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = wal; pragma synchronous = full')
  db.exec(
    'create table run (id text primary key, state text, spec text) strict; create table step (run_id text, key text, state text, primary key (run_id, key)) strict',
  )
  const insertRun = db.prepare('insert into run values (?, ?, ?)')
  const insertStep = db.prepare('insert into step values (?, ?, ?)')
  const endStep = db.prepare(`update step set state = 'succeeded' where run_id = ? and key = ? and state = 'running'`)
  const endRun = db.prepare(`update run set state = 'succeeded' where id = ?`)
  let queue: { work: () => void; resolve: () => void }[] = []
  const write = (work: () => void) =>
    new Promise<void>((resolve) => {
      if (queue.push({ work, resolve }) === 1) setImmediate(flush)
    })
  const flush = () => {
    const jobs = queue
    queue = []
    db.exec('begin immediate')
    for (const { work } of jobs) {
      db.exec('savepoint one')
      work()
      db.exec('release one')
    }
    db.exec('commit')
    for (const { resolve } of jobs) resolve()
  }
  const one = async () => {
    const id = randomUUID()
    await write(() => {
      insertRun.run(id, 'running', '{"image":"x"}')
      insertStep.run(id, 'step-0', 'running')
    })
    for (let n = 0; n < stepCount; n++)
      await write(() => {
        endStep.run(id, `step-${n}`)
        if (n < stepCount - 1) insertStep.run(id, `step-${n + 1}`, 'running')
        else endRun.run(id)
      })
  }
  return { one, close: () => db.close() }
}

/** The same on PostgreSQL: what came in since the last commit goes as sets, by named statements in one transaction. */
async function barePostgres(url: string): Promise<{ one: () => Promise<void>; close: () => Promise<void> }> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(
    'create table run (id text primary key, state text, spec text); create table step (run_id text, key text, state text, primary key (run_id, key))',
  )
  type Change = { run: string; accept: boolean; end: string | null; begin: string | null; last: boolean; resolve: () => void }
  let queue: Change[] = []
  let busy = false
  const named = (name: string, text: string, values: unknown[]) => client.query({ name, text, values })
  const flush = async () => {
    while (queue.length > 0) {
      const jobs = queue
      queue = []
      const accepts = jobs.filter(({ accept }) => accept)
      const ends = jobs.filter(({ end }) => end !== null)
      const begins = jobs.filter(({ begin }) => begin !== null)
      const lasts = jobs.filter(({ last }) => last)
      await client.query('begin')
      if (accepts.length > 0)
        await named('a', `insert into run select id, 'running', '{}' from unnest($1::text[]) as r(id)`, [accepts.map(({ run }) => run)])
      const pairs = (list: Change[], key: 'end' | 'begin') => [list.map(({ run }) => run), list.map((change) => change[key])]
      if (ends.length > 0)
        await named(
          'b',
          `update step set state = 'succeeded' from unnest($1::text[], $2::text[]) as r(run_id, key)
             where step.run_id = r.run_id and step.key = r.key and step.state = 'running'`,
          pairs(ends, 'end'),
        )
      if (begins.length > 0)
        await named(
          'c',
          `insert into step select run_id, key, 'running' from unnest($1::text[], $2::text[]) as r(run_id, key)`,
          pairs(begins, 'begin'),
        )
      if (lasts.length > 0) await named('d', `update run set state = 'succeeded' where id = any($1::text[])`, [lasts.map(({ run }) => run)])
      await client.query('commit')
      for (const { resolve } of jobs) resolve()
    }
    busy = false
  }
  const write = (change: Omit<Change, 'resolve'>) =>
    new Promise<void>((resolve) => {
      queue.push({ ...change, resolve })
      if (busy) return
      busy = true
      setImmediate(() => void flush())
    })
  const one = async () => {
    const run = randomUUID()
    await write({ run, accept: true, end: null, begin: 'step-0', last: false })
    for (let n = 0; n < stepCount; n++) {
      const last = n === stepCount - 1
      await write({ run, accept: false, end: `step-${n}`, begin: last ? null : `step-${n + 1}`, last })
    }
  }
  return { one, close: () => client.end() }
}

function print(engine: string, bare: Figure, ours: Figure, bar: number): void {
  const line = ({ runs, p50, p99, cpu }: Figure) =>
    `${runs.toFixed(0).padStart(6)} runs/s   p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms   ${cpu.toFixed(2)} ms of CPU a run`
  const ratio = ours.runs / bare.runs
  console.log(`${engine.padEnd(12)} bare loop ${line(bare)}`)
  console.log(`${' '.repeat(12)} the store ${line(ours)}   ratio ${ratio.toFixed(2)} (bar ${bar})`)
}

const folder = mkdtempSync(join(tmpdir(), 'capstan-bench-'))
const store = await openSqliteStore({ folder, log: silentLog, clock: systemClock })
console.log(
  `one commit of one small row: ${(await store.measureCommit()).toFixed(2)} ms; ${clients} clients, ${stepCount} steps a run, ${seconds} s each`,
)
const bare = bareSqlite(join(folder, 'bare.db'))
print('SQLite', await measure(bare.one), await measure(throughStore(store)), 0.7)
bare.close()
await store.close()
rmSync(folder, { recursive: true, force: true })

const postgres = await startPostgres()
if ('missing' in postgres) console.log(`PostgreSQL   skipped: ${postgres.missing}`)
else {
  const bareLoop = await barePostgres(await postgres.database())
  const big = await openPostgresStore({ url: await postgres.database(), log: silentLog, clock: systemClock })
  print('PostgreSQL', await measure(bareLoop.one), await measure(throughStore(big)), 0.6)
  await bareLoop.close()
  await big.close()
  await postgres.stop()
}
