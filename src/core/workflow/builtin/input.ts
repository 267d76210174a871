import { isJsonObject, memberOf, textMember } from '../document/members.ts'
import { follow } from '../language/path.ts'
import { ActionFailed } from './builtin.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'

const deepestPath = 100

/** A number of an input; 0 where there is none. */
function numberInput(input: JsonObject, name: string): number {
  const value = memberOf(input, name)
  return typeof value === 'number' ? value : 0
}

/** A list of an input; an empty one where there is none. */
function listInput(input: JsonObject, name: string): Json[] {
  const value = memberOf(input, name)
  return Array.isArray(value) ? value : []
}

/** The object with those of the members that were given: an input left out arrives as an empty text, list or object. */
function onlyGiven(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(members).filter((entry): entry is [string, Json] => {
      const [, value] = entry
      if (value === undefined || value === null || value === '') return false
      return typeof value !== 'object' || Object.keys(value).length > 0
    }),
  )
}

/** The segments of a path: names and positions joined by dots, `[…]` around a position or a name with dots. An empty path is the value itself. */
function readPath(text: string): string[] {
  const segments: string[] = []
  const refuse = (at: number) => new ActionFailed(`The path "${text.slice(0, 100)}" cannot be read at character ${at + 1}`)
  for (let at = 0; at < text.length; ) {
    const bracket = text[at] === '['
    const close = bracket ? text.indexOf(']', at) : -1
    if (bracket && close < 0) throw refuse(at)
    const rest = text.slice(at).search(/[.[]/)
    const end = bracket ? close + 1 : rest < 0 ? text.length : at + rest
    const segment = bracket ? text.slice(at + 1, close) : text.slice(at, end)
    const dot = text[end] === '.'
    if (segment === '' || (end < text.length && !dot && text[end] !== '[') || (dot && end === text.length - 1)) throw refuse(end)
    segments.push(segment)
    if (segments.length > deepestPath) throw new ActionFailed(`A path has at most ${deepestPath} parts`)
    at = dot ? end + 1 : end
  }
  return segments
}

/** What a path given as an input leads to, as a function; only members that a value has itself are found. */
function pathInput(input: JsonObject, name: string): (value: Json) => Json | undefined {
  const segments = readPath(textMember(input, name))
  return (value) => follow(value, segments)
}

/** An object of an input's list, or a failure that says which element is none. */
function objectAt(list: readonly Json[], index: number, name: string): JsonObject {
  const item = list[index]
  if (!isJsonObject(item)) throw new ActionFailed(`Element ${index} of "${name}" is not an object`)
  return item
}

export { numberInput, listInput, onlyGiven, readPath, pathInput, objectAt }
