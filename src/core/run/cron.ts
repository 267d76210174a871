import { Cron } from 'croner'
import { fault } from '../kernel/fault.ts'

const macros: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}

/** A cron expression of five fields (or a macro) in a time zone. */
export type Schedule = {
  /** The first occurrence after a moment, or null when there is none any more. */
  next(after: number): number | null
  /** The latest occurrence at or before `until` and after `after`, or null. */
  latest(after: number, until: number): number | null
}

/**
 * Reads a cron expression: five fields or one of the @-macros, names and ranges and steps, 7 for Sunday, either day field when both are restricted.
 * Six fields, `@every`, `@reboot`, `TZ=`, an unknown zone and what never comes (31 February) throw `invalid_input` with the reason in `first`.
 */
export function parseCron(expression: string, zone = 'UTC'): Schedule {
  const text = expression.trim()
  const fields = macros[text.toLowerCase()] ?? text
  const refuse = (why: string) =>
    fault(
      'invalid_input',
      { operation: 'the schedule', count: 1, first: why },
      { details: { problems: [{ path: '/schedule', code: 'schedule', message: why }] } },
    )
  if (text.length > 128) throw refuse('it is longer than 128 characters')
  if (!/^[0-9A-Za-z*,/\-\s]+$/.test(fields) || fields.split(/\s+/).length !== 5) {
    throw refuse('it must have five fields (minute hour day month weekday) or be one of @hourly @daily @weekly @monthly @yearly')
  }
  if (/\/0+(?!\d)/.test(fields) || /[lw]/i.test(fields.replace(/jul|wed/gi, '')))
    throw refuse('a step must be a number from 1 on, and L and W are not known')
  let cron: Cron
  let first: Date | null
  try {
    cron = new Cron(fields, { timezone: zone, paused: true, legacyMode: true })
    // Only now is an unknown zone noticed.
    first = cron.nextRun()
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : 'it cannot be read')
  }
  if (first === null) throw refuse('it never comes')
  const next = (after: number) => cron.nextRun(new Date(after))?.getTime() ?? null
  return {
    next,
    latest(after, until) {
      const before = cron.previousRuns(1, new Date(until + 1000))[0]?.getTime() ?? null
      return before !== null && before > after && before <= until ? before : null
    },
  }
}
