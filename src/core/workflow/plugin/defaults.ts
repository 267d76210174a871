import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Component } from './spec.ts'

/**
 * The input with everything filled in that plugins count on (contract §14.5): the default of the spec, else the zero of the type. Required inputs are never
 * filled, nor are texts with a list of allowed values, credentials, files and types of the plugin's own.
 */
function withDefaults(component: Pick<Component, 'fields' | 'input'>, input: JsonObject): JsonObject {
  const schemas = objectMember(component.input, 'properties')
  const filled: [string, Json][] = Object.entries(input)
  for (const [name, field] of component.fields) {
    if (memberOf(input, name) !== undefined || field.required) continue
    const value = field.default ?? zeroOf(memberOf(schemas, name))
    if (value !== undefined) filled.push([name, value])
  }
  return Object.fromEntries(filled)
}

const zeros: ReadonlyMap<string, Json> = new Map<string, Json>([
  ['string', ''],
  ['integer', 0],
  ['number', 0],
  ['boolean', false],
  ['array', []],
  ['object', {}],
])

// By the schema and not by the word of the spec: many words are texts there, misspelt ones among them. What refers to a definition is a type of its own.
function zeroOf(schema: Json | undefined): Json | undefined {
  if (!isJsonObject(schema) || memberOf(schema, 'enum') !== undefined) return undefined
  return zeros.get(textMember(schema, 'type'))
}

/** Inputs without which a call is refused: a default of the spec is only offered for them, never filled in. */
function requiredInputs(component: Pick<Component, 'fields'>): string[] {
  return [...component.fields].filter(([, field]) => field.required).map(([name]) => name)
}

export { withDefaults, requiredInputs }
