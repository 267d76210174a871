import type { TSchema, Type as TypeBox } from 'typebox'

type Options = Readonly<Record<string, unknown>>
type Properties = Readonly<Record<string, TSchema>>

// Which members of an object may be left out. Beside the schemas, because a schema is plain JSON Schema and nothing more.
const optional = new WeakSet<object>()

const builders = {
  String: (options?: Options) => ({ type: 'string', ...options }),
  Number: (options?: Options) => ({ type: 'number', ...options }),
  Integer: (options?: Options) => ({ type: 'integer', ...options }),
  Boolean: (options?: Options) => ({ type: 'boolean', ...options }),
  Null: (options?: Options) => ({ type: 'null', ...options }),
  Unknown: (options?: Options) => ({ ...options }),
  Unsafe: (schema: TSchema) => ({ ...schema }),
  Array: (items: TSchema, options?: Options) => ({ type: 'array', items, ...options }),
  Union: (anyOf: readonly TSchema[], options?: Options) => ({ anyOf, ...options }),
  Object(properties: Properties, options?: Options) {
    const required = Object.keys(properties).filter((name) => !optional.has(properties[name] as TSchema))
    return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
  },
  Optional(schema: TSchema) {
    const copy = { ...schema }
    optional.add(copy)
    return copy
  },
}

/**
 * JSON Schemas with the types of what they describe: the signatures are TypeBox's, and so is `Static`. Its own builders are not loaded, because they bring a
 * whole language of types with them: 370 modules, which take a sixth of the start and 15 MiB for as long as the server runs (decision 0005).
 */
const Type = builders as unknown as Pick<typeof TypeBox, keyof typeof builders>

export { Type }
