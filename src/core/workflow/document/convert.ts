import { LanguageError } from '../language/scope.ts'
import { parseQuery, queryTree } from '../language/query-parser.ts'
import { isInnerPath } from './shape.ts'
import { isJsonObject, memberOf, objectMember, textMember, withMembers, without } from './members.ts'
import { isNameable, renameSteps } from './rename.ts'
import { blankOf, ownNames } from './blank.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { WorkflowDocument, WorkflowPath, WorkflowStep } from './model.ts'

type Format = WorkflowDocument['format']

/**
 * The document as if it had come in the other format: steps named in its way (by name in `kom`, by node id in `icon`), with the members that it has. As well
 * as it goes: what cannot be carried over is in `warnings`. Members that neither format knows go with their step, path or workflow.
 */
function converted(document: WorkflowDocument, format: Format): { document: WorkflowDocument; warnings: string[] } {
  if (document.format === format) return { document, warnings: [] }
  const { names, warnings } = newNames(document, format)
  const lost = lostMembers(document)
  const steps = new Map(document.steps.map((step) => [step.id, step]))
  const whole: WorkflowDocument = {
    ...document,
    format,
    steps: document.steps.map((step) => convertedStep(document, step, format, names)),
    paths: document.paths.map((path) => convertedPath(path, steps, format)),
    triggers: document.triggers.map((trigger) => convertedTrigger(trigger, format)),
    kept: {
      file: without(objectMember(document.kept, 'file'), ...ownNames[document.format].file),
      workflow: withMembers(blankOf(format, 'workflow'), {
        ...without(objectMember(document.kept, 'workflow'), ...ownNames[document.format].workflow),
        ...(format === 'icon' && { parameters: { definitionSchema: definitionOf(document.parameters) } }),
      }),
      ...(format === 'icon' && { graph: { nodes: {}, edges: {} } }),
    },
  }
  if (lost.length > 0) warnings.push(`what only the ${document.format} format has is left out: ${lost.join(', ')}`)
  return { document: whole, warnings }
}

/** The values that `$workflow` has, as `.icon` describes them: by defaults. */
function definitionOf(parameters: JsonObject): JsonObject | null {
  const entries = Object.entries(parameters).map(([name, value]) => [name, { type: typeOf(value), default: value }] as const)
  return entries.length === 0 ? null : { type: 'object', properties: Object.fromEntries(entries) }
}

function typeOf(value: Json): string {
  if (value === null || Array.isArray(value)) return value === null ? 'null' : 'array'
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value
}

/** What each step is called in the other format, and which of them nothing can name there. */
function newNames({ steps }: WorkflowDocument, format: Format): { names: Map<string, string>; warnings: string[] } {
  const warnings: string[] = []
  const names = new Map<string, string>()
  const seen = new Set<string>()
  for (const { id, name } of steps) {
    if (name === '') continue
    if (seen.has(name)) warnings.push(`two steps are called "${name}": a reference to it means the first one`)
    else names.set(format === 'kom' ? id : name, format === 'kom' ? name : id)
    seen.add(name)
    if (format === 'kom' && !isNameable(name)) warnings.push(`the step "${name}" cannot be named in a template`)
  }
  return { names, warnings }
}

function convertedStep(document: WorkflowDocument, step: WorkflowStep, format: Format, names: ReadonlyMap<string, string>): WorkflowStep {
  const parameters = renamed(step.parameters, names, step.type !== 'pattern_match') as JsonObject // an object stays one
  const extra = without(step.kept, ...ownNames[document.format].step)
  return {
    ...step,
    type: format === 'kom' && startsByEvents(document, step) ? 'api_trigger' : step.type,
    parameters,
    kept: withMembers(blankOf(format, step.type === 'action' ? 'action' : 'step'), {
      ...extra,
      ...(format === 'icon' && { nodeId: step.id, ...(step.connection !== null && { connectionType: 'CONNECTION' }) }),
      ...calledAs(step, document.format, format),
    }),
  }
}

/** A first step that is started by events is an `api_trigger` in `.kom`; in `.icon` its trigger says so. */
function startsByEvents({ triggers }: WorkflowDocument, { type, plugin, parameters }: WorkflowStep): boolean {
  if (type !== 'trigger' || plugin) return false
  const own = triggers.find((trigger) => textMember(trigger, 'id') === textMember(parameters, 'trigger_config_id'))
  return !own || textMember(own, 'type') === 'trigger_api'
}

