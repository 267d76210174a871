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
  return fault('invalid_input', { operation: 'this request', count: 1, first: `${field} ${why}` }, { details: { field }, private: { member: field } })
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

/** The input of a deploy, a run or a loading: every parameter of the path, and of the body the fields that the route has. Others are ignored (contract §4.1). */
function sourceInput({ parameters, fields }: Values, form: readonly string[]): Readonly<Record<string, unknown>> {
  const input: Record<string, unknown> = { ...parameters }
  for (const name of form) {
    const value = fields.get(name)
    if (value === undefined) continue
    if (typeof value !== 'string' && name !== 'configuration') throw badParameter(name, 'must be text')
    input[name] = value
  }
  return input
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
  sourceInput,
  templatePath,
  namespaceOnly,
  killInput,
  idempotencyKey,
}
