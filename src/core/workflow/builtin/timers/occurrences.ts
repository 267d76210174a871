import { timestamp } from '../../../kernel/clock.ts'
import { memberOf, textMember } from '../../document/members.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'

/** When a time trigger fires, all in UTC. */
type TimerPlan = {
  /** The first occurrence after a moment. */
  next(after: number): number
  /** The latest occurrence at or before `until` and after `after`; null when there is none: what a server that was down has to catch up with. */
  latest(after: number, until: number): number | null
  /** The same as cron expressions of five fields; null when five fields cannot say it: pauses, and times with seconds. */
  readonly crons: readonly string[] | null
}

/** What a time trigger was given cannot be read; the message is for the author of the workflow. */
class TimerRefused extends Error {
  override readonly name = 'TimerRefused'
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const longestPeriod = 366 * 24 * 60
/** At most one event a second. */
const shortestPeriod = 1 / 60

/**
 * When a time trigger (`periodic`, `hourly`, `daily`, `weekly`, `monthly`, contract §17) fires with this input. `since` is the moment from which pauses are
 * counted: that at which the trigger was bound. Errors: `TimerRefused`.
 */
function timerPlan(identifier: string, input: JsonObject, since: number): TimerPlan {
  switch (identifier) {
    case 'periodic':
      return periodic(numberOf(memberOf(input, 'period') ?? 60, 'period'), since)
    case 'hourly': {
      const minute = wholeOf(memberOf(input, 'minute') ?? null, 'minute', { least: 0, most: 59 })
      return calendar([minute * minuteMs], { every: hourMs, fits: () => true, crons: [`${minute} * * * *`] })
    }
    case 'daily':
      return daily(textMember(input, 'times_in_utc'), () => true, '* * *')
    case 'weekly': {
      const days = readDays(textMember(input, 'day'))
      return daily(textMember(input, 'times_in_utc'), (day) => days.includes(new Date(day).getUTCDay()), `* * ${days.join(',')}`)
    }
    case 'monthly': {
      const day = wholeOf(memberOf(input, 'day_of_month') ?? null, 'day_of_month', { least: 1, most: 31 })
      return daily(textMember(input, 'times_in_utc') || '00:00', (start) => new Date(start).getUTCDate() === day, `${day} * *`)
    }
    default:
      throw new TimerRefused(`There is no time trigger "${identifier.slice(0, 60)}"`)
  }
}

/** What a time trigger hands to the workflow that it starts. */
function timerOutput(input: JsonObject, due: number): JsonObject {
  return { message: textMember(input, 'message'), time: timestamp(due) ?? '' }
}

function periodic(period: number, since: number): TimerPlan {
  if (period < shortestPeriod || period > longestPeriod) throw new TimerRefused('"period" is from one second to 366 days, in minutes')
  const ms = period * minuteMs
  const round = (count: number) => Math.round(since + count * ms)
  return {
    crons: null,
    next(after) {
      let count = Math.max(Math.floor((after - since) / ms), 0)
      while (round(count) <= after || count === 0) count++
      return round(count)
    },
    latest(after, until) {
      let count = Math.max(Math.ceil((until - since) / ms), 0)
      while (count > 0 && round(count) > until) count--
      return count > 0 && round(count) > after ? round(count) : null
    },
  }
}

function daily(times: string, fits: (day: number) => boolean, days: string): TimerPlan {
  const offsets = readTimes(times)
  const whole = offsets.every((offset) => offset % minuteMs === 0)
  const crons = offsets.map((offset) => `${Math.floor((offset % hourMs) / minuteMs)} ${Math.floor(offset / hourMs)} ${days}`)
  return calendar(offsets, { every: dayMs, fits, crons: whole ? crons : null })
}

type Days = { readonly every: number; readonly fits: (start: number) => boolean; readonly crons: readonly string[] | null }

/** At these offsets of every hour or day that fits. No day of a month is further away than the two months after it. */
function calendar(offsets: readonly number[], { every, fits, crons }: Days): TimerPlan {
  const within = 100
  const last = [...offsets].reverse()
  return {
    crons,
    next(after) {
      const first = Math.floor(after / every) * every
      for (let start = first; start <= first + within * every; start += every) {
        const offset = fits(start) ? offsets.find((one) => start + one > after) : undefined
        if (offset !== undefined) return start + offset
      }
      throw new TimerRefused('It never comes')
    },
    latest(after, until) {
      const first = Math.floor(until / every) * every
      for (let start = first; start >= first - within * every && start + every > after; start -= every) {
        const offset = fits(start) ? last.find((one) => start + one <= until) : undefined
        if (offset !== undefined) return start + offset > after ? start + offset : null
      }
      return null
    },
  }
}

const mostTimes = 1440
const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?\s?(am|pm)?$/i

/** Times of day in milliseconds from midnight, in their order, each once. Errors: `TimerRefused` that names the one that is none. */
function readTimes(text: string): number[] {
  const offsets = new Set<number>()
  const parts = text.split(',').map((part) => part.trim())
  if (parts.length > mostTimes) throw new TimerRefused(`"times_in_utc" has at most ${mostTimes} times`)
  for (const part of parts) {
    const found = clock.exec(part)
    const half = found?.[4]?.toLowerCase()
    const [hour, minute, second] = [Number(found?.[1]), Number(found?.[2]), Number(found?.[3] ?? 0)]
    const fits = half ? hour >= 1 && hour <= 12 : hour <= 23
    if (!found || !fits || minute > 59 || second > 59)
      throw new TimerRefused(`"${part.slice(0, 40)}" of "times_in_utc" is no time of day; write 15:04, 3:04pm, 15:04:05 or 3:04:05pm`)
    const hours = half ? (hour % 12) + (half === 'pm' ? 12 : 0) : hour
    offsets.add(((hours * 60 + minute) * 60 + second) * 1000)
  }
  return [...offsets].sort((a, b) => a - b)
}

const dayNames = [
  ['sunday', 'sun'],
  ['monday', 'mon'],
  ['tuesday', 'tue'],
  ['wednesday', 'wed'],
  ['thursday', 'thu', 'thurs'],
  ['friday', 'fri'],
  ['saturday', 'sat'],
] as const

/** Days of the week, 0 for Sunday, in their order, each once. Errors: `TimerRefused`. */
function readDays(text: string): number[] {
  const days = text.split(',').map((part) => {
    const name = part.trim().toLowerCase()
    const day = dayNames.findIndex((names) => names.some((one) => one === name))
    if (day < 0) throw new TimerRefused(`"${part.trim().slice(0, 40)}" of "day" is no day of the week; write for example monday or mon`)
    return day
  })
  return [...new Set(days)].sort((a, b) => a - b)
}

// Inputs of triggers come from files and forms, where numbers may be texts.
function numberOf(value: Json, name: string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) throw new TimerRefused(`"${name}" is a number`)
  return number
}

function wholeOf(value: Json, name: string, { least, most }: { least: number; most: number }): number {
  const number = numberOf(value, name)
  if (!Number.isInteger(number) || number < least || number > most) throw new TimerRefused(`"${name}" is a whole number from ${least} to ${most}`)
  return number
}

export type { TimerPlan }
export { timerPlan, timerOutput, TimerRefused }
