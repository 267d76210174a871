import {
  changedMembers,
  flagMember,
  hasItems,
  isJsonObject,
  memberOf,
  objectMember,
  soundObject,
  textMember,
  textsMember,
  unreadable,
  withMembers,
  without,
} from './members.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { WorkflowDocument, WorkflowPath, WorkflowPlugin, WorkflowStep } from './model.ts'

/** A workflow version of an `.icon` 2.0.0 file (contract §9.2). Throws a fault where it cannot be read at all. */
function readIconVersion(version: JsonObject, triggers: readonly JsonObject[], file: JsonObject): WorkflowDocument {
  const where = `the workflow "${textMember(version, 'name')}"`
  const graph = soundObject(version, 'graph', where)
  const steps = soundObject(version, 'steps', where)
  const nodes = soundObject(graph, 'nodes', where)
  return {
    format: 'icon',
    ...headOf(version),
    type: Object.values(steps).some((step) => isJsonObject(step) && textMember(step, 'type') === 'snippet_map') ? 'snippet' : 'normal',
    steps: Object.entries(steps).map(([id, step]) => readStep(id, inside(step, `step "${id}" of ${where}`), objectMember(nodes, id))),
    paths: Object.entries(soundObject(graph, 'edges', where)).map(([id, edge]) => readEdge(id, inside(edge, `edge "${id}" of ${where}`))),
    parameters: defaultsOf(objectMember(objectMember(version, 'parameters'), 'definitionSchema')),
    triggers: triggers.map((trigger) => ({ ...trigger })),
    kept: {
      file: without(file, 'workflowVersions', ...(hasItems(file, 'triggers') ? ['triggers'] : [])),
      workflow: without(version, 'steps', 'graph'),
      graph: Object.keys(objectMember(graph, 'edges')).length === 0 ? graph : without(graph, 'edges'),
    },
  }
}

type Head = Pick<WorkflowDocument, 'name' | 'description' | 'tags'>

function headOf(version: JsonObject): Head {
  return { name: textMember(version, 'name'), description: textMember(version, 'description'), tags: textsMember(version, 'tags') }
}

const headMembers = ({ name, description, tags }: Head) => ({ name, description, tags: [...tags] })

/** The workflow version as an `.icon` file has it. What is as it was read stays as the file says it, down to members that are missing or of another type. */
function writeIconVersion(document: WorkflowDocument): JsonObject {
  const raw = objectMember(document.kept, 'workflow')
  const kept = objectMember(document.kept, 'graph')
  const nodes = objectMember(kept, 'nodes')
  // Nodes of the file that are no steps stand where they stood.
  const written = [...Object.entries(nodes), ...document.steps.flatMap((step) => writeNode(step, nodes))]
  const edges = document.paths.map((path): [string, Json] => [path.id, writeEdge(path)])
  return withMembers(withMembers({ ...raw, graph: {}, steps: {} }, changedMembers(headMembers(document), headMembers(headOf(raw)))), {
    graph: { ...kept, ...(written.length > 0 && { nodes: named(written) }), ...(edges.length > 0 && { edges: named(edges) }) },
    steps: named(document.steps.map((step) => [step.id, writeStep(step)])),
  })
}

function writeNode(step: WorkflowStep, nodes: JsonObject): [string, Json][] {
  const node = objectMember(nodes, step.id)
  const changed = changedMembers({ id: step.id, parentNodeId: step.parent }, { id: step.id, parentNodeId: textMember(node, 'parentNodeId') })
  const given = memberOf(nodes, step.id)
  if (given !== undefined) return [[step.id, Object.keys(changed).length === 0 ? given : withMembers(node, changed)]]
  return [[step.id, { id: step.id, parentNodeId: step.parent }]]
}

function readStep(id: string, raw: JsonObject, node: JsonObject): WorkflowStep {
  const parameters = objectMember(raw, 'parameters')
  const trigger = textMember(raw, 'triggerId')
  return {
    id,
    parent: textMember(node, 'parentNodeId'),
    name: textMember(raw, 'name'),
    description: textMember(raw, 'description'),
    type: textMember(raw, 'type'),
    continue_on_failure: flagMember(raw, 'continueOnFailure'),
    is_disabled: flagMember(raw, 'isDisabled'),
    parameters: withMembers(parameters, {
      trigger_config_id: trigger === '' ? undefined : trigger,
      // What a helper step does stands beside its parameters in this format.
      helperIdentifier: textMember(raw, 'helperIdentifier') || undefined,
      globalArtifact: memberOf(raw, 'globalArtifact'),
    }),
    plugin: readPlugin(raw),
    connection: readConnection(raw),
    kept: raw,
  }
}

