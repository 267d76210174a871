import { isObject } from '../core/kernel/json.ts'
import { oneLine } from './terminal.ts'

// What people look for first, in this order; a column that no row fills is left out.
const preferred = [
  'serial',
  'name',
  'path',
  'login',
  'title',
  'label',
  'key',
  'kind',
  'to',
  'on',
  'level',
  'scope',
  'state',
  'status',
  'at',
  'actor',
  'operation',
  'subject',
  'outcome',
]
const alsoGood = ['email', 'administrator', 'active', 'private', 'default_branch', 'started_by', 'created_at', 'expires_at', 'description', 'id']
const mostColumns = 7
const widest = 48
const longest = 300

/** An output for people: a table for a list, `member  value` lines for one thing, nothing for nothing. */
function renderOutput(output: unknown): string {
  if (!isObject(output)) return output === null ? '' : `${oneLine(String(output))}\n`
  if (Array.isArray(output.items)) return renderList(output.items, output.next)
  const members = Object.entries(output)
  if (members.length === 0) return 'Done.\n'
  const width = Math.max(...members.map(([name]) => name.length))
  return members.map(([name, value]) => `${`${name.padEnd(width)}  ${brief(value)}`.trimEnd()}\n`).join('')
}

function renderList(items: readonly unknown[], next: unknown): string {
  const more = typeof next === 'string' ? `There is more: --cursor ${oneLine(next)}\n` : ''
  if (items.length === 0) return 'There is none.\n'
  const rows = items.filter(isObject)
  if (rows.length === 0) return `${items.map(cell).join('\n')}\n${more}`
  return table(rows, columnsOf(rows)) + more
}

function columnsOf(rows: readonly Record<string, unknown>[]): string[] {
  const filled = new Set(rows.flatMap((row) => Object.keys(row).filter((name) => isShown(row[name]))))
  const known = [...preferred, ...alsoGood].filter((name) => filled.has(name))
  const others = [...filled].filter((name) => !known.includes(name))
  const chosen = [...known, ...others].slice(0, mostColumns)
  // Something to give to the next command must be there.
  return chosen.some((name) => ['id', 'name', 'path', 'serial'].includes(name)) || !filled.has('id')
    ? chosen
    : ['id', ...chosen.slice(0, mostColumns - 1)]
}

function isShown(value: unknown): boolean {
  return value !== null && value !== '' && typeof value !== 'object'
}

function table(rows: readonly Record<string, unknown>[], columns: readonly string[]): string {
  const lines = [columns.map((name) => name.toUpperCase()), ...rows.map((row) => columns.map((name) => shorten(cell(row[name]))))]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)))
  return lines
    .map(
      (line) =>
        `${line
          .map((text, index) => text.padEnd(widths[index] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'object') return oneLine(JSON.stringify(value))
  return oneLine(String(value))
}

// A whole document in one line tells nobody anything.
function brief(value: unknown): string {
  const text = cell(value)
  return typeof value === 'object' && text.length > longest ? `${text.slice(0, longest)}… (--json has it whole)` : text
}

// An id or a name that is cut cannot be given to the next command; long sentences can.
function shorten(text: string): string {
  return text.length > widest && text.includes(' ') ? `${text.slice(0, widest - 1)}…` : text
}

export { renderOutput }
