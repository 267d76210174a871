import { sqlOver } from './connection.ts'
import type { Connection } from './connection.ts'
import type { Raw, Sql, Value } from '../sql/sql.ts'

// Read with every request and changed seldom: who somebody is, and what they may do.
const tables = new Set(['user_account', 'session', 'api_key', 'resource', 'group_member', 'grant_entry'])
const writing = /\b(?:insert into|update|delete from)\s+"?([a-z_]+)/g
const reading = /\b(?:from|join)\s+"?([a-z_]+|\()/g

const mostTexts = 500
const mostAnswers = 2000
const mostRows = 20

/**
 * Remembers what small reads of those tables answered, until one of them is written. Only the server that holds the lock of the folder writes, and all that it
 * writes goes through `overWriter`: from the first statement of a transaction that changes one of these tables to its commit nothing is remembered or taken
 * from here, and at the commit all is forgotten. So nobody is told what was true before a commit that has been answered.
 */
class ReadCache {
  readonly #kinds = new Map<string, 'reads' | 'writes' | 'neither'>()
  readonly #answers = new Map<string, readonly Raw[]>()
  #changing = false

  /** What the transaction under way wrote can be seen by readers now. To be called before anybody hears of the commit. */
  readonly committed = (): void => {
    if (!this.#changing) return
    this.#changing = false
    this.#answers.clear()
  }

  /** The executor of the connection that writes, watched. */
  overWriter(sql: Sql): Sql {
    const watched = (text: string) => {
      if (this.#kindOf(text) === 'writes') this.#changing = true
      return text
    }
    return {
      dialect: sql.dialect,
      all: (text, values) => sql.all(watched(text), values),
      one: (text, values) => sql.one(watched(text), values),
      run: (text, values) => sql.run(watched(text), values),
    }
  }

  /** The executor of a connection that reads what is committed. */
  overReader(connection: Connection): Sql {
    const sql = sqlOver(connection)
    const kept = (text: string, values: readonly Value[], read: () => readonly Raw[]): readonly Raw[] => {
      if (this.#changing) return read()
      const key = `${text}\0${JSON.stringify(values)}`
      const known = this.#answers.get(key)
      if (known) return known
      const found = read()
      if (found.length <= mostRows) keep(this.#answers, key, found, mostAnswers)
      return found
    }
    const reads = (text: string) => this.#kindOf(text) === 'reads'
    return {
      dialect: sql.dialect,
      async all(text, values = []) {
        return reads(text) ? [...kept(text, values, () => connection.all(text, values))] : sql.all(text, values)
      },
      async one(text, values = []) {
        if (!reads(text)) return sql.one(text, values)
        const read = () => [connection.one(text, values)].filter((raw) => raw !== null)
        return kept(text, values, read)[0] ?? null
      },
      run: sql.run,
    }
  }

  #kindOf(text: string): 'reads' | 'writes' | 'neither' {
    const known = this.#kinds.get(text)
    if (known) return known
    const kind = kindOf(text)
    keep(this.#kinds, text, kind, mostTexts)
    return kind
  }
}

function kindOf(text: string): 'reads' | 'writes' | 'neither' {
  if ([...text.matchAll(writing)].some(([, table = '']) => tables.has(table))) return 'writes'
  const read = [...text.matchAll(reading)]
  return read.length > 0 && read.every(([, table = '']) => tables.has(table)) ? 'reads' : 'neither'
}

function keep<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.set(key, value)
  if (map.size <= most) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

export { ReadCache }
