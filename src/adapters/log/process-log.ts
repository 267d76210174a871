import { Secret } from '../../core/kernel/json.ts'
import type { Log, LogFields } from '../../core/kernel/log.ts'

type LogLevel = 'debug' | 'info' | 'warn' | 'error'

type ProcessLogOptions = {
  /** The least that is written. */
  readonly level: LogLevel
  readonly format: 'json' | 'pretty'
  readonly write: (line: string) => void
  readonly now: () => number
}

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** The log of the process: one line per event, secrets masked by their type and by the names of their members. */
function createProcessLog(options: ProcessLogOptions): Log {
  const format = options.format === 'json' ? jsonLine : prettyLine
  const at = (level: LogLevel) => {
    if (ranks[level] < ranks[options.level]) return () => {}
    return (event: string, fields: LogFields = {}) => options.write(format(level, event, fields, options.now()))
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Where the log of a server goes: standard error. A reader that has gone away must not end the server. */
function stderrLog({ level, format }: { level: LogLevel; format: 'auto' | 'json' | 'pretty' }): Log {
  process.stderr.on('error', () => {})
  const chosen = format === 'auto' ? (process.stderr.isTTY ? 'pretty' : 'json') : format
  return createProcessLog({ level, format: chosen, write: (line) => process.stderr.write(line), now: Date.now })
}

function jsonLine(level: LogLevel, event: string, fields: LogFields, now: number): string {
  const own = { time: new Date(now).toISOString(), level, event }
  // Ours come first, and a field of the same name does not replace them.
  return `${JSON.stringify(Object.assign({ ...own }, plain(fields, 0), own))}\n`
}

function prettyLine(level: LogLevel, event: string, fields: LogFields, now: number): string {
  const time = new Date(now).toISOString().slice(11, 23)
  const known = plain(fields, 0) as Readonly<Record<string, unknown>> // a record of fields stays one
  const parts = Object.entries(known).map(([name, value]) => `${name}=${visible(shortOf(value))}`)
  const stacks = Object.values(known).flatMap((value) => stackOf(value).map((line) => `\n    ${visible(line)}`))
  return `${time} ${level.toUpperCase().padEnd(5)} ${[event, ...parts].join(' ')}${stacks.join('')}\n`
}

function shortOf(value: unknown): string {
  if (typeof value === 'string') return value
  const message: unknown = stackOf(value).length > 0 ? Reflect.get(value as object, 'message') : undefined // only objects have stacks
  return typeof message === 'string' ? message : (JSON.stringify(value) ?? '')
}

function stackOf(value: unknown): string[] {
  const stack: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'stack') : undefined
  return typeof stack === 'string' ? stack.split('\n').slice(1, 12) : []
}

// What users wrote must not move the cursor, colour the terminal or begin a line of its own.
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}')
}

const deepest = 6
const longestText = 8192
const mostItems = 100
const secretName = /passw|secret|token|authorization|cookie|api[-_]?key|credential$/i

// The value as JSON can hold it, whatever it is: cycles end by depth, errors become objects, and nothing here throws.
function plain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return value.length > longestText ? `${value.slice(0, longestText)}… (${value.length})` : value
    case 'bigint':
    case 'symbol':
      return value.toString()
    case 'function':
    case 'undefined':
      return undefined
    case 'object':
      return value === null ? null : plainObject(value, depth)
    default:
      return value
  }
}

function plainObject(value: object, depth: number): unknown {
  if (value instanceof Secret) return '***'
  if (depth >= deepest) return '…'
  if (value instanceof Error) return plainError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`
  if (Array.isArray(value)) return value.slice(0, mostItems).map((item) => plain(item, depth + 1))
  if (value instanceof Map || value instanceof Set) return plain([...value].slice(0, mostItems), depth)
  const entries = Object.entries(value).slice(0, mostItems)
  return Object.fromEntries(entries.map(([name, member]) => [name, secretName.test(name) && isTelling(member) ? '***' : plain(member, depth + 1)]))
}

// A member like `token_count: 3` or `credential: null` tells nothing.
function isTelling(member: unknown): boolean {
  return typeof member === 'string' || (typeof member === 'object' && member !== null)
}

function plainError(error: Error, depth: number): unknown {
  const { name, message, stack, cause } = error
  const code: unknown = Reflect.get(error, 'code')
  const context: unknown = Reflect.get(error, 'context')
  return plain(
    {
      name,
      message,
      ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
      ...(typeof context === 'object' && context !== null ? { context } : {}),
      ...(typeof stack === 'string' ? { stack } : {}),
      ...(cause === undefined ? {} : { cause: plain(cause, depth + 1) }),
    },
    depth,
  )
}

export type { LogLevel, ProcessLogOptions }
export { createProcessLog, stderrLog }