function readPlugin(raw: JsonObject): WorkflowPlugin | null {
  const plugin = memberOf(raw, 'plugin')
  if (!isJsonObject(plugin)) return null
  return {
    vendor: textMember(plugin, 'slugVendor'),
    name: textMember(plugin, 'slugName'),
    version: textMember(plugin, 'slugVersion'),
    identifier: textMember(raw, 'identifier'),
  }
}

// Files of this format name no connection, only that there is one: which one is chosen here and kept under a member of our own.
function readConnection(raw: JsonObject): number | string | null {
  const connection = memberOf(raw, 'connectionId')
  return typeof connection === 'number' || (typeof connection === 'string' && connection !== '') ? connection : null
}

function writeStep(step: WorkflowStep): JsonObject {
  const { kept } = step
  const before = readStep(step.id, kept, {})
  const parameters = changedMembers(parameterMembers(step), parameterMembers(before))
  const plugin = changedMembers(pluginMembers(step), pluginMembers(before))
  return withMembers(kept, {
    ...changedMembers(stepMembers(step), stepMembers(before)),
    ...(Object.keys(parameters).length > 0 && { parameters: withMembers(objectMember(kept, 'parameters'), parameters) }),
    ...(Object.keys(plugin).length > 0 && { plugin: withMembers(objectMember(kept, 'plugin'), plugin) }),
  })
}

function stepMembers(step: WorkflowStep): JsonObject {
  const { name, description, type, continue_on_failure, is_disabled, parameters, plugin, connection } = step
  return {
    name,
    description,
    type: type === 'api_trigger' ? 'trigger' : type,
    continueOnFailure: continue_on_failure,
    isDisabled: is_disabled,
    triggerId: memberOf(parameters, 'trigger_config_id') ?? '',
    helperIdentifier: memberOf(parameters, 'helperIdentifier') ?? '',
    globalArtifact: memberOf(parameters, 'globalArtifact') ?? null,
    identifier: plugin?.identifier ?? '',
    connectionId: connection ?? '',
  }
}

/** What stands beside the parameters in this format. */
const beside = ['trigger_config_id', 'helperIdentifier', 'globalArtifact'] as const

function parameterMembers({ parameters }: WorkflowStep): JsonObject {
  return without(parameters, ...beside)
}

function pluginMembers({ plugin }: WorkflowStep): JsonObject {
  return plugin ? { slugVendor: plugin.vendor, slugName: plugin.name, slugVersion: plugin.version } : {}
}

function readEdge(id: string, raw: JsonObject): WorkflowPath {
  return {
    id,
    from: textMember(raw, 'fromNodeId'),
    to: textMember(raw, 'toNodeId'),
    name: textMember(raw, 'name'),
    description: textMember(raw, 'description'),
    parent: textMember(raw, 'parentNodeId'),
    kept: raw,
  }
}

function writeEdge(path: WorkflowPath): JsonObject {
  return withMembers(path.kept, changedMembers(edgeMembers(path), edgeMembers(readEdge(path.id, path.kept))))
}

function edgeMembers({ from, to, name, description, parent }: WorkflowPath) {
  return { name, description, parentNodeId: parent, fromNodeId: from, toNodeId: to }
}

function defaultsOf(schema: JsonObject): JsonObject {
  const properties = Object.entries(objectMember(schema, 'properties'))
  return Object.fromEntries(
    properties.flatMap(([name, property]) => {
      const value = isJsonObject(property) ? memberOf(property, 'default') : undefined
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
}

function inside(value: JsonObject[string], what: string): JsonObject {
  if (!isJsonObject(value)) throw unreadable(`the ${what} is not an object`)
  return value
}

// A list of entries and not assignments: ids are names of a file, and `__proto__` is one like any other.
function named(entries: readonly (readonly [string, Json])[]): JsonObject {
  return Object.fromEntries(entries)
}

export { readIconVersion, writeIconVersion }
