import { resolve } from 'node:path'
import { SourceRefused } from '../../ports/import-source.ts'

/** A row as either engine gives it. */
type Raw = Readonly<Record<string, unknown>>

/** Read-only access to the database of a Kallithea: one moment of it, however long reading takes. */
type Reader = {
  /** The statement that lists the names of all tables. */
  readonly tablesText: string
  /** `?` stands for a value. */
  all(text: string, values?: readonly (string | number)[]): Promise<readonly Raw[]>
  close(): Promise<void>
}

/** Opens the database that is named: a file, or an address as Kallithea's own configuration has it. `SourceRefused` where that cannot be. */
async function openReader(database: string): Promise<Reader> {
  const scheme = /^([a-z][a-z0-9+]*):\/\//i.exec(database)?.[1]?.toLowerCase()
  if (scheme === undefined) return fileReader(resolve(database))
  // `sqlite:////full/path?timeout=60`, `sqlite:///path`
  if (scheme === 'sqlite') return fileReader(resolve(database.replace(/^sqlite:\/\/\/?/i, '').replace(/\?.*$/, '')))
  if (/^postgres(ql)?(\+\w+)?$/.test(scheme)) {
    // Loaded only where it is used, as the store's own.
    const { postgresReader } = await import('./postgres.ts')
    return postgresReader(database.replace(/^[^:]+/, 'postgresql'))
  }
  throw new SourceRefused(`A database of ${scheme} cannot be read. Name the file of an SQLite database, or the address of one in PostgreSQL.`)
}

async function fileReader(file: string): Promise<Reader> {
  const { sqliteReader } = await import('./sqlite.ts')
  return sqliteReader(file)
}

export type { Raw, Reader }
export { openReader }
