import type { Json, JsonObject } from '../../core/kernel/json.ts'

/** The zero time of records (contract §2). */
const zeroTime = '0001-01-01T00:00:00Z'

/** A time in whole seconds, as records have it. */
function wholeSeconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z')
}

type Person = { readonly name: string; readonly first_name: string; readonly last_name: string; readonly email: string | null }

function encodePerson(person: Person | null) {
  return { user_name: person?.name ?? '', first_name: person?.first_name ?? '', last_name: person?.last_name ?? '', email: person?.email ?? '' }
}

type WorkflowView = {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly type: string
  readonly status: string
  readonly tags: readonly string[]
  readonly active_version: string | null
  readonly draft_version: string | null
  readonly created_by: Person | null
  readonly updated_by: Person | null
  readonly created_at: string
  readonly updated_at: string
  readonly trigger: { readonly id: string; readonly name: string; readonly type: string; readonly url: string } | null
  readonly document?: JsonObject
}

/** A workflow (contract §5.1); with its document where that was read. */
function encodeWorkflow(workflow: WorkflowView) {
  return {
    workflow_uid: workflow.id,
    name: workflow.name,
    description: workflow.description,
    type: workflow.type,
    status: workflow.status,
    tags: workflow.tags,
    active_version_uid: workflow.active_version,
    draft_version_uid: workflow.draft_version,
    created_by: encodePerson(workflow.created_by),
    updated_by: encodePerson(workflow.updated_by),
    created_at: wholeSeconds(workflow.created_at),
    last_modified: wholeSeconds(workflow.updated_at),
    trigger: workflow.trigger,
    ...(workflow.document === undefined ? {} : { version: encodeDocument(workflow.document) }),
  }
}

type VersionView = {
  readonly id: string
  readonly number: number
  readonly created_at: string
  readonly created_by: string
  readonly author: Person | null
  readonly active: boolean
  readonly draft: boolean
}

function encodeVersion({ id, number, created_at, created_by, author, active, draft }: VersionView) {
  const by = encodePerson(author ?? { name: created_by, first_name: '', last_name: '', email: null })
  return { version_uid: id, number, created_at: wholeSeconds(created_at), created_by: by, is_active: active, is_draft: draft }
}

/** The document of a version in the members of a `.kom` workflow (contract §9.1), all of them there. */
function encodeDocument(document: JsonObject): JsonObject {
  const own = (name: string, otherwise: Json) => (Object.hasOwn(document, name) ? (document[name] as Json) : otherwise)
  return {
    ...document,
    name: own('name', ''),
    description: own('description', ''),
    type: own('type', 'normal'),
    tags: own('tags', []),
    steps: own('steps', []),
    paths: own('paths', []),
    triggers: own('triggers', []),
  }
}

export type { WorkflowView, VersionView, Person }
export { zeroTime, wholeSeconds, encodePerson, encodeWorkflow, encodeVersion, encodeDocument }
