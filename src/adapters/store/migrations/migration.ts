/** One step forward of the schema, written for both engines together. Never changed once released: its checksum is kept in every database. */
export type Migration = { readonly version: number; readonly name: string; readonly sqlite: readonly string[]; readonly postgres: readonly string[] }

/** The words for column types. Texts compare byte by byte in both engines, or lists would differ in order. */
export type Types = {
  readonly text: string
  readonly whole: string
  readonly flag: string
  readonly number: string
  readonly document: string
  readonly end: string
}

const sqlite: Types = { text: 'text', whole: 'integer', flag: 'integer', number: 'real', document: 'text', end: ' strict' }
const postgres: Types = { text: 'text collate "C"', whole: 'bigint', flag: 'smallint', number: 'double precision', document: 'text', end: '' }

/** A migration whose statements differ in the words for types only. */
export function pair(version: number, name: string, statements: (types: Types) => readonly string[]): Migration {
  return { version, name, sqlite: statements(sqlite), postgres: statements(postgres) }
}
