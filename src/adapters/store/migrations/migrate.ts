import { createHash } from 'node:crypto'
import { StoreRefused } from '../../../ports/store/store.ts'
import type { Sql } from '../sql/sql.ts'
import type { Migration } from './migration.ts'

/** What an engine hands in: how to put statements into one transaction, and the time for the record. */
type MigrateOptions = {
  readonly now: number
  transaction(work: () => Promise<void>): Promise<void>
}

/**
 * Brings a database up to the last migration, each in a transaction of its own together with its record, so that a kill leaves one version or the next.
 * Throws `StoreRefused` when the database was made by a newer program, or by other migrations than these.
 */
async function migrate(sql: Sql, migrations: readonly Migration[], options: MigrateOptions): Promise<void> {
  await sql.run(
    'create table if not exists migration (version bigint primary key, name text not null, checksum text not null, applied_at bigint not null)',
  )
  const applied = await sql.all('select version, name, checksum from migration order by version')
  const newest = migrations.at(-1)?.version ?? 0
  for (const row of applied) {
    const version = Number(row.version)
    if (version > newest)
      throw new StoreRefused(
        `The database is at version ${version}, this program knows ${newest}: a newer Capstan has used it. Start that one, or restore a backup.`,
      )
    const known = migrations.find((migration) => migration.version === version)
    if (known === undefined || checksum(known) !== row.checksum)
      throw new StoreRefused(
        `Migration ${version} (${String(row.name)}) of the database is not the one of this program. Start the program that made it, or restore a backup.`,
      )
  }
  const done = new Set(applied.map((row) => Number(row.version)))
  for (const migration of migrations.filter(({ version }) => !done.has(version))) {
    await options.transaction(async () => {
      for (const statement of migration[sql.dialect.name]) await sql.run(statement)
      await sql.run('insert into migration (version, name, checksum, applied_at) values (?, ?, ?, ?)', [
        migration.version,
        migration.name,
        checksum(migration),
        options.now,
      ])
    })
  }
}

/** SHA-256 over both engines' statements: a migration is one thing, whichever half of it was changed. */
function checksum(migration: Migration): string {
  return createHash('sha256')
    .update(JSON.stringify([migration.version, migration.sqlite, migration.postgres]))
    .digest('hex')
}

export type { MigrateOptions }
export { migrate, checksum }
