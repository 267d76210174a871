import { randomUUID } from 'node:crypto'
import type { Pool, PoolConfig } from 'pg'
import { sleep } from '../../../core/kernel/clock.ts'
import type { Clock } from '../../../core/kernel/clock.ts'
import type { Log } from '../../../core/kernel/log.ts'
import { StoreRefused, StoreUnavailable } from '../../../ports/store/store.ts'
import type { Store } from '../../../ports/store/store.ts'
import { migrations } from '../migrations/all.ts'
import { migrate } from '../migrations/migrate.ts'
import { ActBatches } from '../sql/acts.ts'
import type { Sql } from '../sql/sql.ts'
import { tablesOver } from '../sql/tables.ts'
import { postgresBus } from './bus.ts'
import { command, query, sqlOver, translate } from './connection.ts'
import { inTransaction, retrying } from './transaction.ts'

type PostgresOptions = {
  /** `postgres://user:password@host:port/database`, of the database itself: a pooler that shares connections between transactions breaks it. */
  readonly url: string
  readonly log: Log
  readonly clock: Clock
}

// No statement of ours takes a second; one that does waits for something that will not come.
const settings = '-c jit=off -c statement_timeout=60000 -c lock_timeout=30000 -c idle_in_transaction_session_timeout=60000'
// A plan is kept for as long as the connection lives, also one that was made while a table was nearly empty: then reading all of it looks cheapest, and
// with serializable transactions what is read is what conflicts. There is an index for every statement, so it shall be used from the first row on.
const readerSettings = `${settings} -c enable_seqscan=off -c random_page_cost=1.1`
// The engine's statements look up a few rows by their keys, nothing else.
const engineSettings = `${readerSettings} -c enable_hashjoin=off -c enable_mergejoin=off`
const oldestVersion = 150_000
// Any number, the same in all servers: "capstan" in ASCII, cut to what a lock takes.
const migrationLock = 0x6361_7073

/** The store in a PostgreSQL database, which several servers may share. Throws `StoreRefused` when the database cannot be used. */
async function openPostgresStore({ url, log, clock }: PostgresOptions): Promise<Store> {
  // Loaded here, because a server with SQLite shall not pay for it.
  const { default: pg } = await import('pg')
  const config: PoolConfig = {
    connectionString: url,
    application_name: 'capstan',
    options: readerSettings,
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    // Numbers, not texts: nothing here passes 2^53. 20 is bigint (and what count gives), 21 smallint, 701 double precision.
    types: { getTypeParser: (oid: number) => (oid === 20 || oid === 21 || oid === 23 || oid === 701 ? Number : (value: unknown) => value) },
  }
  const poolOf = (max: number, options: string) => {
    const pool = new pg.Pool({ ...config, options, max, idleTimeoutMillis: 60_000 })
    // A connection that breaks while nobody uses it is replaced at the next use.
    pool.on('error', (error) => log.warn('store.connection_lost', { error }))
    return pool
  }
  const pool = poolOf(10, readerSettings)
  try {
    await prepare(pool, clock.now(), log)
  } catch (error) {
    await pool.end()
    if (error instanceof StoreUnavailable)
      throw new StoreRefused(`The database cannot be used: ${reasonOf(error)}. Check CAPSTAN_DATABASE_URL.`, { cause: error })
    throw error
  }
  const bus = postgresBus(() => new pg.Client(config), { id: randomUUID(), clock, log })
  return assemble({ pool, engine: poolOf(1, engineSettings), bus, log, clock })
}

async function prepare(pool: Pool, now: number, log: Log): Promise<void> {
  const client = await pool.connect().catch((error: unknown) => {
    throw translate(error)
  })
  let failed = true
  try {
    const facts = (
      await command(
        client,
        `select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding,
          current_setting('fsync') as fsync, current_setting('synchronous_commit') as sync`,
      )
    ).rows[0]
    if (Number(facts?.version) < oldestVersion) throw new StoreRefused('The database server is older than PostgreSQL 15. Use a newer one.')
    if (facts?.encoding !== 'UTF8') throw new StoreRefused('The database does not keep its texts as UTF-8. Make it with "createdb -E UTF8".')
    if (facts?.fsync === 'off') log.warn('store.not_durable', { setting: 'fsync' })
    // Two servers that start at the same time migrate one after the other.
    await command(client, `select pg_advisory_lock(${migrationLock})`)
    await migrate(unprepared(client), migrations, {
      now,
      async transaction(work) {
        await command(client, 'begin')
        await work()
        await command(client, 'commit')
      },
    })
    await command(client, `select pg_advisory_unlock(${migrationLock})`)
    failed = false
  } finally {
    // After a failure the connection may hold the lock or an open transaction: it ends with both.
    client.release(failed)
  }
}

