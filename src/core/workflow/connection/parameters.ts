import { isJsonObject, memberOf, objectMember, textMember, textsMember } from '../document/members.ts'
import type { Problem } from '../../kernel/fault.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'

/** What stands in place of a secret wherever parameters are shown. */
const mask = '********'

/** Parameters taken apart by the schema of a plugin's connection. */
type Sorted = {
  /** The same with a mask in place of every secret. */
  readonly shown: JsonObject
  /** The secrets, for who masks them elsewhere. */
  readonly secrets: readonly string[]
  /** A secret is the mask itself: the caller sent back what it was shown. */
  readonly masked: boolean
  /** What the plugin would refuse. */
  readonly problems: readonly Problem[]
}

type Sorting = { readonly definitions: JsonObject; readonly secrets: Set<string>; readonly problems: Problem[]; masked: boolean }

/**
 * Which of the parameters are secret: those of the format `password`, all members of a credential, and what the schema does not name. Without a schema
 * everything is (contract §8).
 */
function sortParameters(schema: JsonObject | null, parameters: JsonObject): Sorted {
  const sorting: Sorting = { definitions: schema ? objectMember(schema, 'definitions') : {}, secrets: new Set(), problems: [], masked: false }
  const shown = schema ? sortObject(schema, parameters, '', sorting) : hidden(parameters, sorting)
  return { shown: shown as JsonObject, secrets: [...sorting.secrets], masked: sorting.masked, problems: sorting.problems } // an object for an object
}

function sortObject(schema: JsonObject, value: JsonObject, path: string, sorting: Sorting): JsonObject {
  const properties = objectMember(schema, 'properties')
  for (const name of textsMember(schema, 'required')) {
    const given = memberOf(value, name)
    if (given === undefined || given === null) sorting.problems.push({ path: `${path}/${name}`, code: 'required', message: 'is required' })
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const of = memberOf(properties, name)
      return [name, isJsonObject(of) ? sortValue(of, member, `${path}/${name}`, sorting) : hidden(member, sorting)]
    }),
  )
}

function sortValue(given: JsonObject, value: Json, path: string, sorting: Sorting): Json {
  const reference = textMember(given, '$ref').replace(/^#\/definitions\//, '')
  const schema = reference === '' ? given : objectMember(sorting.definitions, reference)
  const secret = textMember(schema, 'format') === 'password' || reference.startsWith('credential_')
  if (value === null) return null
  checkType(textMember(schema, 'type'), value, path, sorting)
  checkAllowed(memberOf(given, 'enum'), value, path, sorting)
  if (secret) {
    // What a credential lacks is said all the same.
    if (isJsonObject(value)) sortObject(schema, value, path, { ...sorting, secrets: new Set(), masked: false })
    return hidden(value, sorting)
  }
  if (isJsonObject(value) && isJsonObject(memberOf(schema, 'properties'))) return sortObject(schema, value, path, sorting)
  const items = memberOf(schema, 'items')
  if (Array.isArray(value) && isJsonObject(items)) return value.map((item, index) => sortValue(items, item, `${path}/${index}`, sorting))
  return value
}

const types: Readonly<Record<string, (value: Json) => boolean>> = {
  string: (value) => typeof value === 'string',
  integer: (value) => typeof value === 'number' && Number.isInteger(value),
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  array: (value) => Array.isArray(value),
  object: isJsonObject,
}

function checkType(type: string, value: Json, path: string, { problems }: Sorting): void {
  const holds = Object.hasOwn(types, type) ? types[type] : undefined
  if (holds && !holds(value)) problems.push({ path, code: 'type', message: `must be of type ${type}` })
}

function checkAllowed(allowed: Json | undefined, value: Json, path: string, { problems }: Sorting): void {
  if (!Array.isArray(allowed) || allowed.includes(value)) return
  problems.push({ path, code: 'value', message: `must be one of ${allowed.map(String).join(', ')}` })
}

/** The parameters with the defaults of the spec for what was left out: plugins count on them, and fill in nothing themselves. */
function withSpecDefaults(schema: JsonObject | null, parameters: JsonObject): JsonObject {
  const usual = Object.entries(schema ? objectMember(schema, 'properties') : {}).flatMap(([name, of]): [string, Json][] => {
    const value = isJsonObject(of) && memberOf(parameters, name) === undefined ? memberOf(of, 'default') : undefined
    return value === undefined || value === null ? [] : [[name, value]]
  })
  return usual.length === 0 ? parameters : Object.fromEntries([...Object.entries(parameters), ...usual])
}

function hidden(value: Json, sorting: Sorting): Json {
  if (value === null) return null
  if (Array.isArray(value)) return value.map((item) => hidden(item, sorting))
  if (isJsonObject(value)) return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, hidden(member, sorting)]))
  if (value === mask) sorting.masked = true
  else if (typeof value !== 'boolean') sorting.secrets.add(String(value))
  return mask
}

export type { Sorted }
export { sortParameters, withSpecDefaults, mask }
