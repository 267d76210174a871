import { ActionFailed } from '../builtin.ts'

/** What calendars and clocks of a zone show. `month` is 1 to 12, `weekday` 0 for Sunday. */
type LocalTime = {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly ms: number
}

const earliest = new Date(0).setUTCFullYear(1, 0, 1)
const latest = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** The moment, unless it is in a year that four digits cannot write. */
function checkedMoment(ms: number): number {
  if (!Number.isFinite(ms) || ms < earliest || ms > latest) throw new ActionFailed('The moment is not between the years 1 and 9999')
  return Math.round(ms)
}

/** How far the clocks of a zone are ahead of UTC at a moment, in milliseconds. Errors: `ActionFailed` for a zone that is not known. */
function offsetAt(ms: number, zone: string): number {
  if (zone === 'UTC') return 0
  const parts = new Map(
    formatterOf(zone)
      .formatToParts(new Date(ms))
      .map(({ type, value }) => [type, value]),
  )
  const part = (type: Intl.DateTimeFormatPartTypes) => Number(parts.get(type))
  // Whole seconds are what is compared: the parts have no milliseconds.
  const local = utcOf({
    year: part('year'),
    month: part('month'),
    day: part('day'),
    hour: part('hour'),
    minute: part('minute'),
    second: part('second'),
    ms: 0,
  })
  return local - Math.floor(ms / 1000) * 1000
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    throw new ActionFailed(`There is no time zone "${zone.slice(0, 60)}"; write for example Europe/Berlin or UTC`)
  }
}

/** What the clocks of a zone show at a moment. */
function localAt(ms: number, zone: string): LocalTime {
  const shifted = new Date(ms + offsetAt(ms, zone))
  return {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
    hour: shifted.getUTCHours(),
    minute: shifted.getUTCMinutes(),
    second: shifted.getUTCSeconds(),
    ms: shifted.getUTCMilliseconds(),
  }
}

/** The moment at which the clocks of a zone show this. Of two the first; a time that the clocks leap over counts by the offset before the leap. */
function momentOf(local: LocalTime, zone: string): number {
  const as = utcOf(local)
  const [before, after] = [offsetAt(as - 86_400_000, zone), offsetAt(as + 86_400_000, zone)]
  const fits = [as - before, as - after].filter((ms) => offsetAt(ms, zone) === as - ms)
  return checkedMoment(fits.length > 0 ? Math.min(...fits) : as - before)
}

// Date.UTC means the twentieth century by years of two digits.
function utcOf({ year, month, day, hour, minute, second, ms }: LocalTime): number {
  return new Date(0).setUTCFullYear(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1000 + ms
}

function daysInMonth(year: number, month: number): number {
  return new Date(new Date(0).setUTCFullYear(year, month, 0)).getUTCDate()
}

/** An offset as `+02:00`. */
function writeOffset(offsetMs: number, colon: string): string {
  const minutes = Math.floor(Math.abs(offsetMs) / 60_000)
  return `${offsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${colon}${two(minutes % 60)}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** RFC 3339 in UTC; milliseconds where there are some. */
function writeMoment(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}

export type { LocalTime }
export { checkedMoment, offsetAt, localAt, momentOf, daysInMonth, writeOffset, writeMoment, two }
