import { freeze } from './json.ts'
import { Type } from './schema-builders.ts'
import type { Static, TObject, TSchema } from 'typebox'
import type { Problem } from './fault.ts'

export { Type }
export type { Static, TObject, TSchema }

/** A value that may be null. */
function Nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()])
}

/** One of several words. */
function OneOf<const T extends readonly string[]>(words: T, options: { description?: string; default?: T[number] } = {}) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...words], ...options })
}

/** An object without further members: what is not named is refused on the way in and left out on the way out. */
function Closed<T extends Parameters<typeof Type.Object>[0]>(properties: T, options: { description?: string } = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** A moment, as RFC 3339 in UTC with milliseconds. */
const Time = Type.Unsafe<string>({ type: 'string', format: 'date-time' })

/** The members that every list takes. */
const listMembers = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'How many at most; 50 when left out.' })),
  cursor: Type.Optional(Type.String({ maxLength: 2000, description: 'The `next` of the page before.' })),
}

/** The output of a list of `item`. */
function PageOf<T extends TSchema>(item: T) {
  return Closed({ items: Type.Array(item), next: Nullable(Type.String()) })
}

type Validate = (value: unknown) => readonly Problem[]

type AjvError = { instancePath: string; keyword: string; params: Record<string, unknown>; message?: string }
type AjvInstance = { compile(schema: unknown): { (value: unknown): boolean; errors?: AjvError[] | null } }

let ajv: Promise<{ first: AjvInstance; all: AjvInstance }> | undefined
const compiled = new WeakMap<object, Validate>()

/**
 * The check of a schema, compiled when first asked for (loading the compiler costs some 100 ms and 8 MiB, which a server that only starts must not pay).
 * It gives every problem with its JSON pointer; an empty list means valid.
 */
async function validator(schema: object): Promise<Validate> {
  const known = compiled.get(schema)
  if (known) return known
  ajv ??= loadAjv()
  const { first, all } = await ajv
  const check = first.compile(schema)
  let checkAll: ReturnType<AjvInstance['compile']> | undefined
  const validate: Validate = (value) => {
    if (check(value)) return []
    // All problems at once are for people. Finding all of them in a large hostile input would hold everybody up.
    if (largerThan(value, mostForAll)) return (check.errors ?? []).map(problem)
    checkAll ??= all.compile(schema)
    checkAll(value)
    return (checkAll.errors ?? []).map(problem)
  }
  compiled.set(schema, validate)
  return validate
}

async function loadAjv(): Promise<{ first: AjvInstance; all: AjvInstance }> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const make = (allErrors: boolean) => new Ajv2020({ allErrors, strict: false, ownProperties: true, formats: { 'date-time': true } })
  // Their own types differ only in what is not used here.
  return { first: make(false) as unknown as AjvInstance, all: make(true) as unknown as AjvInstance }
}

const mostForAll = 5000

function largerThan(value: unknown, limit: number): boolean {
  const open = [value]
  for (let seen = 0; open.length > 0; seen++) {
    if (seen > limit) return true
    const next = open.pop()
    if (typeof next !== 'object' || next === null) continue
    const inside = Object.values(next)
    if (inside.length > limit) return true
    open.push(...inside)
  }
  return false
}

function problem(error: AjvError): Problem {
  const { params } = error
  switch (error.keyword) {
    case 'required':
      return { path: `${error.instancePath}/${params.missingProperty}`, code: 'required', message: 'is required' }
    case 'additionalProperties':
      return { path: `${error.instancePath}/${params.additionalProperty}`, code: 'unknown', message: 'is not known here' }
    case 'type':
      return { path: error.instancePath, code: 'type', message: `must be of type ${params.type}` }
    case 'enum':
      return { path: error.instancePath, code: 'enum', message: `must be one of ${(params.allowedValues as unknown[]).join(', ')}` }
    case 'pattern':
      return { path: error.instancePath, code: 'pattern', message: `must match ${params.pattern}` }
    default:
      return { path: error.instancePath, code: error.keyword, message: error.message ?? 'is not valid' }
  }
}

type Project = (value: unknown) => unknown
const projections = new WeakMap<object, Project>()

/** Copies a value by a schema's allow-list: members that the schema does not name are left out. Made once per schema. */
function projector(schema: object): Project {
  let project = projections.get(schema)
  if (!project) {
    project = makeProjector(schema as SchemaNode)
    projections.set(schema, project)
  }
  return project
}

// What was copied by a schema for good, with that schema.
const sealed = new WeakMap<object, object>()

/**
 * The copy of a value by a schema's allow-list, frozen: further projections by the same schema give it as it is. For what is kept and given often. All
 * inside of it is frozen as well.
 */
function seal<T extends object>(schema: object, value: T): T {
  const copy = freeze(projector(schema)(value) as T) // the allow-list is that of the value's type
  sealed.set(copy, schema)
  return copy
}

type SchemaNode = {
  type?: string
  properties?: Record<string, SchemaNode>
  additionalProperties?: boolean | SchemaNode
  items?: SchemaNode
  anyOf?: SchemaNode[]
}

const keep: Project = (value) => value

function makeProjector(schema: SchemaNode): Project {
  if (schema.anyOf) {
    const object = schema.anyOf.find((variant) => variant.properties || variant.items)
    const project = object ? makeProjector(object) : keep
    return (value) => (typeof value === 'object' && value !== null ? project(value) : value)
  }
  if (schema.items) {
    const project = makeProjector(schema.items)
    return project === keep ? keep : (value) => (Array.isArray(value) ? value.map(project) : value)
  }
  if (!schema.properties || schema.additionalProperties !== false) return keep
  const members = Object.entries(schema.properties).map(([name, member]) => [name, makeProjector(member)] as const)
  return (value) => {
    const source = value as Record<string, unknown>
    if (sealed.get(source) === schema) return source
    const copy: Record<string, unknown> = {}
    for (const [name, project] of members) if (source[name] !== undefined) copy[name] = project(source[name])
    return copy
  }
}

export type { Validate, Project }
export { Nullable, OneOf, Closed, Time, listMembers, PageOf, validator, projector, seal }
