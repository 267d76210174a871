import { createHash } from 'node:crypto'
import { fault } from '../kernel/fault.ts'
import { labelLetters, labelOf } from '../kernel/label.ts'

/** Kinds of names and how long each may be (Deploy API §4.4). Kubernetes appends 11 characters to the name of a cron job. */
const nameLimits = { namespace: 63, job: 63, deployment: 63, cronjob: 52, service: 63 } as const
type NameKind = keyof typeof nameLimits

/** A name that a caller or a manifest gave, by rule N (`labelOf`); null when it is none, or too long for its kind. */
function givenName(text: string, kind: NameKind): string | null {
  const name = labelOf(text, nameLimits[kind])
  // DNS-1035: the name of a service is a host name of its own and starts with a letter.
  return name !== null && kind === 'service' && !/^[a-z]/.test(name) ? null : name
}

/** As `givenName`, but a text that is no name throws `invalid_name` for the member it came in. */
function checkedName(text: string, kind: NameKind, member: string): string {
  const name = givenName(text, kind)
  if (name !== null) return name
  const why = `it must become 1 to ${nameLimits[kind]} letters, digits and inner hyphens${kind === 'service' ? ', the first a letter' : ''}`
  throw fault('invalid_name', { what: kind, name: text, why }, { details: { field: member }, private: { kind, reference: text, member } })
}

/**
 * A name that the server makes, by rule D: as rule N, but what does not fit is removed, and a text that is too long is cut and gets a hyphen and the first
 * 8 hex digits of the SHA-256 of the whole. Null when nothing is left.
 */
function derivedName(text: string, kind: NameKind): string | null {
  const name = labelLetters(text)
    .replace(/[^-a-z0-9]/g, '')
    .replace(/^-+|-+$/g, '')
  if (name === '') return null
  const fits = kind === 'service' ? name.replace(/^[-0-9]+/, '') : name
  const limit = nameLimits[kind]
  if (fits.length <= limit) return fits || null
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return `${fits.slice(0, limit - 9).replace(/-+$/, '')}-${digest}`
}

/** As `derivedName`, but `invalid_name` when nothing is left. */
function checkedDerivedName(text: string, kind: NameKind, member: string): string {
  const name = derivedName(text, kind)
  if (name !== null) return name
  throw fault(
    'invalid_name',
    { what: kind, name: text, why: 'no letter or digit is left of it' },
    { details: { field: member }, private: { kind, reference: text, member } },
  )
}

/** The names of pipelines and of tasks inside them: kept as given. */
const pipelineNamePattern = '^[A-Za-z0-9][A-Za-z0-9._ -]*$'

/** What makes a pipeline unique in its namespace: its name by rule D (rule N would refuse names that pipelines may have). */
function pipelineKey(name: string): string {
  return derivedName(name, 'job') ?? name
}

export type { NameKind }
export { nameLimits, givenName, checkedName, derivedName, checkedDerivedName, pipelineNamePattern, pipelineKey }
