import { tablesOver } from '../sql/tables.ts'
import { sqlOver } from './connection.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import type { Raw, Sql } from '../sql/sql.ts'
import type { Connection } from './connection.ts'

// Short answers are quick to find, and wide ones are not asked for twice: what stays is which rows there are. That of a list of 10,000 takes 2 MiB.
const leastRows = 100
const widestBytes = 256 * 1024
const mostBytes = 6 * 1024 * 1024

/**
 * Runs reads of one snapshot one after another: each needs the connection for itself. Long answers are remembered until anything at all is committed: a page of
 * a list that somebody watches is mostly asked for again before that.
 */
function snapshotReads(connection: Connection): <T>(work: (tables: Tables) => Promise<T>) => Promise<T> {
  const kept = new LongAnswers(connection)
  const tables = tablesOver(kept.sql)
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(async () => {
      connection.run('begin')
      try {
        kept.begin()
        return await work(tables)
      } finally {
        if (connection.db.isTransaction) connection.run('rollback')
      }
    })
    last = mine.catch(() => {})
    return mine
  }
}

class LongAnswers {
  readonly #connection: Connection
  readonly #answers = new Map<string, readonly Raw[]>()
  #bytes = 0
  #version: unknown = null
  readonly sql: Sql

  constructor(connection: Connection) {
    this.#connection = connection
    const direct = sqlOver(connection)
    this.sql = { ...direct, all: async (text, values = []) => this.#all(text, values) }
  }

  /** To be called first in a transaction: the question fixes its snapshot, and tells whether that is the one before. */
  begin(): void {
    const version = this.#connection.one('pragma data_version')?.data_version
    if (version === this.#version) return
    this.#version = version
    this.#answers.clear()
    this.#bytes = 0
  }

  #all(text: string, values: Parameters<Sql['all']>[1] = []): Raw[] {
    const key = `${text}\0${JSON.stringify(values)}`
    const known = this.#answers.get(key)
    if (known) return [...known]
    const found = this.#connection.all(text, values)
    if (found.length < leastRows) return found
    const bytes = bytesOf(found)
    if (bytes > widestBytes || this.#bytes + bytes > mostBytes) return found
    this.#answers.set(key, found)
    this.#bytes += bytes
    return [...found]
  }
}

/** About what rows take, or something above the widest when it is more than that. */
function bytesOf(rows: readonly Raw[]): number {
  let bytes = 0
  for (const row of rows) {
    for (const value of Object.values(row)) bytes += 50 + (typeof value === 'string' ? value.length : 0)
    if (bytes > widestBytes) break
  }
  return bytes
}

export { snapshotReads }
