import { fault } from '../../core/kernel/fault.ts'
import { isObject } from '../../core/kernel/json.ts'
import { isUuid } from '../../core/kernel/id.ts'
import type { Json, JsonObject } from '../../core/kernel/json.ts'

/** A member that must be a text. */
function requiredText(body: JsonObject, name: string): string {
  const value = memberOf(body, name)
  if (typeof value !== 'string') throw bad(`"${name}" is missing or no text`)
  return value
}

/** A member that may be left out, and else is a text. */
function optionalText(body: JsonObject, name: string): string | undefined {
  const value = memberOf(body, name)
  if (value === undefined || typeof value === 'string') return value
  throw bad(`"${name}" is no text`)
}

function optionalFlag(body: JsonObject, name: string): boolean | undefined {
  const value = memberOf(body, name)
  if (value === undefined || typeof value === 'boolean') return value
  throw bad(`"${name}" is neither true nor false`)
}

function optionalObject(body: JsonObject, name: string): JsonObject | undefined {
  const value = memberOf(body, name)
  if (value === undefined) return undefined
  if (isObject(value)) return value as JsonObject // a member of what was JSON
  throw bad(`"${name}" is no object`)
}

/** An own member of what was sent; what an object has by itself is none. */
function memberOf(body: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(body, name) ? body[name] : undefined
}

/** The members of `body` among these names, as they are. */
function picked(body: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.flatMap((name) => (Object.hasOwn(body, name) ? [[name, body[name] as Json]] : [])))
}

/** An id of the form that every id of this kind has, or what is told when there is no such thing: a name never stands for it. */
function uuid(text: string | undefined, kind: string): string {
  const id = (text ?? '').toLowerCase()
  if (isUuid(id)) return id
  throw fault('not_found', { kind, reference: text ?? '' }, { private: { absence: 'missing', kind } })
}

/** A number that stands for a thing in an address. */
function serial(text: string | undefined, kind: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text ?? '')) return Number(text)
  throw fault('not_found', { kind, reference: text ?? '' }, { private: { absence: 'missing', kind } })
}

/** A query parameter that is a whole number; undefined when it is not there. */
function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (/^[0-9]{1,9}$/.test(text)) return Number(text)
  throw bad(`the parameter "${name}" is no whole number`)
}

function flagParameter(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)
  if (text === null || text === 'false' || text === '0') return false
  if (text === 'true' || text === '1' || text === '') return true
  throw bad(`the parameter "${name}" is neither true nor false`)
}

/** A query parameter that is one of several words; undefined when it is not there. */
function wordParameter<const Word extends string>(query: URLSearchParams, name: string, words: readonly Word[]): Word | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const word = words.find((one) => one === text)
  if (word === undefined) throw bad(`the parameter "${name}" is none of ${words.join(', ')}`)
  return word
}

type SortKey = { readonly by: string; readonly direction: 'asc' | 'desc' }

/** The fields that a list is to be sorted by, in the order in which `asc` and `desc` name them; both may be there more than once. */
function sortKeys(query: URLSearchParams, fields: Readonly<Record<string, string>>): SortKey[] {
  const keys: SortKey[] = []
  for (const [direction, field] of query) {
    if (direction !== 'asc' && direction !== 'desc') continue
    const by = Object.hasOwn(fields, field) ? fields[field] : undefined
    if (by === undefined) throw bad(`a list is not sorted by "${field}", but by ${Object.keys(fields).join(', ')}`)
    if (!keys.some((key) => key.by === by)) keys.push({ by, direction })
  }
  return keys
}

function bad(why: string): Error {
  return fault('malformed_request', { why })
}

export type { SortKey }
export {
  requiredText,
  optionalText,
  optionalFlag,
  optionalObject,
  memberOf,
  picked,
  uuid,
  serial,
  wholeNumber,
  flagParameter,
  wordParameter,
  sortKeys,
  bad,
}
