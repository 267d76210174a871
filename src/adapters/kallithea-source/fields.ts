import type { Raw } from './reader.ts'

/** The text of a column; '' for what is none. */
function textOf(raw: Raw, column: string): string {
  const value = raw[column]
  // A lone surrogate or a NUL is stored nowhere here.
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '') : ''
}

/** The same, null where there is nothing. */
function textOrNull(raw: Raw, column: string): string | null {
  return typeof raw[column] === 'string' ? textOf(raw, column) : null
}

/** A whole number; null for what is none. */
function numberOf(raw: Raw, column: string): number | null {
  const value = raw[column]
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : null
}

/** The id in a column; 0, which nothing has, for what is none. */
function idOf(raw: Raw, column: string): number {
  return numberOf(raw, column) ?? 0
}

function flagOf(raw: Raw, column: string): boolean {
  return raw[column] === true || raw[column] === 1
}

/** Epoch milliseconds of a column that was read as text: local time of the server there, and taken for that of this one. 0 for what is none. */
function timeOf(raw: Raw, column: string): number {
  const parts = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,3})?/.exec(textOf(raw, column))
  const ms = parts ? new Date(`${parts[1]}T${parts[2]}${parts[3] ?? ''}`).getTime() : 0
  return Number.isFinite(ms) ? ms : 0
}

/** Epoch milliseconds of seconds since 1970; null for -1, which means never. */
function momentOf(raw: Raw, column: string): number | null {
  const seconds = Number(raw[column])
  return Number.isFinite(seconds) && seconds !== -1 ? Math.max(0, Math.min(Math.round(seconds * 1000), 8.64e15)) : null
}

export { textOf, textOrNull, numberOf, idOf, flagOf, timeOf, momentOf }
