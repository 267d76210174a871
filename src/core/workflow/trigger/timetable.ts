import { parseCron } from '../../run/cron.ts'
import { memberOf } from '../document/members.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Schedule } from '../../run/cron.ts'
import type { Trigger } from './model.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
/** Far enough for the day that comes least often, a 29th of February over a year that is none of leap. */
const farthestDays = 366 * 8 + 2

/** The times of a trigger cannot be read; the message says why. */
class TimesRefused extends Error {
  override readonly name = 'TimesRefused'
}

type TimeTrigger = Extract<Trigger, { type: 'timer' | 'cron' }>

/**
 * When a time trigger fires (contract §17). `since` is what the period of `periodic` counts from. Throws `TimesRefused`, or the fault of `parseCron`.
 */
function timetableOf(trigger: TimeTrigger, since: number): Schedule {
  if (trigger.type === 'cron') return parseCron(trigger.schedule, trigger.zone)
  const { input } = trigger
  switch (trigger.identifier) {
    case 'periodic':
      return periodic(numberOf(input, 'period', 60, 1 / 60, 366 * 24 * 60) * minuteMs, since)
    case 'hourly': {
      const minute = wholeOf(input, 'minute', 0, 59)
      return onDays(
        () => true,
        Array.from({ length: 24 }, (_, hour) => (hour * 60 + minute) * minuteMs),
      )
    }
    case 'daily':
      return onDays(() => true, timesOf(input, null))
    case 'weekly': {
      const days = weekdaysOf(input)
      return onDays((day) => days.has(new Date(day).getUTCDay()), timesOf(input, null))
    }
    case 'monthly': {
      const wanted = wholeOf(input, 'day_of_month', 1, 31)
      return onDays((day) => new Date(day).getUTCDate() === wanted, timesOf(input, '00:00'))
    }
    default:
      throw new TimesRefused(`there is no time trigger "${trigger.identifier.slice(0, 60)}"; there are periodic, hourly, daily, weekly and monthly`)
  }
}

function periodic(period: number, since: number): Schedule {
  const ms = Math.round(period)
  const last = (at: number) => since + Math.floor((at - since) / ms) * ms
  return {
    next: (after) => Math.max(last(after) + ms, since + ms),
    latest(after, until) {
      const at = last(until)
      return at > after && at > since ? at : null
    },
  }
}

/** Fires at times of the day, on the days that count. */
function onDays(counts: (day: number) => boolean, times: readonly number[]): Schedule {
  const sorted = [...new Set(times)].sort((a, b) => a - b)
  const backwards = sorted.toReversed()
  const dayOf = (at: number) => Math.floor(at / dayMs) * dayMs
  return {
    next(after) {
      for (let day = dayOf(after), left = farthestDays; left > 0; day += dayMs, left--) {
        const time = counts(day) ? sorted.find((at) => day + at > after) : undefined
        if (time !== undefined) return day + time
      }
      return null
    },
    latest(after, until) {
      for (let day = dayOf(until), left = farthestDays; left > 0 && day + dayMs > after; day -= dayMs, left--) {
        const time = counts(day) ? backwards.find((at) => day + at <= until) : undefined
        if (time !== undefined) return day + time > after ? day + time : null
      }
      return null
    },
  }
}

/** A comma list of `15:04`, `3:04pm`, `15:04:05` and `3:04:05pm`, as milliseconds of the day. */
function timesOf(input: JsonObject, usual: string | null): number[] {
  const text = memberOf(input, 'times_in_utc') ?? usual
  if (typeof text !== 'string' || text.length > 2000) throw new TimesRefused('"times_in_utc" is not a comma list of times, as 15:04, 3:04pm')
  return text.split(',').map((part) => {
    const match = /^(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap]m)?$/i.exec(part.trim())
    const [, hours = '', minutes = '', seconds = '0', half = ''] = match ?? []
    const noon = half.toLowerCase()
    const hour = noon === '' ? Number(hours) : (Number(hours) % 12) + (noon === 'pm' ? 12 : 0)
    const right = noon === '' ? Number(hours) <= 23 : Number(hours) >= 1 && Number(hours) <= 12
    if (!match || !right || Number(minutes) > 59 || Number(seconds) > 59) {
      throw new TimesRefused(`"${part.trim().slice(0, 30)}" of "times_in_utc" is no time, as 15:04, 3:04pm, 15:04:05 or 3:04:05pm`)
    }
    return ((hour * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
  })
}

const weekdays: ReadonlyMap<string, number> = new Map(
  [
    ['sun', 'sunday'],
    ['mon', 'monday'],
    ['tue', 'tues', 'tuesday'],
    ['wed', 'wednesday'],
    ['thu', 'thurs', 'thursday'],
    ['fri', 'friday'],
    ['sat', 'saturday'],
  ].flatMap((names, day) => names.map((name) => [name, day] as const)),
)

function weekdaysOf(input: JsonObject): Set<number> {
  const text = memberOf(input, 'day')
  if (typeof text !== 'string' || text.length > 200) throw new TimesRefused('"day" is not a comma list of days, as Monday or mon')
  return new Set(
    text.split(',').map((part) => {
      const day = weekdays.get(part.trim().toLowerCase())
      if (day === undefined) throw new TimesRefused(`"${part.trim().slice(0, 30)}" of "day" is no day, as Monday or mon`)
      return day
    }),
  )
}

function numberOf(input: JsonObject, name: string, usual: number, least: number, most: number): number {
  const value = numeric(memberOf(input, name) ?? usual)
  if (value === null || value < least || value > most) throw new TimesRefused(`"${name}" is no number from ${least.toPrecision(2)} to ${most}`)
  return value
}

function wholeOf(input: JsonObject, name: string, least: number, most: number): number {
  const value = numeric(memberOf(input, name) ?? null)
  if (value === null || !Number.isInteger(value) || value < least || value > most)
    throw new TimesRefused(`"${name}" is no whole number from ${least} to ${most}`)
  return value
}

// Editors keep numbers as texts here and there.
function numeric(value: Json): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  return typeof value === 'string' && /^\d{1,9}(?:\.\d{1,9})?$/.test(value.trim()) ? Number(value) : null
}

export type { TimeTrigger }
export { timetableOf, TimesRefused }
