import { expect, test } from 'vitest'
import { parseCron } from '../../../run/cron.ts'
import { timerOutput, timerPlan } from './occurrences.ts'
import type { JsonObject } from '../../../kernel/json.ts'

const at = (text: string) => Date.parse(text)
const since = at('2026-01-01T00:00:00Z')

function firstOf(identifier: string, input: JsonObject, from: string, count: number): string[] {
  const plan = timerPlan(identifier, input, since)
  const times: string[] = []
  for (let after = at(from); times.length < count; after = at(times.at(-1) ?? ''))
    times.push(new Date(plan.next(after)).toISOString().replace('.000Z', 'Z'))
  return times
}

test.each<readonly [string, JsonObject, string, readonly string[], readonly string[] | null]>([
  ['periodic', {}, '2026-01-01T00:30:00Z', ['2026-01-01T01:00:00Z', '2026-01-01T02:00:00Z'], null],
  ['periodic', { period: 0.5 }, '2026-01-01T00:00:00Z', ['2026-01-01T00:00:30Z', '2026-01-01T00:01:00Z'], null],
  ['periodic', { period: '2.5' }, '2025-12-31T00:00:00Z', ['2026-01-01T00:02:30Z', '2026-01-01T00:05:00Z'], null],
  ['hourly', { minute: 15 }, '2026-01-01T23:15:00Z', ['2026-01-02T00:15:00Z', '2026-01-02T01:15:00Z'], ['15 * * * *']],
  [
    'daily',
    { times_in_utc: '3:04pm, 09:00,12:00am' },
    '2026-01-01T09:00:00Z',
    ['2026-01-01T15:04:00Z', '2026-01-02T00:00:00Z', '2026-01-02T09:00:00Z'],
    ['0 0 * * *', '0 9 * * *', '4 15 * * *'],
  ],
  ['daily', { times_in_utc: '15:04:05,3:04:06PM' }, '2026-01-01T15:04:05Z', ['2026-01-01T15:04:06Z', '2026-01-02T15:04:05Z'], null],
  ['daily', { times_in_utc: '12:30 pm' }, '2026-01-01T00:00:00Z', ['2026-01-01T12:30:00Z'], ['30 12 * * *']],
  [
    'weekly',
    { day: 'Thurs, MONDAY,mon', times_in_utc: '06:00' },
    '2026-01-01T06:00:00Z',
    ['2026-01-05T06:00:00Z', '2026-01-08T06:00:00Z'],
    ['0 6 * * 1,4'],
  ],
  ['monthly', { day_of_month: 31 }, '2026-01-31T00:00:00Z', ['2026-03-31T00:00:00Z', '2026-05-31T00:00:00Z'], ['0 0 31 * *']],
  ['monthly', { day_of_month: 1, times_in_utc: '23:59' }, '2026-01-31T00:00:00Z', ['2026-02-01T23:59:00Z'], ['59 23 1 * *']],
])('%s %j comes when it should', (identifier, input, from, times, crons) => {
  expect(firstOf(identifier, input, from, times.length)).toEqual(times)
  expect(timerPlan(identifier, input, since).crons).toEqual(crons)
})

test.each<readonly [string, JsonObject]>([
  ['hourly', { minute: 7 }],
  ['daily', { times_in_utc: '00:00,13:37' }],
  ['weekly', { day: 'sun,wed', times_in_utc: '05:05,22:00' }],
  ['monthly', { day_of_month: 29, times_in_utc: '12:00' }],
])('the cron expressions of %s %j mean the same moments', (identifier, input) => {
  const plan = timerPlan(identifier, input, since)
  const crons = (plan.crons ?? []).map((cron) => parseCron(cron))
  let after = since
  for (let round = 0; round < 30; round++) {
    const next = plan.next(after)
    expect(next).toBe(Math.min(...crons.map((cron) => cron.next(after) ?? Number.POSITIVE_INFINITY)))
    expect(plan.latest(after, next)).toBe(next)
    expect(plan.latest(after, next - 1)).toBe(null)
    after = next
  }
})

test('what came while nobody looked is the latest occurrence, once', () => {
  const daily = timerPlan('daily', { times_in_utc: '06:00,18:00' }, since)
  expect(daily.latest(at('2026-02-01T18:00:00Z'), at('2026-02-09T07:00:00Z'))).toBe(at('2026-02-09T06:00:00Z'))
  const periodic = timerPlan('periodic', { period: 45 }, since)
  expect(periodic.latest(since, since + 44 * 60_000)).toBe(null)
  expect(periodic.latest(since, since + 100 * 60_000)).toBe(since + 90 * 60_000)
})

test.each<readonly [string, JsonObject, RegExp]>([
  ['daily', { times_in_utc: '25:00' }, /"25:00" of "times_in_utc"/],
  ['daily', { times_in_utc: '13:00pm' }, /"13:00pm"/],
  ['daily', { times_in_utc: '9:60' }, /no time of day/],
  ['daily', { times_in_utc: '' }, /no time of day/],
  ['daily', { times_in_utc: '09:00,' }, /"" of/],
  ['weekly', { day: 'mon, blursday', times_in_utc: '09:00' }, /"blursday" of "day"/],
  ['hourly', { minute: 60 }, /whole number from 0 to 59/],
  ['hourly', {}, /"minute" is a number/],
  ['monthly', { day_of_month: 0 }, /from 1 to 31/],
  ['periodic', { period: 0 }, /from one second/],
  ['periodic', { period: 'often' }, /"period" is a number/],
  ['yearly', {}, /no time trigger "yearly"/],
])('%s refuses %j', (identifier, input, message) => {
  expect(() => timerPlan(identifier, input, since)).toThrow(message)
})

test('an event has the message and the time at which it was due', () => {
  expect(timerOutput({ message: 'go' }, since)).toEqual({ message: 'go', time: '2026-01-01T00:00:00.000Z' })
})
