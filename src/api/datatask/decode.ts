import { fault } from '../../core/kernel/fault.ts'
import { decodeOnce } from './path.ts'
import type { Fault } from '../../core/kernel/fault.ts'
import type { FormValue } from './form.ts'
import type { Route } from './routes.ts'

/** Everything that a request says, taken apart and decoded once. */
type Values = {
  readonly parameters: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Fields of the body; an empty one is left out, because it means its default (contract §4.1). */
  readonly fields: ReadonlyMap<string, FormValue>
}

/** A parameter or field that cannot be what it is: `invalid_parameter` with its name. */
function badParameter(field: string, why: string): Fault {
  return fault('invalid_input', { operation: 'The request', count: 1, first: `${field} ${why}` }, { details: { field }, private: { member: field } })
}

type FormRule = 'invalid_form' | 'duplicate_field'

/** A body that breaks a rule of forms. */
function formFault(rule: FormRule, why: string, field?: string): Fault {
  return fault('malformed_request', { why }, { details: field === undefined ? {} : { field }, private: { kind: rule } })
}

/** The decoded parameters of a path; broken percent-encoding is `invalid_parameter`. */
function decodeParameters(raw: Readonly<Record<string, string>>): Record<string, string> {
  const decoded: Record<string, string> = {}
  for (const [name, text] of Object.entries(raw)) {
    const value = decodeOnce(text)
    if (value === null) throw badParameter(name, 'is not percent-encoded as it should be')
    decoded[name] = value
  }
  return decoded
}

/** The query; broken percent-encoding is `invalid_parameter`. */
function decodeQuery(query: string): URLSearchParams {
  if (decodeOnce(query) === null) throw badParameter('query', 'is not percent-encoded as it should be')
  return new URLSearchParams(query)
}

/** Refuses a form that lacks a field. */
function checkRequired(route: Route, fields: ReadonlyMap<string, FormValue>): void {
  for (const name of route.required ?? []) if (!fields.has(name)) throw badParameter(name, 'is required')
}

const opaque = /^[A-Za-z0-9_-]{1,64}$/

/** A parameter that is an id. */
function identifier({ parameters }: Values, name: string): string {
  const id = parameters[name] ?? ''
  if (!opaque.test(id)) throw badParameter(name, 'must be 1 to 64 letters, digits, "_" and "-"')
  return id
}

/** The input of a deploy: parameters of the path win over fields of the form, as no route has a member in both. */
function deployInput(values: Values): Readonly<Record<string, unknown>> {
  return inputOf(values, ['repository', 'directory', 'namespace', 'name', 'branch', 'schedule', 'configuration'])
}

/** The input of a pipeline run. */
function runInput(values: Values): Readonly<Record<string, unknown>> {
  return inputOf(values, ['repository', 'directory', 'namespace', 'name', 'branch', 'configuration'])
}

function inputOf({ parameters, fields }: Values, members: readonly string[]): Record<string, unknown> {
  const input: Record<string, unknown> = {}
  for (const member of members) {
    const value = parameters[member] ?? fields.get(member)
    if (value === undefined) continue
    if (typeof value !== 'string' && member !== 'configuration') throw badParameter(member, 'must be text')
    input[member] = value
  }
  return input
}

/** Where a definition is read from. */
function sourceInput(values: Values): Readonly<Record<string, unknown>> {
  return inputOf(values, ['repository', 'directory', 'branch'])
}

/** The name of a template, from the form. */
function templatePath({ fields }: Values): string {
  const name = fields.get('template_path')
  if (typeof name !== 'string') throw badParameter('template_path', 'must be text')
  return name
}

/** The input of a list: its namespace, when the route has one. */
function namespaceOnly({ parameters }: Values): Readonly<Record<string, unknown>> {
  return parameters.namespace === undefined ? {} : { namespace: parameters.namespace }
}

/** The input of a kill: whether the clean-up still runs is in the query. */
function killInput(values: Values): Readonly<Record<string, unknown>> {
  const cleanup = values.query.getAll('cleanup')
  if (cleanup.length > 1 || !['', 'true', 'false'].includes(cleanup[0] ?? '')) throw badParameter('cleanup', 'must be true or false')
  return { pipeline: identifier(values, 'id'), cleanup: cleanup[0] === 'true' }
}

/** The key of a repetition, from its header. */
function idempotencyKey(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  if (typeof header !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(header))
    throw badParameter('Idempotency-Key', 'must be 1 to 255 printable characters')
  return header
}

export type { Values, FormRule }
export {
  badParameter,
  formFault,
  decodeParameters,
  decodeQuery,
  checkRequired,
  identifier,
  deployInput,
  runInput,
  sourceInput,
  templatePath,
  namespaceOnly,
  killInput,
  idempotencyKey,
}
