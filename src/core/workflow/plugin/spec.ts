import { isJsonObject, memberOf, objectMember, textMember, textsMember } from '../document/members.ts'
import { fieldsOf } from './fields.ts'
import { componentSchema } from './types.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Field } from './fields.ts'

/** A plugin as its `plugin.spec.yaml` describes it (contract §14). */
type PluginSpec = {
  readonly vendor: string
  readonly name: string
  readonly version: string
  readonly title: string
  readonly description: string
  readonly tags: readonly string[]
  readonly enable_cache: boolean
  /** JSON Schema of the connection; null: the plugin has none. */
  readonly connection: JsonObject | null
  /** The fields of the connection as the spec has them. */
  readonly connection_version: number
  readonly actions: ReadonlyMap<string, Component>
  readonly triggers: ReadonlyMap<string, Component>
  readonly tasks: ReadonlyMap<string, Component>
  /** What was read otherwise than it stands there. */
  readonly warnings: readonly string[]
}

/** An action, trigger or task. */
type Component = {
  readonly name: string
  readonly title: string
  readonly description: string
  /** The fields as the spec has them. */
  readonly fields: ReadonlyMap<string, Field>
  readonly input: JsonObject
  readonly output: JsonObject
  /** Its author says that it may be done again when a restart of the server has cut it off: `on_interrupt: repeat`, an extension of ours. */
  readonly repeatable: boolean
}

/** The spec cannot be used; the message says why. */
class SpecRefused extends Error {
  override readonly name = 'SpecRefused'
}

const sizeLimit = 4 * 1024 * 1024
const namePattern = /^[a-z][a-z0-9_]{0,99}$/
const versionPattern = /^\d{1,6}\.\d{1,6}\.\d{1,6}(?:[-+][0-9A-Za-z.+-]{1,60})?$/
const idPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/

/** A spec from its text. Unknown and misspelt keys are kept out silently; without a usable name, vendor and version it is refused (`SpecRefused`). */
async function readSpec(text: string): Promise<PluginSpec> {
  if (text.length > sizeLimit) throw new SpecRefused('plugin.spec.yaml is larger than 4 MiB')
  const spec = await parsed(text)
  const name = textMember(spec, 'name')
  const vendor = textMember(spec, 'vendor')
  const version = String(memberOf(spec, 'version') ?? '')
  if (!namePattern.test(name)) throw new SpecRefused('"name" is lower case letters, digits and "_"')
  if (!idPattern.test(vendor) || vendor !== vendor.toLowerCase()) throw new SpecRefused('"vendor" is lower case letters, digits, "_", "." and "-"')
  if (!versionPattern.test(version)) throw new SpecRefused('"version" is three numbers, as in 1.0.0')
  const types = objectMember(spec, 'types')
  const warnings: string[] = []
  const connection = fieldsOf(memberOf(spec, 'connection'))
  return {
    vendor,
    name,
    version,
    title: textMember(spec, 'title') || name,
    description: textMember(spec, 'description'),
    tags: textsMember(spec, 'tags'),
    enable_cache: memberOf(spec, 'enable_cache') === true,
    connection: connection.size === 0 ? null : componentSchema(connection, types, 'connection', warnings, memberOf(spec, 'connection')),
    connection_version: Number(memberOf(spec, 'connection_version') ?? 1) || 1,
    actions: componentsOf(spec, 'actions', types, warnings),
    triggers: componentsOf(spec, 'triggers', types, warnings),
    tasks: componentsOf(spec, 'tasks', types, warnings),
    warnings,
  }
}

async function parsed(text: string): Promise<JsonObject> {
  // A server that never reads a spec does without the library.
  const { parse } = await import('yaml')
  let value: unknown
  try {
    // Plain data of the core schema; the count of aliases is bounded, or a small file could mean gigabytes.
    value = parse(text, { schema: 'core', maxAliasCount: 100, prettyErrors: true })
  } catch (error) {
    throw new SpecRefused(`plugin.spec.yaml is not YAML: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`)
  }
  const json = JSON.parse(JSON.stringify(value ?? null)) as Json // what YAML has beyond JSON is gone
  if (!isJsonObject(json)) throw new SpecRefused('plugin.spec.yaml is not a map')
  return json
}

function componentsOf(spec: JsonObject, kind: 'actions' | 'triggers' | 'tasks', types: JsonObject, warnings: string[]): Map<string, Component> {
  const components = new Map<string, Component>()
  for (const [name, raw] of Object.entries(objectMember(spec, kind))) {
    if (!idPattern.test(name)) throw new SpecRefused(`"${name.slice(0, 60)}" cannot be the name of one of the ${kind}`)
    if (!isJsonObject(raw)) continue
    const fields = fieldsOf(memberOf(raw, 'input'))
    components.set(name, {
      name,
      title: textMember(raw, 'title') || name,
      description: textMember(raw, 'description'),
      fields,
      input: componentSchema(fields, types, `${kind}.${name}.input`, warnings, memberOf(raw, 'input')),
      output: componentSchema(fieldsOf(memberOf(raw, 'output')), types, `${kind}.${name}.output`, warnings, memberOf(raw, 'output')),
      repeatable: textMember(raw, 'on_interrupt') === 'repeat',
    })
  }
  return components
}

export type { PluginSpec, Component }
export { readSpec, SpecRefused }
