import {
  flagMember,
  isJsonObject,
  memberOf,
  objectMember,
  objectsMember,
  textMember,
  textsMember,
  unlessDefault,
  unreadable,
  withMembers,
  without,
} from './members.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { WorkflowDocument, WorkflowPath, WorkflowStep } from './model.ts'

/** A workflow of a `.kom` 0.4 file or of a request in its form (contract §9.1). Throws a fault where it cannot be read at all. */
function readKomWorkflow(workflow: JsonObject, triggers: readonly JsonObject[], file: JsonObject): WorkflowDocument {
  const name = textMember(workflow, 'name')
  const type = textMember(workflow, 'type') || 'normal'
  if (type !== 'normal' && type !== 'snippet') throw unreadable(`"type" of the workflow "${name}" is neither "normal" nor "snippet"`)
  return {
    format: 'kom',
    name,
    description: textMember(workflow, 'description'),
    type,
    tags: textsMember(workflow, 'tags'),
    steps: objectsMember(workflow, 'steps', `the workflow "${name}"`).map(readStep),
    paths: objectsMember(workflow, 'paths', `the workflow "${name}"`).map(readPath),
    parameters: objectMember(workflow, 'parameters'),
    triggers: triggers.map((trigger) => ({ ...trigger })),
    kept: { file: without(file, 'workflows', 'triggers'), workflow: without(workflow, 'steps', 'paths') },
  }
}

/** The workflow as a `.kom` file has it. Steps and paths that came from another format get the members of this one. */
function writeKomWorkflow(document: WorkflowDocument): JsonObject {
  const raw = document.format === 'kom' ? objectMember(document.kept, 'workflow') : {}
  return {
    ...withMembers(raw, {
      name: document.name,
      description: unlessDefault(document.description, '', raw, 'description'),
      type: document.type,
      tags: document.tags.length === 0 && memberOf(raw, 'tags') === undefined ? undefined : [...document.tags],
      parameters: Object.keys(document.parameters).length === 0 && memberOf(raw, 'parameters') === undefined ? undefined : document.parameters,
    }),
    steps: document.steps.map((step) => writeStep(step, document.format === 'kom')),
    paths: document.paths.map((path) => writePath(path, document.format === 'kom')),
  }
}

function readStep(raw: JsonObject): WorkflowStep {
  const type = textMember(raw, 'type')
  const parameters = objectMember(raw, 'parameters')
  return {
    id: textMember(raw, 'id'),
    parent: textMember(raw, 'parent_id'),
    name: textMember(raw, 'name'),
    description: textMember(raw, 'description'),
    type,
    continue_on_failure: flagMember(raw, 'continue_on_failure'),
    is_disabled: flagMember(raw, 'is_disabled'),
    parameters: type === 'action' ? actionParameters(parameters) : parameters,
    plugin: pluginOf(parameters, type),
    connection: connectionOf(parameters),
    kept: withoutSecrets(raw),
  }
}

/** The names of 2.0.0; what names the plugin has members of its own. */
function actionParameters(parameters: JsonObject): JsonObject {
  const rest = without(
    parameters,
    'step_id',
    'plugin_name',
    'plugin_vendor',
    'plugin_version',
    'step_title',
    'plugin_title',
    'connection',
    'repeat_variable',
  )
  const repeat = textMember(parameters, 'repeat_variable')
  return repeat === '' ? rest : { ...rest, repeatVariable: repeat }
}

function pluginOf(parameters: JsonObject, type: string): WorkflowStep['plugin'] {
  const name = textMember(parameters, 'plugin_name')
  if (name === '' || (type !== 'action' && type !== 'trigger')) return null
  return {
    vendor: textMember(parameters, 'plugin_vendor'),
    name,
    version: textMember(parameters, 'plugin_version'),
    identifier: textMember(parameters, 'step_id'),
  }
}

function connectionOf(parameters: JsonObject): number | string | null {
  const connection = memberOf(parameters, 'connection')
  if (!isJsonObject(connection)) return null
  const id = memberOf(connection, 'connection_id')
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id
  return textMember(connection, 'name') || null
}

function writeStep(step: WorkflowStep, own: boolean): JsonObject {
  const raw = own ? step.kept : {}
  return withMembers(raw, {
    id: step.id,
    parent_id: step.parent,
    name: step.name,
    description: unlessDefault(step.description, '', raw, 'description'),
    type: step.type,
    parameters: writeParameters(step, objectMember(raw, 'parameters')),
    continue_on_failure: unlessDefault(step.continue_on_failure, false, raw, 'continue_on_failure'),
    is_disabled: unlessDefault(step.is_disabled, false, raw, 'is_disabled'),
  })
}

function writeParameters(step: WorkflowStep, raw: JsonObject): JsonObject {
  if (step.type !== 'action') return withMembers(raw, step.parameters)
  const { plugin } = step
  const repeat = memberOf(step.parameters, 'repeatVariable')
  return withMembers(raw, {
    ...without(step.parameters, 'repeatVariable'),
    step_id: plugin?.identifier,
    plugin_name: plugin?.name,
    plugin_vendor: plugin?.vendor,
    plugin_version: plugin?.version,
    connection: step.connection === connectionOf(raw) ? undefined : writeConnection(step.connection),
    repeat_variable: repeat ?? unlessDefault('', '', raw, 'repeat_variable'),
  })
}

function writeConnection(connection: number | string | null): Json {
  if (connection === null) return null
  return typeof connection === 'number' ? { connection_id: connection, parameters: {} } : { name: connection, parameters: {} }
}

function readPath(raw: JsonObject): WorkflowPath {
  return {
    id: textMember(raw, 'id'),
    from: textMember(raw, 'from_step'),
    to: textMember(raw, 'to_step'),
    name: textMember(raw, 'name'),
    description: textMember(raw, 'description'),
    parent: textMember(raw, 'parent_id'),
    kept: raw,
  }
}

function writePath(path: WorkflowPath, own: boolean): JsonObject {
  const raw = own ? path.kept : {}
  return withMembers(raw, {
    id: path.id,
    from_step: path.from,
    to_step: path.to,
    name: unlessDefault(path.name, '', raw, 'name'),
    description: unlessDefault(path.description, '', raw, 'description'),
    parent_id: unlessDefault(path.parent, '', raw, 'parent_id'),
  })
}

const secretNames = /pass(?:word|phrase)?$|secret|token|private_?key|api_?key|credential/i

/** The step with every text in the parameters of its connection masked that may be a secret: files of others may hold what no export may give. */
function withoutSecrets(raw: JsonObject): JsonObject {
  const parameters = memberOf(raw, 'parameters')
  const connection = isJsonObject(parameters) ? memberOf(parameters, 'connection') : undefined
  const values = isJsonObject(connection) ? memberOf(connection, 'parameters') : undefined
  if (!isJsonObject(parameters) || !isJsonObject(connection) || values === undefined) return raw
  return withMembers(raw, { parameters: withMembers(parameters, { connection: withMembers(connection, { parameters: masked(values, false) }) }) })
}

function masked(value: Json, secret: boolean): Json {
  if (typeof value === 'string') return secret && value !== '' ? '********' : value
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item) => masked(item, secret))
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, masked(member, secret || secretNames.test(name))]))
}

export { readKomWorkflow, writeKomWorkflow }
