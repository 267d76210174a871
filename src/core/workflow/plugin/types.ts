import { isJsonObject, memberOf, objectMember } from '../document/members.ts'
import { fieldsOf } from './fields.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Field } from './fields.ts'

const text: JsonObject = { type: 'string' }

/** The types that a spec may name without defining them, as JSON Schema (contract §14.4). */
const simple: ReadonlyMap<string, JsonObject> = new Map<string, JsonObject>([
  ['string', text],
  ['text', text],
  ['integer', { type: 'integer' }],
  ['int', { type: 'integer' }],
  ['number', { type: 'number' }],
  ['float', { type: 'number' }],
  ['boolean', { type: 'boolean' }],
  ['bool', { type: 'boolean' }],
  ['object', { type: 'object' }],
  ['date', { type: 'string', format: 'date-time', displayType: 'date' }],
  ['date-time', { type: 'string', format: 'date-time', displayType: 'date' }],
  ['bytes', { type: 'string', format: 'bytes', displayType: 'bytes' }],
  ['password', { type: 'string', format: 'password', displayType: 'password' }],
  ['python', { type: 'string', format: 'python', displayType: 'python' }],
  ['array', { type: 'array' }],
])

const secret: JsonObject = { type: 'string', format: 'password', displayType: 'password' }

/** Types with members of their own. */
const structured: ReadonlyMap<string, JsonObject> = new Map<string, JsonObject>([
  ['file', { id: 'file', type: 'object', title: 'File', properties: { filename: text, content: { type: 'string', format: 'bytes' } } }],
  ['credential_username_password', credential('credential_username_password', { username: text, password: secret }, ['username', 'password'])],
  ['credential_secret_key', credential('credential_secret_key', { secretKey: secret }, ['secretKey'])],
  ['credential_token', credential('credential_token', { token: secret, domain: text }, ['token'])],
  ['credential_asymmetric_key', credential('credential_asymmetric_key', { privateKey: secret }, ['privateKey'])],
])

function credential(id: string, properties: JsonObject, required: string[]): JsonObject {
  return { id, type: 'object', title: 'Credential', properties, required }
}

const shownMembers = ['title', 'description', 'enum', 'order'] as const

/** The JSON Schema of a map of fields, with the definitions that it refers to. What has an unknown type counts as text, and `warnings` says so. */
function componentSchema(fields: ReadonlyMap<string, Field>, types: JsonObject, where: string, warnings: string[], raw: Json = null): JsonObject {
  const definitions = new Map<string, JsonObject>()
  const defining: Defining = { types, definitions, warnings }
  const properties = propertiesOf(fields, raw, where, defining)
  const required = [...fields].filter(([, field]) => field.required).map(([name]) => name)
  return {
    type: 'object',
    title: 'Variables',
    properties,
    ...(required.length > 0 ? { required } : {}),
    ...(definitions.size > 0 ? { definitions: Object.fromEntries(definitions) } : {}),
  }
}

type Defining = { readonly types: JsonObject; readonly definitions: Map<string, JsonObject>; readonly warnings: string[] }

function propertiesOf(fields: ReadonlyMap<string, Field>, raw: Json, where: string, defining: Defining): JsonObject {
  return Object.fromEntries(
    [...fields].map(([name, field]) => {
      const given = isJsonObject(raw) ? objectMember(raw, name) : {}
      const shown = shownMembers.flatMap((member) => {
        const value = memberOf(given, member)
        return value === undefined || value === null ? [] : [[member, value] as const]
      })
      const usual = field.default === undefined ? {} : { default: field.default }
      return [name, { ...schemaOf(field.type, `${where}.${name}`, defining), ...Object.fromEntries(shown), ...usual }]
    }),
  )
}

function schemaOf(type: string, where: string, defining: Defining): JsonObject {
  const known = simple.get(type)
  if (known) return { ...known }
  if (type.startsWith('[]') && type.length < 200) return { type: 'array', items: schemaOf(type.slice(2), where, defining) }
  const own = structured.get(type) ?? (Object.hasOwn(defining.types, type) ? memberOf(defining.types, type) : undefined)
  if (!isJsonObject(own)) {
    defining.warnings.push(`${where}: the type "${type.slice(0, 60)}" is not known and counts as string`)
    return { ...text }
  }
  if (!defining.definitions.has(type)) define(type, own, where, defining)
  return { $ref: `#/definitions/${type}` }
}

function define(type: string, own: JsonObject, where: string, defining: Defining): void {
  // Set before its members are read: types may name each other in a circle.
  defining.definitions.set(type, {})
  const ready = structured.get(type)
  if (ready) {
    defining.definitions.set(type, ready)
    return
  }
  const fields = fieldsOf(own)
  const required = [...fields].filter(([, field]) => field.required).map(([name]) => name)
  defining.definitions.set(type, {
    id: type,
    type: 'object',
    title: type,
    properties: propertiesOf(fields, own, where, defining),
    ...(required.length > 0 ? { required } : {}),
  })
}

export { componentSchema }
