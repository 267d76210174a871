import { expect, test } from 'vitest'
import { fits } from './model.ts'
import { timetableOf, TimesRefused } from './timetable.ts'
import type { JsonObject } from '../../kernel/json.ts'

const at = (text: string) => Date.parse(text)
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString().replace('.000Z', 'Z'))
const timer = (identifier: string, input: JsonObject, since = '2027-01-01T00:00:30Z') => timetableOf({ type: 'timer', identifier, input }, at(since))

function nextOnes(identifier: string, input: JsonObject, from: string, count = 3): (string | null)[] {
  const times = timer(identifier, input)
  const found: (string | null)[] = []
  for (let after: number | null = at(from); found.length < count && after !== null; ) {
    after = times.next(after)
    found.push(iso(after))
  }
  return found
}

test('the five time triggers fire at their times in UTC', () => {
  expect(nextOnes('periodic', { period: 1.5 }, '2027-01-01T00:00:30Z')).toEqual([
    '2027-01-01T00:02:00Z',
    '2027-01-01T00:03:30Z',
    '2027-01-01T00:05:00Z',
  ])
  expect(nextOnes('periodic', {}, '2027-01-01T00:00:30Z', 1)).toEqual(['2027-01-01T01:00:30Z'])
  expect(nextOnes('hourly', { minute: '15' }, '2027-01-01T22:20:00Z')).toEqual([
    '2027-01-01T23:15:00Z',
    '2027-01-02T00:15:00Z',
    '2027-01-02T01:15:00Z',
  ])
  expect(nextOnes('daily', { times_in_utc: '3:04pm, 15:04:05,03:04' }, '2027-01-01T03:04:00Z')).toEqual([
    '2027-01-01T15:04:00Z',
    '2027-01-01T15:04:05Z',
    '2027-01-02T03:04:00Z',
  ])
  expect(nextOnes('daily', { times_in_utc: '12:00am,12:30:01pm' }, '2027-01-01T00:00:00Z', 2)).toEqual([
    '2027-01-01T12:30:01Z',
    '2027-01-02T00:00:00Z',
  ])
  expect(nextOnes('weekly', { day: 'Tues, SUNDAY', times_in_utc: '8:00' }, '2027-01-01T00:00:00Z')).toEqual([
    '2027-01-03T08:00:00Z',
    '2027-01-05T08:00:00Z',
    '2027-01-10T08:00:00Z',
  ])
  expect(nextOnes('monthly', { day_of_month: 31 }, '2027-01-31T00:00:00Z')).toEqual([
    '2027-03-31T00:00:00Z',
    '2027-05-31T00:00:00Z',
    '2027-07-31T00:00:00Z',
  ])
})

test('of what was missed the latest is known, and nothing where nothing was', () => {
  const daily = timer('daily', { times_in_utc: '06:00,18:00' })
  expect(iso(daily.latest(at('2027-01-01T06:00:00Z'), at('2027-01-09T17:00:00Z')))).toBe('2027-01-09T06:00:00Z')
  expect(daily.latest(at('2027-01-01T06:00:00Z'), at('2027-01-01T17:00:00Z'))).toBeNull()
  const periodic = timer('periodic', { period: 10 })
  expect(iso(periodic.latest(at('2027-01-01T00:10:30Z'), at('2027-01-01T01:05:00Z')))).toBe('2027-01-01T01:00:30Z')
  expect(periodic.latest(at('2027-01-01T00:10:30Z'), at('2027-01-01T00:19:00Z'))).toBeNull()
})

test('times that cannot be read are refused with the reason', () => {
  const wrong: [string, JsonObject][] = [
    ['yearly', {}],
    ['periodic', { period: 0 }],
    ['periodic', { period: -5 }],
    ['periodic', { period: Number.NaN }],
    ['hourly', { minute: 60 }],
    ['hourly', { minute: 1.5 }],
    ['daily', {}],
    ['daily', { times_in_utc: '25:00' }],
    ['daily', { times_in_utc: '13:00pm' }],
    ['daily', { times_in_utc: '0:10am' }],
    ['daily', { times_in_utc: '1:60,2:00' }],
    ['weekly', { day: 'someday', times_in_utc: '1:00' }],
    ['weekly', { times_in_utc: '1:00' }],
    ['monthly', { day_of_month: 32 }],
    ['__proto__', {}],
  ]
  for (const [identifier, input] of wrong) expect(() => timer(identifier, input), JSON.stringify([identifier, input])).toThrow(TimesRefused)
})

test('a star stands for any letters of a branch', () => {
  const cases: [string, string, boolean][] = [
    ['main', 'main', true],
    ['main', 'main2', false],
    ['release/*', 'release/1.0', true],
    ['release/*', 'release', false],
    ['*', '', true],
    ['a*b*c', 'aXbYc', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['a*a', 'a', false],
    ['*.x.*', 'y.x.z', true],
  ]
  for (const [pattern, name, fit] of cases) expect(fits(pattern, name), `${pattern} ${name}`).toBe(fit)
})
