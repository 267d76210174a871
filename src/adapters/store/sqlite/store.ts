import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../../core/kernel/clock.ts'
import type { Log } from '../../../core/kernel/log.ts'
import { StoreRefused, StoreUnavailable } from '../../../ports/store/store.ts'
import type { Store } from '../../../ports/store/store.ts'
import { migrations } from '../migrations/all.ts'
import { migrate } from '../migrations/migrate.ts'
import { ActBatches } from '../sql/acts.ts'
import { tablesOver } from '../sql/tables.ts'
import { localBus } from './bus.ts'
import { Connection, sqlOver } from './connection.ts'
import { GroupCommit } from './group-commit.ts'
import { lockFolder } from './lock.ts'
import type { FolderLock } from './lock.ts'
import { Maintenance } from './maintenance.ts'
import { ReadCache } from './read-cache.ts'
import { snapshotReads } from './snapshot-reads.ts'

type SqliteOptions = {
  /** The data folder; made when it is not there. */
  readonly folder: string
  readonly log: Log
  readonly clock: Clock
}

/** The store in one file of a data folder, for one server. Throws `StoreRefused` when another server has the folder, or the file cannot be used. */
async function openSqliteStore({ folder, log, clock }: SqliteOptions): Promise<Store> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const lock = lockFolder(folder)
  const file = join(folder, 'capstan.db')
  const opened: Connection[] = []
  const open = (options: { readOnly: boolean; cacheKiB: number }) => {
    const connection = new Connection(file, options)
    opened.push(connection)
    return connection
  }
  try {
    // The log and the index of SQLite get the mode of the file, so it must be right before the first connection.
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
    const writer = open({ readOnly: false, cacheKiB: 8000 })
    await prepare(writer, clock.now())
    return assemble({
      writer,
      reader: open({ readOnly: true, cacheKiB: 8000 }),
      snapshots: open({ readOnly: true, cacheKiB: 2000 }),
      file,
      lock,
      log,
    })
  } catch (error) {
    for (const connection of opened) connection.close()
    lock.release()
    throw error instanceof StoreUnavailable ? new StoreRefused(`The database ${file} cannot be opened. ${error.message}`, { cause: error }) : error
  }
}

async function prepare(writer: Connection, now: number): Promise<void> {
  const mode = writer.one('pragma journal_mode = wal')
  if (mode?.journal_mode !== 'wal') throw new StoreUnavailable('Its disk does not support shared memory: use a local one.')
  // Checkpoints are made by another thread; see Maintenance.
  for (const pragma of ['synchronous = full', 'foreign_keys = on', 'wal_autocheckpoint = 0']) writer.all(`pragma ${pragma}`)
  await migrate(sqlOver(writer), migrations, {
    now,
    async transaction(work) {
      writer.run('begin immediate')
      try {
        await work()
        writer.run('commit')
      } catch (error) {
        if (writer.db.isTransaction) writer.run('rollback')
        throw error
      }
    },
  })
}

type Parts = { writer: Connection; reader: Connection; snapshots: Connection; file: string; lock: FolderLock; log: Log }

function assemble({ writer, reader, snapshots, file, lock, log }: Parts): Store {
  const maintenance = new Maintenance(file, { log, hold: (work) => commits.hold(work) })
  const cache = new ReadCache()
  const commits = new GroupCommit(writer, { log, onCommit: cache.committed, afterCommit: maintenance.committed })
  const writing = cache.overWriter(sqlOver(writer, commits.assertOpen))
  const writingTables = tablesOver(writing)
  const acts = new ActBatches((work) => commits.add(() => work(writing)), log)
  const snapshot = snapshotReads(snapshots)
  const probe = () => commits.add(() => writingTables.settings.set('store.probe', {}))
  let closing: Promise<void> | null = null

  return {
    engine: {
      accept: (act) => acts.accept(act),
      advance: (act) => acts.advance(act),
    },
    reader: tablesOver(cache.overReader(reader)),
    read: (work) => snapshot(work),
    write: (work) => commits.add(() => work(writingTables)),
    async health() {
      const { failed, committedAt } = commits.condition
      // Asked often and by anybody: a commit just now is answer enough.
      if (!failed && committedAt > 0 && performance.now() - committedAt < 5000) return null
      try {
        await probe()
        return null
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    },
    async measureCommit() {
      const before = performance.now()
      await probe()
      return performance.now() - before
    },
    backup: (target) => maintenance.backup(target),
    bus: localBus((error) => log.error('store.listener_failed', { error })),
    close: () => (closing ??= close()),
  }

  async function close(): Promise<void> {
    await acts.close()
    await commits.close()
    await maintenance.close()
    for (const connection of [snapshots, reader, writer]) connection.close()
    lock.release()
  }
}

export type { SqliteOptions }
export { openSqliteStore }
