import { ActionFailed } from '../builtin.ts'
import { TextBuilder } from '../size.ts'
import { daysInMonth, localAt, momentOf, offsetAt, two, writeOffset } from './zone.ts'
import type { LocalTime } from './zone.ts'

const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'] as const
const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const

/** The day of the week of a local date, in English. */
function weekdayOf({ year, month, day }: LocalTime): string {
  return weekdays[new Date(new Date(0).setUTCFullYear(year, month - 1, day)).getUTCDay()] ?? ''
}

/** A moment as a pattern writes it. Errors: `ActionFailed` for a letter that means nothing. */
function writePattern(ms: number, pattern: string, zone: string): string {
  const local = localAt(ms, zone)
  const offset = offsetAt(ms, zone)
  const text = new TextBuilder()
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] !== '%') text.add(pattern[at] ?? '')
    else text.add(writeLetter(pattern[++at] ?? '', { ms, local, offset, zone }))
  }
  return text.toString()
}

type Written = { readonly ms: number; readonly local: LocalTime; readonly offset: number; readonly zone: string }

function writeLetter(letter: string, { ms, local, offset, zone }: Written): string {
  const { year, month, day, hour, minute, second } = local
  switch (letter) {
    case 'Y':
      return String(year).padStart(4, '0')
    case 'y':
      return two(year % 100)
    case 'm':
      return two(month)
    case 'B':
      return months[month - 1] ?? ''
    case 'b':
      return (months[month - 1] ?? '').slice(0, 3)
    case 'd':
      return two(day)
    case 'e':
      return String(day).padStart(2)
    case 'j':
      return String(dayOfYear(local)).padStart(3, '0')
    case 'A':
      return weekdayOf(local)
    case 'a':
      return weekdayOf(local).slice(0, 3)
    case 'H':
      return two(hour)
    case 'I':
      return two(hour % 12 || 12)
    case 'p':
      return hour < 12 ? 'AM' : 'PM'
    case 'M':
      return two(minute)
    case 'S':
      return two(second)
    case 'L':
      return String(local.ms).padStart(3, '0')
    case 'f':
      return `${String(local.ms).padStart(3, '0')}000`
    case 'z':
      return writeOffset(offset, '')
    case 'Z':
      return zone
    case 's':
      return String(Math.floor(ms / 1000))
    case '%':
      return '%'
    default:
      throw new ActionFailed(
        `The pattern has "%${letter}", which means nothing; known are %Y %y %m %B %b %d %e %j %A %a %H %I %p %M %S %L %f %z %Z %s %%`,
      )
  }
}

function dayOfYear({ year, month, day }: LocalTime): number {
  let days = day
  for (let before = 1; before < month; before++) days += daysInMonth(year, before)
  return days
}

type Reading = {
  readonly local: { -readonly [Member in keyof LocalTime]: LocalTime[Member] }
  offset: number | null
  afternoon: boolean | null
  unix: number | null
}

/** The moment that a text names in the form of a pattern. Errors: `ActionFailed` with the place where it does not fit. */
function readPattern(text: string, pattern: string, zone: string): number {
  const reading: Reading = {
    local: { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, ms: 0 },
    offset: null,
    afternoon: null,
    unix: null,
  }
  let at = 0
  for (let index = 0; index < pattern.length; index++) {
    const letter = pattern[index] === '%' ? (pattern[++index] ?? '') : null
    const width = letter === null || letter === '%' ? (text[at] === pattern[index] ? 1 : 0) : readLetter(letter, text.slice(at, at + 40), reading)
    if (width === 0) throw new ActionFailed(`The text does not fit the pattern at character ${at + 1}`)
    at += width
  }
  if (at < text.length) throw new ActionFailed(`The text goes on behind the pattern, at character ${at + 1}`)
  return finished(reading, zone)
}

function finished({ local, offset, afternoon, unix }: Reading, zone: string): number {
  if (unix !== null) return unix * 1000
  if (afternoon !== null) {
    if (local.hour < 1 || local.hour > 12) throw new ActionFailed('An hour before AM or PM is 1 to 12')
    local.hour = (local.hour % 12) + (afternoon ? 12 : 0)
  }
  checkLocal(local)
  return offset === null ? momentOf(local, zone) : momentOf(local, 'UTC') - offset
}

/** Refuses what no calendar and clock shows. */
function checkLocal({ year, month, day, hour, minute, second }: LocalTime): void {
  const fits = month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month) && hour <= 23 && minute <= 59 && second <= 59
  if (!fits) throw new ActionFailed('There is no such day or time of day')
}

/** How much of the text a letter takes; 0 when it does not fit. */
function readLetter(letter: string, text: string, reading: Reading): number {
  const { local } = reading
  const take = (form: RegExp, use: (found: string) => void): number => {
    const found = form.exec(text)?.[0] ?? ''
    if (found !== '') use(found)
    return found.length
  }
  const name = (names: readonly string[], use: (index: number) => void): number => {
    const index = names.findIndex((one) => text.toLowerCase().startsWith(one.toLowerCase()))
    if (index >= 0) use(index)
    return names[index]?.length ?? 0
  }
  switch (letter) {
    case 'Y':
      return take(/^\d{4}/, (found) => (local.year = Number(found)))
    case 'y':
      return take(/^\d{2}/, (found) => (local.year = Number(found) + (Number(found) < 69 ? 2000 : 1900)))
    case 'm':
      return take(/^\d{1,2}/, (found) => (local.month = Number(found)))
    case 'B':
      return name(months, (index) => (local.month = index + 1))
    case 'b':
      return name(
        months.map((one) => one.slice(0, 3)),
        (index) => (local.month = index + 1),
      )
    case 'd':
    case 'e':
      return take(/^ ?\d{1,2}/, (found) => (local.day = Number(found)))
    case 'A':
      return name(weekdays, () => {})
    case 'a':
      return name(
        weekdays.map((one) => one.slice(0, 3)),
        () => {},
      )
    case 'H':
    case 'I':
      return take(/^\d{1,2}/, (found) => (local.hour = Number(found)))
    case 'p':
      return name(['AM', 'PM'], (index) => (reading.afternoon = index === 1))
    case 'M':
      return take(/^\d{1,2}/, (found) => (local.minute = Number(found)))
    case 'S':
      return take(/^\d{1,2}/, (found) => (local.second = Number(found)))
    case 'L':
    case 'f':
      return take(/^\d{1,9}/, (found) => (local.ms = Math.floor(Number(`0.${found}`) * 1000 + 1e-6)))
    case 'z':
      return take(/^(?:Z|[+-]\d{2}:?\d{2})/, (found) => (reading.offset = readOffset(found)))
    case 's':
      return take(/^-?\d{1,12}/, (found) => (reading.unix = Number(found)))
    default:
      throw new ActionFailed(`The pattern has "%${letter}", which cannot be read; known are %Y %y %m %B %b %d %e %A %a %H %I %p %M %S %L %f %z %s %%`)
  }
}

/** An offset in milliseconds, from `Z`, `+0200` or `+02:00`. */
function readOffset(text: string): number {
  if (text === 'Z' || text === 'z') return 0
  const [hours, minutes] = [Number(text.slice(1, 3)), Number(text.slice(-2))]
  if (hours > 18 || minutes > 59) throw new ActionFailed(`"${text}" is no offset`)
  return (text.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

export { writePattern, readPattern, readOffset, weekdayOf, checkLocal }
