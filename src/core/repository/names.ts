import { fault } from '../kernel/fault.ts'
import { isUuid } from '../kernel/id.ts'
import type { Settings } from '../operation/settings.ts'

/** How long a full path may be, in bytes of UTF-8 (Kallithea contract §15 D7). */
const longestPath = 255

const forbidden = /[`?=[\]\\;'"<>,/~!@#$%^&*()+{}|:\s]/u
// Control, direction and other invisible characters: two names that look the same must be the same.
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}\u2800]/u

/** Why a text cannot be a segment of a path of a repository or of a group of them; null when it can (Kallithea contract §12.7 and §15 D7). */
function segmentProblem(segment: string): string | null {
  if (segment === '') return 'a part of it is empty'
  if (!segment.isWellFormed()) return 'it is no valid text'
  if (forbidden.test(segment)) return 'a blank or one of ` ? = [ ] \\ ; \' " < > , / ~ ! @ # $ % ^ & * ( ) + { } | : is in it'
  if (invisible.test(segment)) return 'it has control or invisible characters'
  if (segment.startsWith('.')) return 'a part of it begins with a dot'
  if (segment.startsWith('-') || segment.endsWith('-')) return 'a part of it begins or ends with "-"'
  if (segment.includes('--')) return 'it has two "-" in a row'
  if (/^_[0-9]+$/.test(segment)) return '"_" with a number stands for the id of a repository'
  if (segment.startsWith('rm__')) return 'a part of it begins with "rm__", which marks what is deleted'
  if (segment === '_admin') return '"_admin" is used by the server'
  return null
}

/** Refuses a path that cannot be one: `invalid_name`. `what` says of which kind the thing is, for the message. */
function checkPath(path: string, what: string, settings: Pick<Settings, 'reservedSegments'>): void {
  const why = pathProblem(path, settings)
  if (why !== null) throw fault('invalid_name', { what, name: path, why }, { private: { reference: path, member: 'path' } })
}

function pathProblem(path: string, settings: Pick<Settings, 'reservedSegments'>): string | null {
  const segments = path.split('/')
  const bad = segments.map(segmentProblem).find((problem) => problem !== null)
  if (bad) return bad
  if (Buffer.byteLength(path) > longestPath) return `it is longer than ${longestPath} bytes`
  if (settings.reservedSegments.has(segments[0] ?? '')) return `the server itself answers below "${segments[0]}"`
  // A reference of this form is always read as an id, so such a name could never be looked up.
  if (isUuid(path)) return 'it looks like an id'
  return null
}

/** The path of the group that a path is in; undefined at the top level. */
function parentPath(path: string): string | undefined {
  const slash = path.lastIndexOf('/')
  return slash > 0 ? path.slice(0, slash) : undefined
}

/** The last segment of a path. */
function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export { longestPath, segmentProblem, checkPath, parentPath, lastSegment }
