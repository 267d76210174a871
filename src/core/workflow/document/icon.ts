import {
  flagMember,
  isJsonObject,
  memberOf,
  objectMember,
  textMember,
  textsMember,
  unlessDefault,
  unreadable,
  withMembers,
  without,
} from './members.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { WorkflowDocument, WorkflowPath, WorkflowPlugin, WorkflowStep } from './model.ts'

/** A workflow version of an `.icon` 2.0.0 file (contract §9.2). Throws a fault where it cannot be read at all. */
function readIconVersion(version: JsonObject, triggers: readonly JsonObject[], file: JsonObject): WorkflowDocument {
  const name = textMember(version, 'name')
  const graph = objectMember(version, 'graph')
  const steps = objectMember(version, 'steps')
  const nodes = objectMember(graph, 'nodes')
  return {
    format: 'icon',
    name,
    description: textMember(version, 'description'),
    type: Object.values(steps).some((step) => isJsonObject(step) && textMember(step, 'type') === 'snippet_map') ? 'snippet' : 'normal',
    tags: textsMember(version, 'tags'),
    steps: Object.entries(steps).map(([id, step]) => readStep(id, inside(step, `step "${id}"`), objectMember(nodes, id))),
    paths: Object.entries(objectMember(graph, 'edges')).map(([id, edge]) => readEdge(id, inside(edge, `edge "${id}"`))),
    parameters: defaultsOf(objectMember(objectMember(version, 'parameters'), 'definitionSchema')),
    triggers: triggers.map((trigger) => ({ ...trigger })),
    kept: { file: without(file, 'workflowVersions', 'triggers'), workflow: without(version, 'steps', 'graph'), graph: without(graph, 'edges') },
  }
}

/** The workflow version as an `.icon` file has it. */
function writeIconVersion(document: WorkflowDocument): JsonObject {
  const own = document.format === 'icon'
  const raw = own ? objectMember(document.kept, 'workflow') : {}
  const kept = own ? objectMember(document.kept, 'graph') : {}
  const nodes = objectMember(kept, 'nodes')
  const graph = withMembers(kept, {
    nodes: named(document.steps.map((step) => [step.id, withMembers(objectMember(nodes, step.id), { id: step.id, parentNodeId: step.parent })])),
    edges: named(document.paths.map((path) => [path.id, writeEdge(path, own)])),
  })
  return withMembers(raw, {
    name: document.name,
    type: textMember(raw, 'type') || 'runnable',
    description: unlessDefault(document.description, '', raw, 'description'),
    tags: document.tags.length === 0 && memberOf(raw, 'tags') === undefined ? undefined : [...document.tags],
    graph,
    steps: named(document.steps.map((step) => [step.id, writeStep(step, own)])),
  })
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

function writeStep(step: WorkflowStep, own: boolean): JsonObject {
  const raw = own ? step.kept : {}
  const parameters = without(step.parameters, 'trigger_config_id', 'helperIdentifier', 'globalArtifact')
  return withMembers(raw, {
    nodeId: step.id,
    name: step.name,
    description: unlessDefault(step.description, '', raw, 'description'),
    type: step.type === 'api_trigger' ? 'trigger' : step.type,
    continueOnFailure: unlessDefault(step.continue_on_failure, false, raw, 'continueOnFailure'),
    isDisabled: unlessDefault(step.is_disabled, false, raw, 'isDisabled'),
    parameters: Object.keys(parameters).length === 0 && memberOf(raw, 'parameters') === undefined ? undefined : parameters,
    triggerId: memberOf(step.parameters, 'trigger_config_id'),
    helperIdentifier: memberOf(step.parameters, 'helperIdentifier'),
    globalArtifact: memberOf(step.parameters, 'globalArtifact'),
    connectionId: step.connection ?? undefined,
    ...pluginMembers(step, raw),
  })
}

function pluginMembers(step: WorkflowStep, raw: JsonObject): JsonObject {
  const { plugin } = step
  if (!plugin) return {}
  const kept = objectMember(raw, 'plugin')
  return {
    plugin: withMembers(kept, {
      name: textMember(kept, 'name') || plugin.name,
      slugVendor: plugin.vendor,
      slugName: plugin.name,
      slugVersion: plugin.version,
    }),
    identifier: plugin.identifier,
  }
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

function writeEdge(path: WorkflowPath, own: boolean): JsonObject {
  return withMembers(own ? path.kept : {}, {
    id: path.id,
    name: path.name,
    description: path.description,
    parentNodeId: path.parent,
    fromNodeId: path.from,
    toNodeId: path.to,
  })
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
function named(entries: readonly (readonly [string, JsonObject])[]): JsonObject {
  return Object.fromEntries(entries)
}

export { readIconVersion, writeIconVersion }
