import { ActionFailed } from '../builtin.ts'
import { listLimit } from '../size.ts'

/**
 * The rows of a text as RFC 4180 has them: fields in quotes may hold separators, line ends and doubled quotes, a line ends with CR LF or LF, and the last one
 * may end without. Errors: `ActionFailed` with the line.
 */
function readRows(text: string, separator: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let at = text.startsWith('\uFEFF') ? 1 : 0
  let line = 1
  while (at < text.length) {
    const field = text[at] === '"' ? quotedField(text, at, line) : plainField(text, at, separator, line)
    row.push(field.value)
    if (row.length > listLimit) throw new ActionFailed(`Line ${line}: a row has at most ${listLimit} fields`)
    line += field.lines
    at = field.end
    if (text[at] === separator) {
      at++
      if (at < text.length) continue
      row.push('')
    }
    const width = text.startsWith('\r\n', at) ? 2 : text[at] === '\n' ? 1 : 0
    if (width === 0 && at < text.length) throw new ActionFailed(`Line ${line}: something stands behind a closing quote`)
    at += width
    line++
    rows.push(row)
    if (rows.length > listLimit) throw new ActionFailed(`There are more than ${listLimit} rows`)
    row = []
  }
  return rows
}

type Field = { readonly value: string; readonly end: number; readonly lines: number }

function quotedField(text: string, start: number, line: number): Field {
  let value = ''
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from)
    if (quote < 0) throw new ActionFailed(`Line ${line}: a quote is not closed`)
    value += text.slice(from, quote)
    if (text[quote + 1] !== '"') return { value, end: quote + 1, lines: value.split('\n').length - 1 }
    value += '"'
    from = quote + 2
  }
}

function plainField(text: string, start: number, separator: string, line: number): Field {
  let end = start
  for (; end < text.length; end++) {
    const character = text[end]
    if (character === separator || character === '\n') break
    if (character === '\r' && text[end + 1] === '\n') break
    if (character === '"') throw new ActionFailed(`Line ${line}: a quote inside of a field that does not begin with one`)
  }
  return { value: text.slice(start, end), end, lines: 0 }
}

/** A field as it is written: in quotes where it has to be. */
function writeField(value: string, separator: string): string {
  return value.includes(separator) || /["\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

export { readRows, writeField }
