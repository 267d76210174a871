import { fault } from '../../core/kernel/fault.ts'
import { isObject } from '../../core/kernel/json.ts'
import { checkedText, readCheckedJson } from '../../core/deploy/checked-json.ts'
import { formFault } from './decode.ts'
import { parseMultipart } from './multipart.ts'
import type { Json } from '../../core/kernel/json.ts'

/** A field of a body: text, or in a JSON body any value. */
export type FormValue = Json

const deepestBody = 64

/**
 * The fields of a body (contract §4.1): `multipart/form-data`, `application/x-www-form-urlencoded`, or a JSON object. An empty body has none; empty fields
 * are left out. Errors: `unsupported_media_type`, `invalid_form`, `duplicate_field`.
 */
export function parseForm(body: Uint8Array, contentType: string | undefined): Map<string, FormValue> {
  if (body.length === 0) return new Map()
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  switch (type) {
    case 'multipart/form-data':
      return collect(parseMultipart(body, contentType ?? ''))
    case 'application/x-www-form-urlencoded':
      return collect(urlencoded(textOf(body)))
    case 'application/json':
      return fromJson(body)
    default:
      throw fault('unsupported_media_type', {
        type: contentType ?? '',
        wanted: 'multipart/form-data, application/x-www-form-urlencoded or application/json',
      })
  }
}

function collect(pairs: Iterable<readonly [string, FormValue]>): Map<string, FormValue> {
  const fields = new Map<string, FormValue>()
  for (const [name, value] of pairs) {
    if (fields.has(name)) throw formFault('duplicate_field', `it has the field "${name.slice(0, 100)}" twice`, name.slice(0, 100))
    fields.set(name, value)
  }
  for (const [name, value] of fields) if (value === '' || value === null) fields.delete(name)
  return fields
}

function* urlencoded(text: string): Generator<[string, string]> {
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const at = pair.indexOf('=')
    yield [decoded(at < 0 ? pair : pair.slice(0, at)), at < 0 ? '' : decoded(pair.slice(at + 1))]
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw formFault('invalid_form', 'a field is not percent-encoded as it should be')
  }
}

function fromJson(body: Uint8Array): Map<string, FormValue> {
  const text = checkedText(body)
  if ('problem' in text) throw formFault('invalid_form', `its body ${text.problem.message}`)
  const { value, problems } = readCheckedJson(text.text, { depth: deepestBody })
  if (value === undefined) throw formFault('invalid_form', `its body ${problems[0]?.message ?? 'cannot be read'}`)
  if (!isObject(value)) throw formFault('invalid_form', 'its body must be a JSON object')
  const problem = problems[0]
  // Inside a configuration a repeated member is a problem of that document, but here the reader that could say so is gone.
  if (problem)
    throw formFault(
      problem.code === 'duplicate' ? 'duplicate_field' : 'invalid_form',
      `its body: ${problem.path} ${problem.message}`,
      problem.path.slice(1),
    )
  // What kind of value a field takes is for the route that knows it: others are ignored.
  return collect(Object.entries(value as Record<string, Json>))
}

function textOf(body: Uint8Array): string {
  const text = checkedText(body)
  if ('problem' in text) throw formFault('invalid_form', `its body ${text.problem.message}`)
  return text.text
}
