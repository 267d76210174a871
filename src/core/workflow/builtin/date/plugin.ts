import { textMember } from '../../document/members.ts'
import { ActionFailed, builtinPlugin, pure } from '../builtin.ts'
import { numberInput } from '../input.ts'
import { checkLocal, readOffset, readPattern, weekdayOf, writePattern } from './pattern.ts'
import { checkedMoment, daysInMonth, localAt, momentOf, offsetAt, two, writeMoment, writeOffset } from './zone.ts'
import { dateSpec } from './spec.ts'
import type { JsonObject } from '../../../kernel/json.ts'

/** Moments. The zones are those of the tz database that Node carries. */
const datePlugin = builtinPlugin('date', dateSpec, {
  now: { repeatable: true, run: (context) => Promise.resolve(momentOutput(context.services.clock.now())) },
  parse: pure((input) => {
    const pattern = textMember(input, 'pattern')
    const text = textMember(input, 'text').trim()
    return momentOutput(pattern === '' ? readTime(text, zoneOf(input)) : checkedMoment(readPattern(text, pattern, zoneOf(input))))
  }),
  format: pure((input) => ({ text: writePattern(timeInput(input, 'time'), textMember(input, 'pattern'), zoneOf(input)) })),
  add: pure((input) => momentOutput(added(input))),
  difference: pure((input) => {
    const seconds = (timeInput(input, 'to') - timeInput(input, 'from')) / 1000
    return { seconds, minutes: seconds / 60, hours: seconds / 3600, days: seconds / 86_400 }
  }),
  zone: pure((input) => {
    const [ms, zone] = [timeInput(input, 'time'), zoneOf(input)]
    const local = localAt(ms, zone)
    const offset = writeOffset(offsetAt(ms, zone), ':')
    const date = `${String(local.year).padStart(4, '0')}-${two(local.month)}-${two(local.day)}`
    const clock = `${two(local.hour)}:${two(local.minute)}:${two(local.second)}`
    return { local: `${date}T${clock}${offset}`, offset, date, clock, weekday: weekdayOf(local) }
  }),
})

function momentOutput(ms: number): JsonObject {
  const moment = checkedMoment(ms)
  return { time: writeMoment(moment), unix: moment / 1000 }
}

function zoneOf(input: JsonObject): string {
  return textMember(input, 'zone') || 'UTC'
}

function timeInput(input: JsonObject, name: string): number {
  return readTime(textMember(input, name).trim(), zoneOf(input))
}

const iso = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|z|[+-]\d{2}:?\d{2})?)?$/
const mail = /^(?:[A-Za-z]{3}, )?(\d{1,2} [A-Za-z]{3} \d{4} \d{2}:\d{2}(?::\d{2})?) ([+-]\d{4}|GMT|UT|UTC|Z)$/

/** A moment in one of the usual forms. A text without an offset is one of the zone. */
function readTime(text: string, zone: string): number {
  if (/^-?\d{1,11}(?:\.\d{1,6})?$/.test(text)) return checkedMoment(Number(text) * 1000)
  if (/^\d{12,15}$/.test(text)) return checkedMoment(Number(text))
  const letter = mail.exec(text)
  if (letter) {
    const offset = /^[+-]/.test(letter[2] ?? '') ? letter[2] : '+0000'
    const pattern = (letter[1] ?? '').split(':').length === 3 ? '%d %b %Y %H:%M:%S %z' : '%d %b %Y %H:%M %z'
    return checkedMoment(readPattern(`${letter[1]} ${offset}`, pattern, 'UTC'))
  }
  const found = iso.exec(text)
  if (!found) throw new ActionFailed(`"${text.slice(0, 60)}" is no moment; write for example 2018-10-24T11:36:17Z`)
  const [, year, month, day, hour, minute, second, fraction, offset] = found
  const number = (part: string | undefined) => Number(part ?? 0)
  const ms = Math.floor(Number(`0.${fraction ?? 0}`) * 1000 + 1e-6)
  const local = { year: number(year), month: number(month), day: number(day), hour: number(hour), minute: number(minute), second: number(second), ms }
  checkLocal(local)
  return offset === undefined ? momentOf(local, zone) : checkedMoment(momentOf(local, 'UTC') - readOffset(offset))
}

function added(input: JsonObject): number {
  const zone = zoneOf(input)
  let ms = timeInput(input, 'time')
  const months = numberInput(input, 'years') * 12 + numberInput(input, 'months')
  const days = numberInput(input, 'weeks') * 7 + numberInput(input, 'days')
  if (months !== 0 || days !== 0) {
    const local = localAt(ms, zone)
    const month = local.year * 12 + local.month - 1 + months
    const [year, within] = [Math.floor(month / 12), (month % 12) + 1]
    if (!(year >= 1 && year <= 9999) || Math.abs(days) > 4_000_000) throw new ActionFailed('The moment is not between the years 1 and 9999')
    const start = momentOf({ ...local, year, month: within, day: Math.min(local.day, daysInMonth(year, within)) }, 'UTC')
    // Days are counted on the calendar, so that a day on which clocks change still is one.
    ms = momentOf(localAt(start + days * 86_400_000, 'UTC'), zone)
  }
  return checkedMoment(ms + ((numberInput(input, 'hours') * 60 + numberInput(input, 'minutes')) * 60 + numberInput(input, 'seconds')) * 1000)
}

export { datePlugin }
