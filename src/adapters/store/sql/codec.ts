import type { Part, Raw, Value } from './sql.ts'
import { levelOf, rank } from '../../../core/kernel/level.ts'
import type { Level } from '../../../core/kernel/level.ts'

/** How a member is kept: `level` as its rank (so that the highest is `max`), `json` as text, null as null. */
export type Kind = 'text' | 'int' | 'number' | 'time' | 'bool' | 'json' | 'level'

/** Turns rows of one table into the port's rows and back, the same way for both engines. */
export type Codec<Row extends object> = {
  readonly table: string
  readonly columns: readonly (keyof Row & string)[]
  /** The columns for a select or a returning. */
  readonly list: string
  listOf(alias: string): string
  /** `insert into … values (…)`, with further columns that no row shows. */
  insert(further?: readonly string[]): string
  values(row: Row): Value[]
  decode(raw: Raw): Row
  /** `a = ?, b = ?` for the members of a patch that the table has. */
  assign(patch: Partial<Row>): Part
  readonly kinds: { readonly [M in keyof Row]: Kind }
}

export function codec<Row extends object>(table: string, kinds: { readonly [M in keyof Row]: Kind }): Codec<Row> {
  const columns = Object.keys(kinds) as (keyof Row & string)[] // the keys of a mapped type over Row are Row's
  const encoders = columns.map((column) => ({ column, kind: kinds[column] }))
  const quoted = columns.map((column) => `"${column}"`)
  const assignments = new Map<string, string>()
  return {
    table,
    columns,
    kinds,
    list: quoted.join(', '),
    listOf: (alias) => quoted.map((column) => `${alias}.${column}`).join(', '),
    insert(further = []) {
      const all = [...quoted, ...further]
      return `insert into ${table} (${all.join(', ')}) values (${all.map(() => '?').join(', ')})`
    },
    values: (row) => encoders.map(({ column, kind }) => encode(kind, row[column])),
    decode(raw) {
      const row: Record<string, unknown> = {}
      for (const { column, kind } of encoders) row[column] = decode(kind, raw[column])
      return row as Row // every member was decoded by its kind
    },
    assign(patch) {
      const present = encoders.filter(({ column }) => patch[column] !== undefined)
      const key = present.map(({ column }) => column).join(' ')
      let text = assignments.get(key)
      if (text === undefined) assignments.set(key, (text = present.map(({ column }) => `"${column}" = ?`).join(', ')))
      return { text, values: present.map(({ column, kind }) => encode(kind, patch[column])) }
    },
  }
}

export function encode(kind: Kind, value: unknown): Value {
  if (value === null || value === undefined) return null
  switch (kind) {
    case 'bool':
      return value ? 1 : 0
    case 'json':
      return JSON.stringify(value)
    case 'level':
      return rank(value as Level) // the kind says that the member is a level
    default:
      return value as Value // the kind says that the member is a text or a number
  }
}

function decode(kind: Kind, value: unknown): unknown {
  if (value === null || value === undefined) return null
  switch (kind) {
    case 'bool':
      return value === 1
    case 'json':
      return JSON.parse(value as string) // the column holds what `encode` wrote
    case 'level':
      return levelOf(value as number) // the column holds what `encode` wrote
    default:
      return value
  }
}

/** The text that two names share when they differ in case only. */
export function fold(text: string): string {
  return text.normalize('NFC').toLowerCase()
}
