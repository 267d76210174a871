import type { Json } from '../kernel/json.ts'
import type { Masker } from './mask.ts'

const depthLimit = 1_000

/** A copy of a value with every text in it masked, names of members too. What nests deeper than 1,000 levels is left out. */
function maskJson(masker: Pick<Masker, 'text'>, value: Json, depth = 0): Json {
  if (typeof value === 'string') return masker.text(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth > depthLimit) return '***'
  if (Array.isArray(value)) return value.map((item) => maskJson(masker, item, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [masker.text(name), maskJson(masker, member, depth + 1)]))
}

export { maskJson }
