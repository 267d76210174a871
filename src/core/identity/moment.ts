import { problemsFault } from '../kernel/fault.ts'

const pattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/i

/** The epoch milliseconds of an RFC 3339 text of an input, else `invalid_input` that names its member. */
function parseMoment(operation: string, member: string, text: string): number {
  const ms = pattern.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) {
    throw problemsFault('invalid_input', operation, [
      { path: `/${member}`, code: 'format', message: 'must be a moment such as 2027-01-31T12:00:00Z' },
    ])
  }
  return ms
}

export { parseMoment }
