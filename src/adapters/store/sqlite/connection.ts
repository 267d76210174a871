import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import { StoreUnavailable } from '../../../ports/store/store.ts'
import { sqliteDialect, storable } from '../sql/sql.ts'
import type { Raw, Sql, Value } from '../sql/sql.ts'
import { duplicateKey } from '../sql/unique.ts'

// Statements are few, but lists are put together from their filters: the bound is for those.
const cachedStatements = 500

/** One open connection, with its statements kept by their text. */
class Connection {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(file: string, options: { readOnly: boolean; cacheKiB: number }) {
    try {
      this.db = new DatabaseSync(file, { readOnly: options.readOnly, timeout: 5000 })
    } catch (error) {
      throw translate(error)
    }
    try {
      this.db.exec(`pragma cache_size = -${options.cacheKiB}; pragma temp_store = memory`)
    } catch (error) {
      this.db.close()
      throw translate(error)
    }
  }

  all(text: string, values: readonly Value[] = []): Raw[] {
    return this.#perform(() => this.#statement(text).all(...bound(values)))
  }

  one(text: string, values: readonly Value[] = []): Raw | null {
    return this.#perform(() => this.#statement(text).get(...bound(values)) ?? null)
  }

  run(text: string, values: readonly Value[] = []): number {
    return this.#perform(() => Number(this.#statement(text).run(...bound(values)).changes))
  }

  close(): void {
    this.#statements.clear()
    if (this.db.isOpen) this.db.close()
  }

  #statement(text: string): StatementSync {
    const known = this.#statements.get(text)
    if (known) return known
    const made = this.db.prepare(text)
    this.#statements.set(text, made)
    if (this.#statements.size > cachedStatements) {
      const [oldest] = this.#statements.keys()
      if (oldest !== undefined) this.#statements.delete(oldest)
    }
    return made
  }

  #perform<T>(work: () => T): T {
    if (!this.db.isOpen) throw new StoreUnavailable('The store is closed.')
    try {
      return work()
    } catch (error) {
      throw translate(error)
    }
  }
}

// Nearly always as it came: a copy of each list would be for nothing.
function bound(values: readonly Value[]): readonly Value[] {
  return values.every((value) => storable(value) === value) ? values : values.map(storable)
}

/** The statements' executor over a connection. `allowed` is asked before each: it throws when the connection may not be used just now. */
function sqlOver(connection: Connection, allowed: () => void = () => {}): Sql {
  return {
    dialect: sqliteDialect,
    async all(text, values) {
      allowed()
      return connection.all(text, values)
    },
    async one(text, values) {
      allowed()
      return connection.one(text, values)
    },
    async run(text, values) {
      allowed()
      return connection.run(text, values)
    },
  }
}

// Primary result codes after which trying again later can help, or an operator must act: see "Result and Error Codes" of SQLite.
const unavailable: Readonly<Record<number, string>> = {
  5: 'the database is locked',
  6: 'the database is locked',
  7: 'memory ran out',
  8: 'the database is read-only',
  10: 'the disk reports an error',
  11: 'the database file is damaged',
  13: 'the disk is full',
  14: 'the database file cannot be opened',
  26: 'the file is not a database',
}

/** SQLite's error as one of the port's, or as it is when the statement itself is wrong. */
function translate(error: unknown): unknown {
  const code = resultCode(error)
  if (code === null || !(error instanceof Error)) return error
  // 2067 unique index, 1555 primary key: "UNIQUE constraint failed: resource.kind, resource.name"
  if (code === 2067 || code === 1555) {
    const [table = '', column = ''] = (error.message.split(/[ ,]+/).at(-1) ?? '').split('.')
    return duplicateKey(table, column, error)
  }
  const why = unavailable[code & 0xff]
  return why === undefined ? error : new StoreUnavailable(`The store cannot be used now: ${why}.`, { cause: error })
}

function resultCode(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : null
}

export { Connection, sqlOver, translate, resultCode }
