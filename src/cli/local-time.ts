/** A time of the server as whoever reads it counts: in their zone (that of the machine), and how far away it is. Anything else is left as it is. */
function localTime(text: string, now: number, zone?: string): string {
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) return text
  const parts = new Intl.DateTimeFormat('en', {
    ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
    // The offset in force at that time: it may change before a schedule's next one.
    timeZoneName: 'shortOffset',
    timeZone: zone,
  }).formatToParts(at)
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((one) => one.type === type)?.value ?? ''
  const offset = part('timeZoneName')
    .replace('GMT', 'UTC')
    .replace(/[+-]0$/, '')
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')} ${offset} (${awayText(at.getTime() - now)})`
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const

function awayText(ms: number): string {
  const size = Math.abs(ms)
  const [unit, length] = units.find(([, unitMs]) => size >= unitMs) ?? (['s', 1000] as const)
  const amount = `${Math.floor(size / length)} ${unit}`
  return ms < 0 ? `${amount} ago` : `in ${amount}`
}

export { localTime }
