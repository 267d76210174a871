import { checkIconVersion, checkKomVersion } from './file-version.ts'
import { readIconVersion, writeIconVersion } from './icon.ts'
import { readKomWorkflow, writeKomWorkflow } from './kom.ts'
import { isJsonObject, memberOf, objectMember, objectsMember, textMember, textsMember, unreadable, withMembers, without } from './members.ts'
import { converted } from './convert.ts'
import { flowLimits } from '../../flow/graph.ts'
import { timestamp } from '../../kernel/clock.ts'
import { isFault } from '../../kernel/fault.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { WorkflowDocument } from './model.ts'

type Format = WorkflowDocument['format']

/** Who exports, and when (milliseconds). */
type ExportedBy = Person & { readonly at: number }

type Person = { readonly user_name: string; readonly first_name: string; readonly last_name: string; readonly email: string }

/** What a `.kom` file says of a workflow that its document does not: its ids here, and who made it and changed it when (milliseconds). */
type Exported = { readonly id: string; readonly version: string; readonly created_by: Person; readonly last_modified: number }

/** The workflows of an export file, and what its reader should know of it. */
type ReadFile = { readonly documents: readonly WorkflowDocument[]; readonly warnings: readonly string[] }

/**
 * The workflows of an export file, `.kom` 0.4 or `.icon` 2.0.0. Throws the fault `malformed_request` where it is neither, or another version, with
 * everything that cannot be read at once.
 */
function readWorkflowFile(file: Json): ReadFile {
  if (!isJsonObject(file)) throw unreadable('the file is not a JSON object')
  const icon = memberOf(file, 'kom')
  if (isJsonObject(icon)) return readIcon(icon, without(file, 'kom'))
  if (memberOf(file, 'workflows') === undefined) throw unreadable('the file has neither "workflows" (.kom) nor "kom" (.icon)')
  const warnings = checkKomVersion(memberOf(file, 'komand_version'))
  const triggers = objectsMember(file, 'triggers', 'the file')
  const workflows = objectsMember(file, 'workflows', 'the file')
  const used = workflows.map((workflow) => new Set(triggerIds(listOf(workflow, 'steps').map((step) => objectMember(step, 'parameters')))))
  const read = (workflow: JsonObject, own: readonly JsonObject[]) => {
    checkSize(workflow, own)
    return readKomWorkflow(workflow, own, file)
  }
  return readAll(workflows, read, triggersOf(workflows.length, triggers, used, warnings))
}

function readIcon(icon: JsonObject, around: JsonObject): ReadFile {
  const warnings = checkIconVersion(memberOf(icon, 'komFileVersion'))
  const triggers = objectsMember(icon, 'triggers', 'the file')
  const versions = objectsMember(icon, 'workflowVersions', 'the file')
  const used = versions.map((version) => {
    const steps = Object.values(objectMember(version, 'steps')).filter(isJsonObject)
    return new Set(steps.map((step) => textMember(step, 'triggerId')))
  })
  const read = (version: JsonObject, own: readonly JsonObject[]) => {
    const { edges } = objectMember(version, 'graph')
    checkSize({ steps: Object.keys(objectMember(version, 'steps')), paths: isJsonObject(edges) ? Object.keys(edges) : [] }, own)
    const document = readIconVersion(version, own, icon)
    return Object.keys(around).length === 0 ? document : { ...document, kept: { ...document.kept, around } }
  }
  return readAll(versions, read, triggersOf(versions.length, triggers, used, warnings))
}

type Triggers = { readonly own: readonly (readonly JsonObject[])[]; readonly warnings: readonly string[] }

/** The triggers of each workflow of a file. All are those of a workflow that is alone in it; among several, one that starts none of them is left out. */
function triggersOf(workflows: number, triggers: readonly JsonObject[], used: readonly ReadonlySet<string>[], warnings: readonly string[]): Triggers {
  const idOf = (trigger: JsonObject) => textMember(trigger, 'id')
  if (workflows === 1) return { own: [triggers], warnings }
  const left = triggers.filter((trigger) => !used.some((ids) => ids.has(idOf(trigger))))
  const told = left.map((trigger) => `the trigger "${textMember(trigger, 'name')}" starts no workflow of the file and is left out`)
  return { own: used.map((ids) => triggers.filter((trigger) => ids.has(idOf(trigger)))), warnings: [...warnings, ...told] }
}

function readAll(
  workflows: readonly JsonObject[],
  read: (workflow: JsonObject, triggers: readonly JsonObject[]) => WorkflowDocument,
  { own, warnings }: Triggers,
): ReadFile {
  const problems: string[] = []
  const documents = workflows.flatMap((workflow, index) => {
    try {
      return [read(workflow, own[index] ?? [])]
    } catch (error) {
      if (!isFault(error) || error.code !== 'malformed_request') throw error
      problems.push(String(error.params.why))
      return []
    }
  })
  if (problems.length > 0) throw unreadable(problems.slice(0, mostProblems).join('; '))
  return { documents, warnings }
}

const mostProblems = 20

/**
 * One workflow in the members of a `.kom` file, as requests send it. With the version before, what the request leaves out stays as it is there.
 */