/** An executor for migrations, whose statements are needed once. */
function unprepared(client: Parameters<typeof command>[0]): Sql {
  const kept = sqlOver(client, { transaction: null })
  return { ...kept, run: async (text, values) => (values === undefined ? ((await command(client, text)).rowCount ?? 0) : kept.run(text, values)) }
}

type Parts = { pool: Pool; engine: Pool; bus: ReturnType<typeof postgresBus>; log: Log; clock: Clock }

function assemble({ pool, engine, bus, log, clock }: Parts): Store {
  const pause = (ms: number) => sleep(clock, ms)
  const retryWrite = retrying(pause)
  const retryActs = retrying(pause)
  const grown = analyseWhenGrown(pool, log)
  const acts = new ActBatches(async (work) => {
    const result = await retryActs(() => inTransaction(engine, 'read committed', work))
    grown()
    return result
  }, log)
  const open = new Set<Promise<unknown>>()
  let closing: Promise<void> | null = null

  const tracked = <T>(work: () => Promise<T>): Promise<T> => {
    if (closing) return Promise.reject(new StoreUnavailable('The store is closed.'))
    const running = work()
    const forget = () => open.delete(running)
    open.add(running)
    running.then(forget, forget)
    return running
  }
  const write: Store['write'] = (work) => tracked(() => retryWrite(() => inTransaction(pool, 'serializable', (sql) => work(tablesOver(sql)))))
  const probe = () => write((tables) => tables.settings.set('store.probe', {}))

  return {
    engine: { accept: (act) => acts.accept(act), advance: (act) => acts.advance(act) },
    reader: tablesOver(readerOver(pool, () => closing !== null)),
    read: (work) => tracked(() => inTransaction(pool, 'repeatable read, read only', (sql) => work(tablesOver(sql)))),
    write,
    async health() {
      try {
        const { rows } = await query(pool, 'select pg_is_in_recovery() as standby')
        return rows[0]?.standby === 't' ? 'The database is a standby and cannot be written.' : null
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    },
    async measureCommit() {
      const before = performance.now()
      await probe()
      return performance.now() - before
    },
    backup: () => Promise.reject(new StoreUnavailable('A PostgreSQL store is backed up with its own tools: use pg_dump or a base backup.')),
    bus,
    close: () => (closing ??= close()),
  }

  async function close(): Promise<void> {
    await acts.close()
    await Promise.allSettled([...open])
    await bus.close()
    await Promise.all([engine.end(), pool.end()])
  }
}

// A fresh database has no statistics, and plans made without them are kept. The server's own housekeeping comes after a minute, which is long for a queue
// that fills: so we ask for statistics when the tables have grown, and that renews the plans as well. Each time is ten times as rare as the one before.
function analyseWhenGrown(pool: Pool, log: Log): () => void {
  let commits = 0
  let next = 30
  return () => {
    commits += 1
    if (commits < next || next > 30_000) return
    next *= 10
    command(pool, 'analyze run, step, audit_event, gauge').catch((error: unknown) => log.warn('store.analyse_failed', { error }))
  }
}

function readerOver(pool: Pool, closed: () => boolean): Sql {
  const sql = sqlOver(pool, { transaction: null })
  const check = () => {
    if (closed()) throw new StoreUnavailable('The store is closed.')
  }
  return {
    dialect: sql.dialect,
    async all(text, values) {
      check()
      return sql.all(text, values)
    },
    async one(text, values) {
      check()
      return sql.one(text, values)
    },
    async run() {
      throw new Error('The reader does not write')
    },
  }
}

function reasonOf(error: StoreUnavailable): string {
  return (error.cause instanceof Error ? error.cause.message : error.message).replace(/\s+/g, ' ')
}

export type { PostgresOptions }
export { openPostgresStore, unprepared }
