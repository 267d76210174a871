/** A time of the server as whoever reads it counts: their zone, and how far away it is. Anything else is left as it is. */
function localTime(text: string, now: number): string {
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) return text
  const two = (number: number) => String(number).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())} ${zoneOf(at)} (${awayText(at.getTime() - now)})`
}

// The offset in force at that time: it may change before a schedule's next one.
function zoneOf(at: Date): string {
  const minutes = -at.getTimezoneOffset()
  if (minutes === 0) return 'UTC'
  const size = Math.abs(minutes)
  const rest = size % 60
  return `UTC${minutes < 0 ? '-' : '+'}${Math.floor(size / 60)}${rest === 0 ? '' : `:${String(rest).padStart(2, '0')}`}`
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
