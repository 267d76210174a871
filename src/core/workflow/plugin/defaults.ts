import { memberOf } from '../document/members.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Field } from './fields.ts'
import type { Component } from './spec.ts'

/**
 * The input with everything filled in that plugins count on (contract §14.5): the default of the spec, else the zero of the type. Required inputs are never
 * filled, nor are texts with a list of allowed values, credentials, files and types of the plugin's own.
 */
function withDefaults(component: Pick<Component, 'fields'>, input: JsonObject): JsonObject {
  const filled: [string, Json][] = Object.entries(input)
  for (const [name, field] of component.fields) {
    if (memberOf(input, name) !== undefined || field.required) continue
    const value = field.default ?? zeroOf(field)
    if (value !== undefined) filled.push([name, value])
  }
  return Object.fromEntries(filled)
}

const zeros: ReadonlyMap<string, Json> = new Map<string, Json>([
  ['string', ''],
  ['text', ''],
  ['bytes', ''],
  ['date', ''],
  ['date-time', ''],
  ['integer', 0],
  ['int', 0],
  ['number', 0],
  ['float', 0],
  ['boolean', false],
  ['bool', false],
  ['array', []],
  ['object', {}],
])

function zeroOf(field: Field): Json | undefined {
  if (field.enum) return undefined
  return field.type.startsWith('[]') ? [] : zeros.get(field.type)
}

/** Inputs without which a call is refused: required and without a default of the spec. */
function requiredInputs(component: Pick<Component, 'fields'>): string[] {
  return [...component.fields].filter(([, field]) => field.required && field.default === undefined).map(([name]) => name)
}

export { withDefaults, requiredInputs }
