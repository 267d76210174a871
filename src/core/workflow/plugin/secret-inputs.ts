import { mask } from '../connection/parameters.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'

/** An input as it is kept and shown: with a mask in place of what the schema of the component calls a password or a credential. */
function withoutPasswords({ input: schema }: { readonly input: JsonObject }, input: JsonObject): JsonObject {
  const secret = known.get(schema) ?? JSON.stringify(schema).includes('"format":"password"')
  known.set(schema, secret)
  // Most have none, and an input may be megabytes.
  return secret ? shownMembers(schema, input, objectMember(schema, 'definitions')) : input
}

const known = new WeakMap<JsonObject, boolean>()

function shownMembers(schema: JsonObject, value: JsonObject, definitions: JsonObject): JsonObject {
  const properties = objectMember(schema, 'properties')
  const shown = Object.entries(value).map(([name, member]): [string, Json] => {
    const of = memberOf(properties, name)
    return [name, isJsonObject(of) ? shownValue(of, member, definitions) : member]
  })
  return Object.fromEntries(shown)
}

function shownValue(given: JsonObject, value: Json, definitions: JsonObject): Json {
  const reference = textMember(given, '$ref').replace(/^#\/definitions\//, '')
  const schema = reference === '' ? given : objectMember(definitions, reference)
  if (textMember(schema, 'format') === 'password' || reference.startsWith('credential_')) return hidden(value)
  if (isJsonObject(value)) return memberOf(schema, 'properties') === undefined ? value : shownMembers(schema, value, definitions)
  const items = memberOf(schema, 'items')
  return Array.isArray(value) && isJsonObject(items) ? value.map((item) => shownValue(items, item, definitions)) : value
}

// An empty one tells that there was none, and hides nothing.
function hidden(value: Json): Json {
  if (Array.isArray(value)) return value.map(hidden)
  if (isJsonObject(value)) return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, hidden(member)]))
  return value === null || value === '' ? value : mask
}

export { withoutPasswords }
