import { SourceRefused } from '../../ports/import-source.ts'
import type { Raw, Reader } from './reader.ts'

/** Reads a database of PostgreSQL through one connection that can only read. */
async function postgresReader(url: string): Promise<Reader> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, application_name: 'capstan import' })
  // Else the end of the connection, noticed between two statements, would end the process; the next statement tells of it.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('begin isolation level repeatable read read only')
  } catch (error) {
    await client.end().catch(() => {})
    // Its message may repeat the address, with the password in it.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
    throw new SourceRefused(`The database cannot be read (${code}). Look at its address, and whether this user may connect.`, { cause: error })
  }
  return {
    tablesText: 'select tablename as name from pg_tables where schemaname = any(current_schemas(false))',
    async all(text, values = []) {
      let number = 0
      const { rows } = await client.query<Raw>(
        text.replace(/\?/g, () => `$${++number}`),
        [...values],
      )
      return rows
    },
    close: () => client.end(),
  }
}

export { postgresReader }