function readWorkflow(body: JsonObject, before?: WorkflowDocument): WorkflowDocument {
  if (before && before.format !== 'kom' && Object.keys(body).every((name) => headNames.has(name))) return withHead(before, body)
  const own = before ? (before.format === 'kom' ? before : converted(before, 'kom').document) : null
  const whole = own ? withMembers({ ...writeKomWorkflow(own), triggers: own.triggers.map((trigger) => ({ ...trigger })) }, body) : body
  checkTypes(body)
  const triggers = objectsMember(whole, 'triggers', 'the workflow')
  checkSize(whole, triggers)
  return readKomWorkflow(without(whole, 'triggers'), triggers, own ? objectMember(own.kept, 'file') : {})
}

const headNames: ReadonlySet<string> = new Set(['name', 'description', 'tags'])

/** The same steps in the format that they came in: who only describes a workflow otherwise takes nothing from it. */
function withHead(before: WorkflowDocument, body: JsonObject): WorkflowDocument {
  checkTypes(body)
  const has = (name: string) => memberOf(body, name) !== undefined
  return {
    ...before,
    name: has('name') ? textMember(body, 'name') : before.name,
    description: has('description') ? textMember(body, 'description') : before.description,
    tags: has('tags') ? textsMember(body, 'tags') : before.tags,
  }
}

/** The export file of a workflow, of one that is stored here when `exported` is given. What the other format cannot say is in `warnings`. Values of secrets are never in it: a document holds none. */
function writeWorkflowFile(
  document: WorkflowDocument,
  format: Format,
  by: ExportedBy,
  exported?: Exported,
): { file: JsonObject; warnings: string[] } {
  const { document: own, warnings } = converted(document, format)
  const kept = objectMember(own.kept, 'file')
  const triggers = own.triggers.length === 0 ? {} : { triggers: own.triggers.map((trigger) => ({ ...trigger })) }
  if (format === 'icon') {
    const kom = { komandVersion: '0.4000', komFileVersion: '2.0.0', exportedAt: secondOf(by.at), ...kept }
    return { file: { kom: { ...kom, workflowVersions: [writeIconVersion(own)], ...triggers }, ...objectMember(own.kept, 'around') }, warnings }
  }
  const file = { komand_version: '0.4.0', export_date: secondOf(by.at), export_by: personOf(by), ...kept }
  const written = writeKomWorkflow(own)
  return { file: { ...file, workflows: [exported ? stored(written, exported) : written], ...triggers }, warnings }
}

/** The ids are always those of here (contract §20); what an imported file said of its author and age goes out as it came. */
function stored(workflow: JsonObject, { id, version, created_by, last_modified }: Exported): JsonObject {
  const own = { workflow_id: id, workflow_version_id: version }
  return withMembers(
    { ...own, ...workflow },
    {
      ...own,
      created_by: memberOf(workflow, 'created_by') ?? personOf(created_by),
      last_modified: memberOf(workflow, 'last_modified') ?? secondOf(last_modified),
    },
  )
}

function personOf({ user_name, first_name, last_name, email }: Person): JsonObject {
  return { user_name, first_name, last_name, email }
}

/** A time as records of this format have it: whole seconds. */
function secondOf(at: number): string {
  return timestamp(at).replace(/\.\d+Z$/, 'Z')
}

/** The steps and paths of a version in the members of §9.1, whichever format it came in: what the API shows as `version`. */
function versionBody(document: WorkflowDocument): JsonObject {
  const shown = document.format === 'kom' ? document : converted(document, 'kom').document
  return { ...writeKomWorkflow(shown), triggers: shown.triggers.map((trigger) => ({ ...trigger })) }
}

/** Refuses what a request says of a workflow in another type than it has. Files of others are read as they are. */
function checkTypes(body: JsonObject): void {
  for (const name of ['name', 'description', 'type']) {
    const value = memberOf(body, name) ?? ''
    if (typeof value !== 'string') throw unreadable(`"${name}" of the workflow is no text`)
  }
  const tags = memberOf(body, 'tags') ?? []
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) throw unreadable('"tags" of the workflow is not a list of texts')
}

/** Refuses what no engine could run before it is looked at more closely. */
function checkSize(workflow: JsonObject, triggers: readonly JsonObject[]): void {
  const counts = [
    ...(['steps', 'paths'] as const).map((name) => [name, memberOf(workflow, name), most[name]] as const),
    ['triggers', triggers, most.triggers] as const,
  ]
  for (const [name, list, limit] of counts) {
    if (Array.isArray(list) && list.length > limit) throw unreadable(`the workflow has ${list.length} ${name}; ${limit} are possible`)
  }
}

function listOf(from: JsonObject, name: string): JsonObject[] {
  const list = memberOf(from, name)
  return Array.isArray(list) ? list.filter(isJsonObject) : []
}

const most = { steps: flowLimits.nodes, paths: flowLimits.edges, triggers: 1000 }

function triggerIds(parameters: readonly JsonObject[]): string[] {
  return parameters.map((members) => textMember(members, 'trigger_config_id')).filter((id) => id !== '')
}

export type { Format, ExportedBy, Exported, ReadFile }
export { readWorkflow, readWorkflowFile, writeWorkflowFile, versionBody }
