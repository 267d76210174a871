import { flagMember, isJsonObject, memberOf, textMember } from '../../document/members.ts'
import { textOf } from '../../language/path.ts'
import { ActionFailed, builtinPlugin, pure } from '../builtin.ts'
import { listInput } from '../input.ts'
import { TextBuilder } from '../size.ts'
import { readRows, writeField } from './rows.ts'
import { csvSpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'

/** Comma-separated values. */
const csvPlugin = builtinPlugin('csv', csvSpec, { parse: pure(parse), make: pure(make) })

function parse(input: JsonObject): JsonObject {
  const rows = readRows(textMember(input, 'csv'), separatorOf(input))
  const [first] = rows
  const odd = rows.findIndex((row) => row.length !== first?.length)
  if (odd >= 0) throw new ActionFailed(`Row ${odd + 1} has ${rows[odd]?.length} fields, and the first one ${first?.length}`)
  if (!flagMember(input, 'header')) return { rows, columns: [], count: rows.length }
  const columns = first ?? []
  const seen = new Set<string>()
  const double = columns.find((name) => seen.size === seen.add(name).size)
  if (double !== undefined) throw new ActionFailed(`Two columns are called "${double.slice(0, 100)}"`)
  const objects = rows.slice(1).map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index] ?? ''])))
  return { rows: objects, columns, count: objects.length }
}

function make(input: JsonObject): JsonObject {
  const separator = separatorOf(input)
  const rows = listInput(input, 'rows')
  const given = listInput(input, 'columns').map(textOf)
  const columns = given.length > 0 ? given : [...new Set(rows.flatMap((row) => (isJsonObject(row) ? Object.keys(row) : [])))]
  const text = new TextBuilder()
  const write = (fields: readonly string[]) => {
    for (const [index, field] of fields.entries()) text.add(index === 0 ? '' : separator).add(writeField(field, separator))
    // A row of one empty field would be no row.
    text.add(fields.length === 1 && fields[0] === '' ? '""\r\n' : '\r\n')
  }
  if (flagMember(input, 'header') && columns.length > 0) write(columns)
  for (const [index, row] of rows.entries()) write(fieldsOf(row, index, columns))
  return { csv: text.toString(), count: rows.length }
}

function fieldsOf(row: Json, index: number, columns: readonly string[]): string[] {
  if (Array.isArray(row)) return row.map(textOf)
  if (!isJsonObject(row)) throw new ActionFailed(`Row ${index + 1} is neither an object nor an array`)
  return columns.map((name) => textOf(memberOf(row, name)))
}

function separatorOf(input: JsonObject): string {
  const separator = textMember(input, 'separator')
  if (separator.length !== 1 || /["\r\n]/.test(separator)) throw new ActionFailed('"separator" is one character, and neither a quote nor a line end')
  return separator
}

export { csvPlugin }
