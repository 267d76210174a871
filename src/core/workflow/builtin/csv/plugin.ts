import { flagMember, isJsonObject, memberOf, textMember } from '../../document/members.ts'
import { textOf } from '../../language/path.ts'
import { ActionFailed, builtinPlugin, pure } from '../builtin.ts'
import { listInput } from '../input.ts'
import { TextBuilder, jsonSize, outputLimit, textLimit } from '../size.ts'
import { readRows, writeField } from './rows.ts'
import { csvSpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'

/** Comma-separated values. */
const csvPlugin = builtinPlugin('csv', csvSpec, { parse: pure(parse), make: pure(make) })

function parse(input: JsonObject): JsonObject {
  const text = textMember(input, 'csv')
  const read = readRows(text, separatorOf(input))
  const width = read[0]?.length ?? 0
  const fill = textMember(input, 'short_rows') === 'fill'
  const rows = read.flatMap((row, index) => {
    // An empty line is no row, unless rows have one field.
    if (width > 1 && row.length === 1 && row[0] === '') return []
    if (row.length === width) return [row]
    if (fill && row.length < width) return [[...row, ...Array<string>(width - row.length).fill('')]]
    throw new ActionFailed(`Row ${index + 1} has ${row.length} fields, and the first one ${width}`)
  })
  if (!flagMember(input, 'header')) return { rows, columns: [], count: rows.length }
  const columns = rows[0] ?? []
  const seen = new Set<string>()
  const double = columns.find((name) => seen.size === seen.add(name).size)
  if (double !== undefined) throw new ActionFailed(`Two columns are called "${double.slice(0, 100)}"`)
  // Every row repeats the names: told before that much is made.
  if (text.length + rows.length * jsonSize(columns, outputLimit) > outputLimit) throw new ActionFailed('The rows would be larger than 32 MiB')
  const objects = rows.slice(1).map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index] ?? ''])))
  return { rows: objects, columns, count: objects.length }
}

function make(input: JsonObject): JsonObject {
  const separator = separatorOf(input)
  const rows = listInput(input, 'rows')
  const given = listInput(input, 'columns').map(textOf)
  const columns = given.length > 0 ? given : [...new Set(rows.flatMap((row) => (isJsonObject(row) ? Object.keys(row) : [])))]
  // So many separators and line ends there are at least.
  if (rows.filter(isJsonObject).length * columns.length > textLimit) throw new ActionFailed('The text would become larger than 10 MiB')
  const text = new TextBuilder()
  const write = (fields: readonly string[]) => {
    // A row of one empty field would be no row.
    const line = fields.length === 1 && fields[0] === '' ? '""' : fields.map((field) => writeField(field, separator)).join(separator)
    text.add(line).add('\r\n')
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
