import { fault } from '../kernel/fault.ts'
import { isUuid } from '../kernel/id.ts'

/** A reference taken apart: `user:ann`, `repository:lab/weather`, or the bare name or id where only one kind fits. Digits are never read as a serial. */
type Reference = { readonly kind: string; readonly id: string | null; readonly name: string | null }

/** The parts of a reference that must lead to one of `kinds`. A reference of another kind: `invalid_reference`. */
function parseReference(text: string, kinds: readonly string[]): Reference {
  const colon = text.indexOf(':')
  const prefix = colon > 0 ? text.slice(0, colon) : ''
  if (prefix && kinds.includes(prefix)) return referenceOf(prefix, text.slice(colon + 1))
  const only = kinds[0]
  if (kinds.length === 1 && only !== undefined) return referenceOf(only, text)
  throw fault('invalid_reference', { reference: text, example: `${kinds[0]}:name` }, { details: { kinds } })
}

function referenceOf(kind: string, text: string): Reference {
  return isUuid(text) ? { kind, id: text, name: null } : { kind, id: null, name: text }
}

export type { Reference }
export { parseReference }
