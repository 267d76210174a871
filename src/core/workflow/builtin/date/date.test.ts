import { expect, test } from 'vitest'
import { callTest, failureOf } from '../testing/call.ts'
import type { JsonObject } from '../../../kernel/json.ts'

const rows: readonly (readonly [action: string, input: JsonObject, output: JsonObject])[] = [
  ['parse', { text: '2018-10-24T11:36:17Z' }, { time: '2018-10-24T11:36:17Z', unix: 1540380977 }],
  ['parse', { text: '2018-10-24T11:36:17.25+02:00' }, { time: '2018-10-24T09:36:17.250Z', unix: 1540373777.25 }],
  ['parse', { text: '2018-10-24' }, { time: '2018-10-24T00:00:00Z', unix: 1540339200 }],
  ['parse', { text: '2018-10-24 11:36', zone: 'Europe/Berlin' }, { time: '2018-10-24T09:36:00Z', unix: 1540373760 }],
  ['parse', { text: 'Wed, 24 Oct 2018 11:36:17 +0200' }, { time: '2018-10-24T09:36:17Z', unix: 1540373777 }],
  ['parse', { text: '24 Oct 2018 11:36 GMT' }, { time: '2018-10-24T11:36:00Z', unix: 1540380960 }],
  ['parse', { text: '1540380977' }, { time: '2018-10-24T11:36:17Z', unix: 1540380977 }],
  ['parse', { text: '1540380977250' }, { time: '2018-10-24T11:36:17.250Z', unix: 1540380977.25 }],
  ['parse', { text: '24.10.2018 01:36 pm', pattern: '%d.%m.%Y %I:%M %p' }, { time: '2018-10-24T13:36:00Z', unix: 1540388160 }],
  ['parse', { text: 'October 24, 18 +0530', pattern: '%B %d, %y %z' }, { time: '2018-10-23T18:30:00Z', unix: 1540319400 }],
  // Clocks went back at three: of the two half past two the first counts. They went forward at two: half past two was never shown.
  ['parse', { text: '2018-10-28 02:30', zone: 'Europe/Berlin' }, { time: '2018-10-28T00:30:00Z', unix: 1540686600 }],
  ['parse', { text: '2018-03-25 02:30', zone: 'Europe/Berlin' }, { time: '2018-03-25T01:30:00Z', unix: 1521941400 }],
  ['format', { time: '2018-10-24T11:36:17Z', pattern: '%A %a %d %e %B %b %m %Y %y %j' }, { text: 'Wednesday Wed 24 24 October Oct 10 2018 18 297' }],
  [
    'format',
    { time: '2018-10-24T11:36:17.5Z', pattern: '%H %I %p %M %S %L %z %Z %s %%', zone: 'America/New_York' },
    { text: '07 07 AM 36 17 500 -0400 America/New_York 1540380977 %' },
  ],
  ['add', { time: '2018-01-31T10:00:00Z', months: 1 }, { time: '2018-02-28T10:00:00Z', unix: 1519812000 }],
  ['add', { time: '2020-02-29T10:00:00Z', years: 1 }, { time: '2021-02-28T10:00:00Z', unix: 1614506400 }],
  ['add', { time: '2018-01-15T10:00:00Z', months: -13, days: 1 }, { time: '2016-12-16T10:00:00Z', unix: 1481882400 }],
  ['add', { time: '2018-10-27T10:00:00Z', days: 1, zone: 'Europe/Berlin' }, { time: '2018-10-28T11:00:00Z', unix: 1540724400 }],
  ['add', { time: '2018-10-27T10:00:00Z', hours: 24, zone: 'Europe/Berlin' }, { time: '2018-10-28T10:00:00Z', unix: 1540720800 }],
  ['add', { time: '2018-10-24T00:00:00Z', minutes: -1.5, weeks: 1 }, { time: '2018-10-30T23:58:30Z', unix: 1540943910 }],
  ['difference', { from: '2018-10-24T00:00:00Z', to: '2018-10-25T12:00:00Z' }, { seconds: 129600, minutes: 2160, hours: 36, days: 1.5 }],
  [
    'zone',
    { time: '2018-10-24T23:36:17Z', zone: 'Asia/Kolkata' },
    { local: '2018-10-25T05:06:17+05:30', offset: '+05:30', date: '2018-10-25', clock: '05:06:17', weekday: 'Thursday' },
  ],
]

test.each(rows)('%s %j', async (action, input, output) => {
  expect(await callTest('date', action, input)).toEqual(output)
})

test('now is the moment of the clock that is handed in', async () => {
  const clock = { now: () => 1_540_380_977_000, after: () => ({ cancel() {} }) }
  expect(await callTest('date', 'now', {}, { services: { clock } })).toEqual({ time: '2018-10-24T11:36:17Z', unix: 1540380977 })
})

test.each<readonly [string, JsonObject, RegExp]>([
  ['parse', { text: 'tomorrow' }, /"tomorrow" is no moment/],
  ['parse', { text: '2018-02-30' }, /no such day/],
  ['parse', { text: '2018-02-01T25:00:00Z' }, /no such day or time/],
  ['parse', { text: '2018-10-24', zone: 'Berlin' }, /no time zone "Berlin"/],
  ['parse', { text: '24.10.18', pattern: '%d.%m.%Y' }, /does not fit the pattern at character 7/],
  ['parse', { text: '24.10.2018x', pattern: '%d.%m.%Y' }, /goes on behind the pattern, at character 11/],
  ['parse', { text: 'x', pattern: '%Q' }, /"%Q", which cannot be read/],
  ['format', { time: '2018-10-24T11:36:17Z', pattern: '%Q' }, /"%Q", which means nothing/],
  ['add', { time: '2018-10-24T11:36:17Z', years: 1e15 }, /between the years 1 and 9999/],
  ['add', { time: '9999-12-31T00:00:00Z', days: 1 }, /between the years/],
  ['add', { time: '2018-10-24T11:36:17Z', days: 1.5 }, /"days" must be of type integer/],
])('%s refuses %j', async (action, input, message) => {
  expect(await failureOf('date', action, input)).toMatch(message)
})
