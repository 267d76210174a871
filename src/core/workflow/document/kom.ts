import {
  changedMembers,
  flagMember,
  hasItems,
  isJsonObject,
  memberOf,
  objectMember,
  objectsMember,
  textMember,
  textsMember,
  unreadable,
  withMembers,
  without,
} from './members.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { WorkflowDocument, WorkflowPath, WorkflowStep } from './model.ts'

/** A workflow of a `.kom` 0.4 file or of a request in its form (contract §9.1). Throws a fault where it cannot be read at all. */
function readKomWorkflow(workflow: JsonObject, triggers: readonly JsonObject[], file: JsonObject): WorkflowDocument {
  const name = textMember(workflow, 'name')
  const type = memberOf(workflow, 'type') ?? 'normal'
  if (type !== 'normal' && type !== 'snippet' && type !== '') throw unreadable(`"type" of the workflow "${name}" is neither "normal" nor "snippet"`)
  return {
    format: 'kom',
    ...headOf(workflow),
    steps: objectsMember(workflow, 'steps', `the workflow "${name}"`).map(readStep),
    paths: objectsMember(workflow, 'paths', `the workflow "${name}"`).map(readPath),
    triggers: triggers.map((trigger) => ({ ...trigger })),
    kept: { file: without(file, 'workflows', ...(hasItems(file, 'triggers') ? ['triggers'] : [])), workflow: without(workflow, 'steps', 'paths') },
  }
}

type Head = Pick<WorkflowDocument, 'name' | 'description' | 'type' | 'tags' | 'parameters'>

function headOf(workflow: JsonObject): Head {
  return {
    name: textMember(workflow, 'name'),
    description: textMember(workflow, 'description'),
    type: textMember(workflow, 'type') === 'snippet' ? 'snippet' : 'normal',
    tags: textsMember(workflow, 'tags'),
    parameters: objectMember(workflow, 'parameters'),
  }
}

const headMembers = ({ name, description, type, tags, parameters }: Head) => ({ name, description, type, tags: [...tags], parameters })

/** The workflow as a `.kom` file has it. What is as it was read stays as the file says it, down to members that are missing or of another type. */
function writeKomWorkflow(document: WorkflowDocument): JsonObject {
  const raw = objectMember(document.kept, 'workflow')
  const lists = {
    steps: document.steps.length === 0 ? undefined : document.steps.map(writeStep),
    paths: document.paths.length === 0 ? undefined : document.paths.map(writePath),
  }
  const head = withMembers(raw, changedMembers(headMembers(document), headMembers(headOf(raw))))
  return withMembers({ ...head, steps: [], paths: [] }, lists)
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
  // Who writes its number or name by itself means it: without it another server might be called.
  if (typeof connection === 'number' || typeof connection === 'string') return connection || null
  if (!isJsonObject(connection)) return null
  const id = memberOf(connection, 'connection_id')
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id
  return textMember(connection, 'name') || null
}

function writeStep(step: WorkflowStep): JsonObject {
  const { kept } = step
  const before = readStep(kept)
  const raw = objectMember(kept, 'parameters')
  const parameters = changedMembers(parameterMembers(step), parameterMembers(before))
  const changed = changedMembers(stepMembers(step), stepMembers(before))
  return withMembers(kept, Object.keys(parameters).length === 0 ? changed : { ...changed, parameters: withMembers(raw, parameters) })
}

function stepMembers({ id, parent, name, description, type, continue_on_failure, is_disabled }: WorkflowStep) {
  return { id, parent_id: parent, name, description, type, continue_on_failure, is_disabled }
}

function parameterMembers({ type, parameters, plugin, connection }: WorkflowStep): JsonObject {
  const called = {
    step_id: plugin?.identifier ?? '',
    plugin_name: plugin?.name ?? '',
    plugin_vendor: plugin?.vendor ?? '',
    plugin_version: plugin?.version ?? '',
  }
  if (type !== 'action') return plugin ? { ...parameters, ...called } : parameters
  return {
    ...without(parameters, 'repeatVariable'),
    ...called,
    connection: writeConnection(connection),
    repeat_variable: memberOf(parameters, 'repeatVariable') ?? '',
  }
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

function writePath(path: WorkflowPath): JsonObject {
  return withMembers(path.kept, changedMembers(pathMembers(path), pathMembers(readPath(path.kept))))
}

function pathMembers({ id, from, to, name, description, parent }: WorkflowPath) {
  return { id, from_step: from, to_step: to, name, description, parent_id: parent }
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
