/** What can be bound to a `?`: booleans are 0 and 1, documents are text, times are epoch milliseconds. */
type Value = string | number | null

/** A row as the engine gives it: members are column names. */
type Raw = Record<string, unknown>

/**
 * The whole of what the statements need of an engine. Placeholders are `?` everywhere. Errors come out translated: `DuplicateKey`,
 * `StoreUnavailable`, or what the engine threw when the statement itself is wrong.
 */
type Sql = {
  readonly dialect: Dialect
  all(text: string, values?: readonly Value[]): Promise<Raw[]>
  one(text: string, values?: readonly Value[]): Promise<Raw | null>
  /** Gives how many rows were changed. */
  run(text: string, values?: readonly Value[]): Promise<number>
}

/** Where the two engines speak differently: pieces of text, nothing else. */
type Dialect = {
  readonly name: 'sqlite' | 'postgres'
  /** A subquery that gives the members of one bound JSON list of texts. */
  readonly texts: string
  /** Locks what a select in a writing transaction found. SQLite has one writer, so nothing is to be locked. */
  readonly forUpdate: '' | ' for update'
  /** Many rows go in by one statement (one round trip) rather than by one statement each. */
  readonly sets: boolean
  /** After a table and its alias: reads it by this index. Only SQLite needs to be told: it does not know how few rows a partial index has. */
  by(index: string): string
  /** A table `k` of one bound JSON list of objects, for `from`: members are columns of the types given. */
  records(columns: Readonly<Record<string, ColumnType>>): string
}

type ColumnType = 'text' | 'bigint' | 'smallint' | 'double precision'

const sqliteDialect: Dialect = {
  name: 'sqlite',
  texts: 'select value from json_each(?)',
  forUpdate: '',
  sets: false,
  by: (index) => ` indexed by ${index}`,
  records(columns) {
    const members = Object.keys(columns).map((name) => `value ->> '${name}' as "${name}"`)
    return `(select ${members.join(', ')} from json_each(?)) as k`
  },
}

const postgresDialect: Dialect = {
  name: 'postgres',
  texts: 'select json_array_elements_text(cast(? as json))',
  forUpdate: ' for update',
  sets: true,
  by: () => '',
  records(columns) {
    const members = Object.entries(columns).map(([name, type]) => `"${name}" ${type}`)
    return `json_to_recordset(cast(? as json)) as k(${members.join(', ')})`
  },
}

/** The value as both engines can keep it: PostgreSQL has no NUL and no half characters in texts, so neither has SQLite, or rows could not move. */
function storable<T extends Value>(value: T): T {
  if (typeof value !== 'string') return value
  if (value.isWellFormed() && !value.includes('\0')) return value
  return value.toWellFormed().replaceAll('\0', '\u{fffd}') as T & string // a text for a text
}

/** The value to bind for `texts`. */
function textList(values: readonly string[]): string {
  return JSON.stringify(values.map(storable))
}

/** The value to bind for `records`. */
function recordList(records: readonly Readonly<Record<string, Value>>[]): string {
  return JSON.stringify(records, (_, value: unknown) => (typeof value === 'string' ? storable(value) : value))
}

/** Another transaction was faster at the same rows: the same work, done again, can succeed. */
class Conflict extends Error {
  override readonly name = 'Conflict'
}

/** A piece of a statement with the values of its placeholders. */
type Part = { readonly text: string; readonly values: readonly Value[] }

/** `where …` of all parts that are there, or nothing. */
function where(parts: readonly (Part | null)[]): Part {
  const present = parts.filter((part) => part !== null)
  if (present.length === 0) return { text: '', values: [] }
  return { text: ` where ${present.map((part) => part.text).join(' and ')}`, values: present.flatMap((part) => part.values) }
}

/** `column = ?`, or nothing when there is nothing to compare with. */
function equal(column: string, value: Value | undefined): Part | null {
  if (value === undefined) return null
  return value === null ? { text: `${column} is null`, values: [] } : { text: `${column} = ?`, values: [value] }
}

/** `column in (…)`, or nothing without a list. */
function among(sql: Sql, column: string, values: readonly string[] | undefined): Part | null {
  return values === undefined ? null : { text: `${column} in (${sql.dialect.texts})`, values: [textList(values)] }
}

export type { Value, Raw, Sql, Dialect, ColumnType, Part }
export { sqliteDialect, postgresDialect, storable, textList, recordList, Conflict, where, equal, among }
