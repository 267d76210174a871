/*
 * A server that dies in the middle of a migration: opens the database file given to it and kills itself before the statement with the given number of the
 * second migration. Run by a test as a process of its own.
 */
import { migrate } from '../migrations/migrate.ts'
import { Connection, sqlOver } from '../sqlite/connection.ts'
import type { Sql } from '../sql/sql.ts'
import { exampleMigrations } from './migrations.ts'

const connection = new Connection(process.argv[2] ?? '', { readOnly: false, cacheKiB: 100 })
connection.db.exec('pragma journal_mode = wal')
const dieBefore = process.argv[3] ?? ''
const sql = sqlOver(connection)
const dying: Sql = {
  ...sql,
  run(text, values) {
    if (text.includes(dieBefore)) process.kill(process.pid, 'SIGKILL')
    return sql.run(text, values)
  },
}

await migrate(dying, exampleMigrations, {
  now: 1,
  async transaction(work) {
    connection.run('begin immediate')
    await work()
    connection.run('commit')
  },
})
process.stdout.write('migrated\n')
