import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { BackupRefused } from './archive.ts'

/** Writes a copy of a SQLite store that a server may be writing to, as it is at one moment. Gives the last migration of it. */
function copyDatabase(from: string, to: string): number {
  closeSync(openSync(to, 'wx', 0o600))
  const db = new DatabaseSync(from, { readOnly: true, timeout: 10_000 })
  try {
    // One snapshot, however much is written meanwhile; SQLite's own backup would begin anew with every commit of another process.
    db.prepare('vacuum into ?').run(to)
    return lastMigration(db)
  } finally {
    db.close()
  }
}

type Held = {
  readonly users: number
  readonly repositories: number
  readonly runs: number
  readonly auditLines: number
  readonly migration: number
}

/** What a copied store holds. Throws `BackupRefused` when it is damaged. */
function lookInto(file: string): Held {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const count = (from: string) => Number(db.prepare(`select count(*) as n from ${from}`).get()?.n)
    const said = db.prepare('pragma quick_check(1)').get()
    if (Object.values(said ?? {})[0] !== 'ok') throw new Error('the check failed')
    return {
      users: count("user_account where kind <> 'builtin'"),
      repositories: count("resource where kind = 'repository' and deleted_at is null"),
      runs: count('run'),
      auditLines: count('audit_event'),
      migration: lastMigration(db),
    }
  } catch (error) {
    throw new BackupRefused('The database in the backup is damaged. Use another backup.', { cause: error })
  } finally {
    db.close()
  }
}

function lastMigration(db: DatabaseSync): number {
  return Number(db.prepare('select max(version) as version from migration').get()?.version)
}

export type { Held }
export { copyDatabase, lookInto }
