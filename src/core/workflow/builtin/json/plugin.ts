import { deeperThan } from '../../../kernel/json.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../../document/members.ts'
import { ActionFailed, builtinPlugin, pure } from '../builtin.ts'
import { listInput, numberInput, objectAt, pathInput } from '../input.ts'
import { boundedList } from '../size.ts'
import { jsonSpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'

/** What is handed on from step to step nests no deeper. */
const deepest = 64

/** Work on JSON. Members named like those of a prototype are data like any others. */
const jsonPlugin = builtinPlugin('json', jsonSpec, {
  parse: pure((input) => ({ value: parseJson(textMember(input, 'text')) })),
  stringify: pure((input) => ({ text: written(objectMember(input, 'object'), numberInput(input, 'indent')) })),
  stringify_array: pure((input) => ({ text: written(listInput(input, 'array'), numberInput(input, 'indent')) })),
  get: pure((input) => {
    const value = pathInput(input, 'path')(objectMember(input, 'object'))
    return value === undefined ? { found: false } : { found: true, value }
  }),
  merge: pure((input) => {
    const objects = listInput(input, 'objects')
    const deep = memberOf(input, 'deep') === true
    return {
      object: objects.map((_, index) => objectAt(objects, index, 'objects')).reduce((into, from) => merged(into, from, deep ? deepest : 0), {}),
    }
  }),
  keys: pure((input) => {
    const object = objectMember(input, 'object')
    const keys = boundedList(Object.keys(object))
    return { keys, values: Object.values(object), count: keys.length }
  }),
})

/** The value that a text holds. Errors: `ActionFailed` with the place of the mistake. */
function parseJson(text: string): Json {
  let value: Json
  try {
    value = JSON.parse(text) as Json // what the parser gives is JSON
  } catch (error) {
    throw new ActionFailed(`The text is not JSON: ${error instanceof Error ? error.message.slice(0, 200) : ''}`)
  }
  if (deeperThan(value, deepest)) throw new ActionFailed(`The JSON nests deeper than ${deepest} levels`)
  return value
}

function written(value: Json, indent: number): string {
  if (indent < 0 || indent > 10) throw new ActionFailed('"indent" is a number from 0 to 10')
  return JSON.stringify(value, null, indent)
}

// Built from entries and never assigned to: a member "__proto__" stays data.
function merged(into: JsonObject, from: JsonObject, levels: number): JsonObject {
  const members = new Map(Object.entries(into))
  for (const [name, value] of Object.entries(from)) {
    const before = members.get(name)
    members.set(name, levels > 0 && isJsonObject(before) && isJsonObject(value) ? merged(before, value, levels - 1) : value)
  }
  return Object.fromEntries(members)
}

export { jsonPlugin }