/** The titles of a plugin and its action, which each format keeps at a place of its own. */
function calledAs({ type, plugin, kept }: WorkflowStep, from: Format, to: Format): JsonObject {
  if (type !== 'action' || !plugin) return {}
  if (to === 'icon') {
    const title = from === 'kom' ? textMember(objectMember(kept, 'parameters'), 'plugin_title') : ''
    return { plugin: { name: title || plugin.name, slugVendor: '', slugName: '', slugVersion: '' } }
  }
  const title = textMember(objectMember(kept, 'plugin'), 'name')
  return {
    parameters: withMembers(objectMember(blankOf('kom', 'action'), 'parameters'), {
      step_title: plugin.identifier,
      plugin_title: title || plugin.name,
    }),
  }
}

function convertedPath(path: WorkflowPath, steps: ReadonlyMap<string, WorkflowStep>, format: Format): WorkflowPath {
  const inner = [steps.get(path.from), steps.get(path.parent)].find((step) => isInnerPath(step, path))
  const from = path.from || (inner?.id ?? '')
  const parent = inner ? inner.id : (steps.get(from)?.parent ?? path.parent)
  const extra = without(path.kept, ...ownNames[format === 'kom' ? 'icon' : 'kom'].path)
  return { ...path, from, parent: format === 'icon' ? parent : '', kept: withMembers(blankOf(format, 'path'), { ...extra, id: path.id }) }
}

const eventTypes = { kom: 'api_trigger', icon: 'trigger_api' } as const

/** A trigger for events; others have the same members in both formats, as far as they have a place in the other one. */
function convertedTrigger(trigger: JsonObject, format: Format): JsonObject {
  const from = format === 'kom' ? 'icon' : 'kom'
  const type = textMember(trigger, 'type') || eventTypes[from]
  if (type !== eventTypes[from]) return trigger
  if (format === 'icon') {
    const schema = memberOf(trigger, 'api_schema')
    return withMembers(blankOf('icon', 'trigger'), {
      ...without(trigger, 'api_schema'),
      ...(schema === undefined ? {} : { outputJsonSchema: schema }),
      type: eventTypes.icon,
    })
  }
  const schema = memberOf(trigger, 'outputJsonSchema')
  const rest = without(trigger, 'outputJsonSchema', ...Object.keys(blankOf('icon', 'trigger')).filter((name) => !commonOfTriggers.has(name)))
  return { ...rest, type: eventTypes.kom, ...(isJsonObject(schema) ? { api_schema: schema } : {}) }
}

const commonOfTriggers: ReadonlySet<string> = new Set(['id', 'name', 'type'])

/** Names of members that hold something which has no place in the other format. */
function lostMembers({ format, kept, steps }: WorkflowDocument): string[] {
  const holders = [
    [objectMember(kept, 'workflow'), unmatched[format].workflow],
    ...steps.map((step) => [step.kept, unmatched[format].step] as const),
  ] as const
  const lost = holders.flatMap(([object, names]) => names.filter((name): boolean => holds(memberOf(object, name))))
  // A connection has its number or its name in `.icon`, not both.
  const connections = steps.map((step) => objectMember(objectMember(step.kept, 'parameters'), 'connection'))
  const named =
    format === 'kom' && connections.some((connection) => textMember(connection, 'name') !== '' && typeof connection.connection_id === 'number')
  return [...new Set([...lost, ...(named ? ['names of connections'] : [])])]
}

const unmatched = {
  kom: { workflow: ['created_by', 'last_modified'], step: [] },
  icon: {
    workflow: ['version', 'humanCostSeconds', 'humanCostDisplayUnit'],
    step: ['defaultInputJSONSchema', 'defaultOutputJSONSchema', 'outputJSONSchema', 'defaultImageData', 'isCloud'],
  },
} as const

function holds(value: Json | undefined): boolean {
  return value !== undefined && value !== null && value !== '' && value !== false && value !== 0
}

function renamed(value: Json, names: ReadonlyMap<string, string>, rules: boolean): Json {
  if (typeof value === 'string') return value.includes('{{') ? renameSteps(value, names) : value
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item) => renamed(item, names, rules))
  const rule = memberOf(value, 'expressionText')
  // What a pattern holds between braces are captures, and no names of steps.
  const entries = Object.entries(value).map(
    ([name, member]) => [name, name === 'expressionText' && !rules ? member : renamed(member, names, rules)] as const,
  )
  const whole = Object.fromEntries(entries)
  // The tree of a rule that is kept beside its text names steps too.
  return rules && typeof rule === 'string' && memberOf(value, 'expression') !== undefined
    ? withMembers(whole, { expression: treeOf(textMember(whole, 'expressionText')) })
    : whole
}

function treeOf(rule: string): Json {
  if (rule.trim() === '') return {}
  try {
    return queryTree(parseQuery(rule))
  } catch (error) {
    if (error instanceof LanguageError) return {}
    throw error
  }
}

export { converted }
