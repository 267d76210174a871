import { deeperThan } from '../../../kernel/json.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../../document/members.ts'
import { ActionFailed, builtinPlugin, pure } from '../builtin.ts'
import { listInput, numberInput, objectAt, pathInput } from '../input.ts'
import { boundedList, indentedSize, textLimit } from '../size.ts'
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
    const all = objects.map((_, index) => objectAt(objects, index, 'objects'))
    return { object: merged(all, deep ? deepest : 0) }
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
  if (indent > 0 && indentedSize(value, indent, textLimit) > textLimit) throw new ActionFailed('The text would become larger than 10 MiB')
  return JSON.stringify(value, null, indent)
}

/** All objects at once, so that the work grows with their members and not with how many objects there are. */
// Built from entries and never assigned to: a member "__proto__" stays data.
function merged(objects: readonly JsonObject[], levels: number): JsonObject {
  const members = new Map<string, Json[]>()
  for (const object of objects) {
    for (const [name, value] of Object.entries(object)) {
      const before = members.get(name)
      if (!before) members.set(name, [value])
      else if (levels > 0 && isJsonObject(value) && isJsonObject(before[0])) before.push(value)
      else members.set(name, [value])
    }
  }
  const one = (values: readonly Json[]) => (values.length > 1 ? merged(values.filter(isJsonObject), levels - 1) : (values[0] ?? null))
  return Object.fromEntries([...members].map(([name, values]) => [name, one(values)]))
}

export { jsonPlugin }
