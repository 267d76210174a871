import { fault } from '../kernel/fault.ts'
import { isJsonObject, memberOf, objectMember, textMember, textsMember } from './document/members.ts'
import { startStep } from './document/shape.ts'
import { triggerOf } from './trigger/model.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { WorkflowDocument } from './document/model.ts'

type Variable = {
  readonly name: string
  /** Words for its type; a value of one of them is right. None: every value is. */
  readonly types: readonly string[]
}

/**
 * The declared variables of a message, each of its type (contract §6.1): a wrong one is refused by name, and so is `null` where its schema does not allow it.
 * One that is not there is not there: variables have no word for being required, and schemas that other systems wrote name them all. What is not declared
 * stays in the message only. `shared` is what the trigger declares that the document only names. A snippet is called by a step, which may hand on that there is
 * nothing.
 */
function declaredVariables(document: WorkflowDocument, message: JsonObject, shared: JsonObject | null = null): JsonObject {
  const variables = variablesOf(document, shared)
  if (!variables) return message
  const fromOutside = document.type !== 'snippet'
  const outputs: [string, Json][] = []
  for (const { name, types } of variables) {
    const value = memberOf(message, name)
    if (value === undefined) continue
    const known = types.map((type) => typeWords.get(type))
    const right = known.length === 0 || known.some((type) => type === undefined || type.holds(value)) || (value === null && !fromOutside)
    if (!right) {
      const wanted = [...new Set(known.flatMap((type) => type?.word ?? []))].join(' or ')
      throw fault('malformed_request', { why: `the variable "${name}" is ${wanted}, and not ${value === null ? 'null' : 'what was sent'}` })
    }
    outputs.push([name, value])
  }
  return Object.fromEntries(outputs)
}

/** The variables that the trigger of a version declares; null when it declares none and everything is passed on. */
function variablesOf(document: WorkflowDocument, shared: JsonObject | null): Variable[] | null {
  const source = ownTrigger(document) ?? (document.type === 'snippet' ? startStep(document)?.parameters : undefined) ?? shared
  // What a plugin or the server itself sends is no message of a caller: it is passed on whole (contract §15.4).
  if (!source || sends(source)) return null
  const listed = memberOf(source, 'api_variables') ?? memberOf(source, 'variables')
  const schema = memberOf(source, 'api_schema') ?? memberOf(source, 'schema') ?? memberOf(source, 'outputJsonSchema')
  const properties = isJsonObject(schema) ? objectMember(schema, 'properties') : {}
  const types = new Map<string, readonly string[]>()
  for (const variable of Array.isArray(listed) ? listed.filter(isJsonObject) : []) {
    const property = memberOf(properties, textMember(variable, 'name'))
    const words = typesIn(variable)
    if (textMember(variable, 'name') !== '')
      types.set(textMember(variable, 'name'), words.length > 0 && allowsNull(property) ? [...words, 'null'] : words)
  }
  for (const [name, property] of Object.entries(properties)) {
    const words = isJsonObject(property) ? typesIn(property) : []
    if (!types.has(name)) types.set(name, words.length > 0 && allowsNull(property) ? [...words, 'null'] : words)
  }
  if (types.size === 0) return null
  return [...types].map(([name, words]) => ({ name, types: words }))
}

function typesIn(from: JsonObject): string[] {
  const type = textMember(from, 'type')
  return type === '' ? textsMember(from, 'type') : [type]
}

function allowsNull(property: Json | undefined): boolean {
  if (!isJsonObject(property)) return false
  const values = memberOf(property, 'enum')
  return typesIn(property).includes('null') || memberOf(property, 'nullable') === true || (Array.isArray(values) && values.includes(null))
}

const declaring: ReadonlySet<string> = new Set(['api_trigger', 'webhook'])

/** Whether a trigger has events of its own; what nobody here can tell takes those of callers. */
function sends(trigger: JsonObject): boolean {
  const { type } = triggerOf({ type: textMember(trigger, 'type') || 'api_trigger', spec: trigger })
  return !declaring.has(type) && type !== 'unknown'
}

/** The trigger that a document brings itself; undefined when its first step only names one. */
function ownTrigger(document: WorkflowDocument): JsonObject | undefined {
  const id = triggerIdOf(document)
  return document.triggers.find((trigger) => textMember(trigger, 'id') === id)
}

function triggerIdOf(document: WorkflowDocument): string {
  const step = startStep(document)
  return step ? textMember(step.parameters, 'trigger_config_id') : ''
}

/** What the trigger declares that the first step of a document names without bringing it; null when there is none. */
async function sharedTrigger(db: Pick<Tables, 'workflowTriggers'>, document: WorkflowDocument): Promise<JsonObject | null> {
  const id = triggerIdOf(document)
  if (id === '' || ownTrigger(document)) return null
  const row = await db.workflowTriggers.byId(id)
  return row && declaring.has(triggerOf(row).type) ? row.spec : null
}

type TypeWord = { readonly word: string; readonly holds: (value: Json) => boolean }

// Formats are not looked into: `bytes` and times are texts, and what reads them says what it cannot read.
const text: TypeWord = { word: 'a text', holds: (value) => typeof value === 'string' }
const number: TypeWord = { word: 'a number', holds: (value) => Number.isFinite(value) }
const list: TypeWord = { word: 'an array', holds: (value) => Array.isArray(value) }

const typeWords: ReadonlyMap<string, TypeWord> = new Map([
  ...['string', 'text', 'python', 'bytes', 'date', 'date-time', 'password'].map((type) => [type, text] as const),
  ['integer', { word: 'a whole number', holds: (value: Json) => typeof value === 'number' && Number.isInteger(value) }],
  ...['number', 'float'].map((type) => [type, number] as const),
  ['boolean', { word: 'true or false', holds: (value: Json) => typeof value === 'boolean' }],
  ...['array', 'collection'].map((type) => [type, list] as const),
  ['object', { word: 'an object', holds: isJsonObject }],
  ['null', { word: 'null', holds: (value: Json) => value === null }],
])

export { declaredVariables, sharedTrigger }
