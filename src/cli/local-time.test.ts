import { expect, test } from 'vitest'
import { localTime } from './local-time.ts'

const now = Date.parse('2026-03-28T12:00:00Z')

test('a time is told in the zone of the reader, with the offset in force then, and how far away it is', () => {
  expect(localTime('2026-03-28T12:30:00.000Z', now, 'Europe/Berlin')).toBe('2026-03-28 13:30 UTC+1 (in 30 min)')
  // The clocks were put forward in between.
  expect(localTime('2026-03-29T12:30:00.000Z', now, 'Europe/Berlin')).toBe('2026-03-29 14:30 UTC+2 (in 1 d)')
  expect(localTime('2026-03-28T10:00:00.000Z', now, 'Asia/Kolkata')).toBe('2026-03-28 15:30 UTC+5:30 (2 h ago)')
  expect(localTime('2026-03-28T11:59:55.000Z', now, 'UTC')).toBe('2026-03-28 11:59 UTC (5 s ago)')
})

test('what is no time is left as it is', () => {
  expect(localTime('soon', now)).toBe('soon')
})
