import { fault } from '../kernel/fault.ts'
import { memberOf, textMember, withMembers } from './document/members.ts'
import { storedSpec, workflowSpecOf } from './spec.ts'
import { DuplicateKey } from '../../ports/store/store.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { WorkflowTriggerRow } from '../../ports/store/workflows.ts'
import type { WorkflowDocument } from './document/model.ts'
import type { WorkflowSpec } from './spec.ts'

/** What workflows of one file have in common: the new ids of its triggers, by those of the file. Nothing that is here already is meant by them. */
type Imported = { readonly id: string; readonly triggers: Map<string, string> }

/** Makes a workflow of a document: a resource, its triggers and a draft. Of a file that is imported it gets a new id that others may name already. */
async function insertWorkflow(ctx: WriteCtx, document: WorkflowDocument, imported: Imported | null = null): Promise<ResourceRow> {
  const now = ctx.clock.now()
  const name = checkedName(document.name)
  const spec: WorkflowSpec = {
    description: document.description,
    type: document.type,
    tags: document.tags,
    published: null,
    draft: null,
    active: false,
    updated_by: ctx.principal.id,
    keep_days: null,
    keep_jobs: null,
  }
  const row = await unlessTaken(name, () =>
    ctx.db.resources.insert({
      id: imported?.id ?? ctx.ids.record(),
      kind: 'workflow',
      name,
      owner_id: ctx.principal.id,
      parent_id: null,
      private: false,
      active: true,
      state: 'ready',
      spec: storedSpec(spec),
      created_at: now,
      updated_at: now,
    }),
  )
  return putDraft(ctx, row, document, imported)
}

/** Puts a document in the place of a workflow's draft; the version that is active goes on. */
async function putDraft(ctx: WriteCtx, row: ResourceRow, given: WorkflowDocument, imported: Imported | null = null): Promise<ResourceRow> {
  const spec = workflowSpecOf(row)
  const now = ctx.clock.now()
  const name = checkedName(given.name)
  const before = await ctx.services.workflows.ofVersion(spec.draft ?? spec.published ?? '')
  const document = await withTriggers(ctx, given, before, imported)
  const id = ctx.ids.record()
  const number = (await ctx.db.workflowVersions.lastNumber(row.id)) + 1
  const { id: userId, name: userName } = ctx.principal
  await ctx.db.workflowVersions.insert({
    id,
    workflow_id: row.id,
    number,
    state: 'draft',
    document: document as unknown as JsonObject, // a document is plain data by its type
    created_by: userId,
    created_by_name: userName,
    created_at: now,
  })
  const next = { ...spec, description: document.description, type: document.type, tags: document.tags, draft: id, updated_by: userId }
  await unlessTaken(name, () => ctx.db.resources.update(row.id, { name, spec: storedSpec(next), updated_at: now }))
  const changed = await ctx.db.resources.byId(row.id)
  if (!changed) throw fault('not_found', { kind: 'workflow', reference: row.id })
  ctx.emit({ kind: 'workflow', id: row.id, name, state: 'updated', resource_id: row.id })
  return changed
}

/**
 * The document with triggers that are records of their own. Those of an import are new. Else one that the caller owns stays that one; another gets a new id,
 * but for one that a document sent again names as its file does: that one is known by name and type from the version before.
 */
async function withTriggers(
  ctx: WriteCtx,
  document: WorkflowDocument,
  before: WorkflowDocument | null,
  imported: Imported | null,
): Promise<WorkflowDocument> {
  const ids = new Map<string, string>()
  const triggers: JsonObject[] = []
  for (const trigger of document.triggers) {
    const old = textMember(trigger, 'id')
    const row = triggerRow(ctx, trigger)
    const shared = imported?.triggers.get(old)
    if (shared !== undefined) {
      ids.set(old, shared)
      triggers.push(withMembers(trigger, { id: shared }))
      continue
    }
    const known = imported ? null : ((await ownTrigger(ctx, old)) ?? (await ownTrigger(ctx, alike(before, row))))
    if (known) {
      // A draft changes nothing of what is active: activating it does.
      if ((await ctx.db.workflowTriggers.boundTo(known.id)).length === 0)
        await ctx.db.workflowTriggers.update(known.id, { name: row.name, type: row.type, spec: row.spec, updated_at: row.updated_at })
      if (old !== known.id && old !== '') ids.set(old, known.id)
      triggers.push(withMembers(trigger, { id: known.id }))
      continue
    }
    await ctx.db.workflowTriggers.insert(row)
    if (old !== '') ids.set(old, row.id)
    if (old !== '') imported?.triggers.set(old, row.id)
    triggers.push(withMembers(trigger, { id: row.id }))
  }
  if (ids.size === 0) return { ...document, triggers }
  const steps = document.steps.map((step) => {
    const to = ids.get(textMember(step.parameters, 'trigger_config_id'))
    return to === undefined ? step : { ...step, parameters: withMembers(step.parameters, { trigger_config_id: to }) }
  })
  return { ...document, steps, triggers }
}

async function ownTrigger(ctx: WriteCtx, id: string): Promise<WorkflowTriggerRow | null> {
  const row = id === '' ? null : await ctx.db.workflowTriggers.byId(id)
  return row?.owner_id === ctx.principal.id ? row : null
}

/** The id of the one trigger of a version that has this name and type; '' where there is none, or more than one. */
function alike(before: WorkflowDocument | null, { name, type }: Pick<WorkflowTriggerRow, 'name' | 'type'>): string {
  const found = (before?.triggers ?? []).filter(
    (trigger) => textMember(trigger, 'name') === name && (textMember(trigger, 'type') || 'api_trigger') === type,
  )
  return found.length === 1 && found[0] ? textMember(found[0], 'id') : ''
}

function triggerRow(ctx: WriteCtx, trigger: JsonObject): WorkflowTriggerRow {
  const now = ctx.clock.now()
  return {
    id: ctx.ids.opaque(),
    name: textMember(trigger, 'name'),
    type: textMember(trigger, 'type') || 'api_trigger',
    spec: trigger,
    require_auth: memberOf(trigger, 'require_auth') !== false,
    owner_id: ctx.principal.id,
    sealed: null,
    last_error: null,
    created_at: now,
    updated_at: now,
  }
}

const longestName = 200

/** A name for a workflow: any printable text of 1 to 200 characters that is not only blanks. */
function checkedName(name: string): string {
  const trimmed = name.trim()
  if (trimmed === '' || trimmed.length > longestName || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(trimmed)) {
    throw fault('invalid_name', { what: 'workflow', name: trimmed.slice(0, 60), why: 'it has 1 to 200 printable characters' })
  }
  return trimmed
}

async function unlessTaken<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DuplicateKey) throw fault('name_taken', { kind: 'workflow', name }, { cause: error })
    throw error
  }
}

/** The name, or the next free one: `name (2)`, `name (3)`, …. */
async function freeName(ctx: WriteCtx, name: string): Promise<string> {
  for (let number = 1; ; number++) {
    const end = number === 1 ? '' : ` (${number})`
    // One that is too long as it is stays so, and is refused by that.
    const candidate = number === 1 ? name : [...name].slice(0, longestName - end.length).join('') + end
    if (!(await ctx.db.resources.byName('workflow', candidate))) return candidate
  }
}

export { insertWorkflow, putDraft, checkedName, freeName, unlessTaken }
