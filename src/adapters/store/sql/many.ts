import type { Codec, Kind } from './codec.ts'
import { recordList } from './sql.ts'
import type { ColumnType, Sql, Value } from './sql.ts'

// A statement's values travel as one text; pieces keep it, and what an engine holds of it at once, bounded.
const piece = 500

/**
 * Inserts rows of one table and gives how many went in, by one statement for many where a round trip is what costs (PostgreSQL). `conflict` is the rest of the statement; `further`
 * are columns that no row shows, with one value for all rows.
 */
async function insertMany<Row extends object>(
  sql: Sql,
  codec: Codec<Row>,
  rows: readonly Row[],
  options: { conflict?: string; further?: Readonly<Record<string, number>> } = {},
): Promise<number> {
  const { conflict = '', further = {} } = options
  let count = 0
  if (!sql.dialect.sets || rows.length < 2) {
    const text = codec.insert(Object.keys(further)) + conflict
    for (const row of rows) count += await sql.run(text, [...codec.values(row), ...Object.values(further)])
    return count
  }
  const text = setInsert(sql, codec, Object.keys(further)) + conflict
  for (let at = 0; at < rows.length; at += piece) {
    const records = rows.slice(at, at + piece).map((row) => ({ ...record(codec, row), ...further }))
    count += await sql.run(text, [recordList(records)])
  }
  return count
}

// The columns of a row by name, encoded.
function record<Row extends object>(codec: Codec<Row>, row: Row): Record<string, Value> {
  const values = codec.values(row)
  return Object.fromEntries(codec.columns.map((column, index) => [column, values[index] ?? null]))
}

function setInsert<Row extends object>(sql: Sql, codec: Codec<Row>, further: readonly string[]): string {
  const types = Object.fromEntries([
    ...codec.columns.map((column) => [column, columnType(codec.kinds[column])] as const),
    ...further.map((column) => [column, 'smallint'] as const),
  ])
  const columns = Object.keys(types).map((column) => `"${column}"`)
  return `insert into ${codec.table} (${columns.join(', ')}) select ${columns.join(', ')} from ${sql.dialect.records(types)}`
}

/** The type of the column of a member. */
function columnType(kind: Kind): ColumnType {
  if (kind === 'int' || kind === 'time') return 'bigint'
  if (kind === 'number') return 'double precision'
  return kind === 'bool' || kind === 'level' ? 'smallint' : 'text'
}

export { insertMany, columnType }
