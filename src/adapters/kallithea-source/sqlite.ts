import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { SourceRefused } from '../../ports/import-source.ts'
import type { Reader } from './reader.ts'

/** Reads an SQLite file. Nothing that is defined inside of it (views, triggers, functions in the schema) gets to do anything. */
function sqliteReader(file: string): Reader {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) throw new SourceRefused(`There is no file ${file}.`)
  const database = open(file)
  return {
    // A view is none: what it computes is not ours to run.
    tablesText: "select name from sqlite_schema where type = 'table'",
    async all(text, values = []) {
      return database.prepare(text).all(...values)
    },
    async close() {
      database.close()
    },
  }
}

function open(file: string): DatabaseSync {
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(file, { readOnly: true, allowExtension: false, enableDoubleQuotedStringLiterals: false, timeout: 10_000 })
    // A schema that is hostile may name functions in views and indexes: they are not called.
    database.exec('pragma trusted_schema = off; pragma cell_size_check = on; pragma query_only = on; begin')
    database.prepare('select count(*) from sqlite_schema').get()
    return database
  } catch (error) {
    database?.close()
    throw new SourceRefused(`${file} cannot be read as an SQLite database (${error instanceof Error ? error.message : String(error)}).`, {
      cause: error,
    })
  }
}

export { sqliteReader }
