import { isObject } from '../core/kernel/json.ts'
import { CommandFailure } from './exit.ts'
import { oneLine } from './terminal.ts'
import type { JsonObject } from '../core/kernel/json.ts'
import type { Terminal } from './terminal.ts'

type Schema = Readonly<Record<string, unknown>>

/**
 * The settings that a schema describes, asked for one by one: what is secret is not shown, what has a default or need not be there may be left empty.
 * Groups of settings (credentials) that need not be there are asked for as well, and left out when their first member is left empty.
 */
async function askSettings(terminal: Terminal, schema: unknown): Promise<JsonObject> {
  const root: Schema = isObject(schema) ? schema : {}
  return (await askGroup(terminal, root, { root, prefix: '', required: true })) ?? {}
}

type Place = { readonly root: Schema; readonly prefix: string; readonly required: boolean }

async function askGroup(terminal: Terminal, schema: Schema, { root, prefix, required }: Place): Promise<JsonObject | null> {
  const given: JsonObject = {}
  const needed = Array.isArray(schema.required) ? schema.required : []
  for (const [name, node] of Object.entries(isObject(schema.properties) ? schema.properties : {})) {
    const one = resolved(node, root)
    const label = `${prefix}${oneLine(name)}`
    const must = needed.includes(name)
    // The first member of a group that need not be there says whether it is.
    const open = !required && Object.keys(given).length === 0
    const value = isObject(one.properties)
      ? await askGroup(terminal, one, { root, prefix: `${label}.`, required: must })
      : await askOne(terminal, one, label, { must: must && !open })
    if (value === null && must && open) return null
    if (value !== null) given[name] = value
  }
  return !required && Object.keys(given).length === 0 ? null : given
}

async function askOne(terminal: Terminal, schema: Schema, label: string, { must }: { must: boolean }): Promise<JsonObject[string]> {
  const hidden = schema.format === 'password'
  const choices = Array.isArray(schema.enum) ? ` (${schema.enum.map((one) => oneLine(String(one))).join(', ')})` : ''
  const preset = schema.default === undefined || hidden ? '' : ` [${oneLine(String(schema.default))}]`
  const left = must || preset !== '' ? '' : ' (may be left empty)'
  const text = await terminal.ask(`${label}${choices}${preset}${left}: `, { hidden })
  if (text !== '') return read(text, schema, label)
  if (must && schema.default === undefined) throw new CommandFailure('usage', `${label} is missing.`)
  return null
}

function read(text: string, { type }: Schema, label: string): JsonObject[string] {
  if (type === 'string' || type === undefined) return text
  try {
    return JSON.parse(text)
  } catch {
    throw new CommandFailure('usage', `${label} is not of type ${String(type)}.`)
  }
}

// Settings have no schemas that refer to themselves: a reference is followed once.
function resolved(node: unknown, root: Schema): Schema {
  const schema: Schema = isObject(node) ? node : {}
  const name = typeof schema.$ref === 'string' ? schema.$ref.replace('#/definitions/', '') : null
  if (name === null) return schema
  const definitions = isObject(root.definitions) ? root.definitions : {}
  const found = Object.hasOwn(definitions, name) ? definitions[name] : undefined
  return isObject(found) ? found : {}
}

export { askSettings }
