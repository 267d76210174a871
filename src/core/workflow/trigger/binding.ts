import { findOrNull, triggerLevel } from '../../access/find.ts'
import { isFault } from '../../kernel/fault.ts'
import { isUuid } from '../../kernel/id.ts'
import { canonical } from '../../kernel/json.ts'
import { memberOf, textMember } from '../document/members.ts'
import { startStep } from '../document/shape.ts'
import { catalogOf } from '../catalog.ts'
import { triggerOf } from './model.ts'
import { countRunsFrom, triggerProblem } from './settings.ts'
import type { Ctx, WriteCtx } from '../../operation/context.ts'
import type { WorkflowTriggerRow, WorkflowVersionRow } from '../../../ports/store/workflows.ts'
import type { Finding, WorkflowDocument } from '../document/model.ts'
import type { Trigger } from './model.ts'

/** Who stored a version and when; null for a document that is not stored. */
type StoredVersion = Pick<WorkflowVersionRow, 'created_by' | 'created_at'> | null

/**
 * What stands against binding a workflow to the trigger that its first step names: one that the caller may not see, or that could never fire. Whoever is
 * bound hears of everything that the trigger notices, so its id alone is no leave to be.
 */
async function bindingFindings(ctx: Ctx, document: WorkflowDocument, version: StoredVersion): Promise<Finding[]> {
  const step = startStep(document)
  const id = step ? textMember(step.parameters, 'trigger_config_id') : ''
  if (!step || id === '') return []
  const row = await triggerAt(ctx, id, { document, version })
  // A file may name one that it does not bring; such a workflow is started by its own address.
  if (!row && (step.type === 'api_trigger' || document.triggers.some((trigger) => textMember(trigger, 'id') === id))) return []
  const problem =
    row && (await triggerLevel(ctx, row)) !== 'none' ? await problemOfRow(ctx, row) : `there is no trigger "${id.slice(0, 60)}" that you may see`
  return problem === null ? [] : [{ step: step.name, input: 'trigger_config_id', message: problem }]
}

async function problemOfRow(ctx: Ctx, row: WorkflowTriggerRow): Promise<string | null> {
  const problem = unfit(row, ctx.clock.now()) ?? (await problemOf(ctx, row, triggerOf(row)))
  return problem === null ? null : `the trigger "${row.name}": ${problem}`
}

// One that a file brought was not looked at yet.
function unfit(row: WorkflowTriggerRow, now: number): string | null {
  try {
    const problem = triggerProblem(row, now)
    return problem && `${problem.path.slice(1)} ${problem.message}`
  } catch (error) {
    if (isFault(error)) return error.message
    throw error
  }
}

async function problemOf(ctx: Ctx, row: WorkflowTriggerRow, trigger: Trigger): Promise<string | null> {
  if (trigger.type === 'webhook') return row.sealed === null ? 'it has no secret; give it one with trigger.update' : null
  if (trigger.type === 'push' || trigger.type === 'pull_request') {
    const hidden = trigger.repository !== '' && (await findOrNull(ctx, { kind: 'repository', need: 'read' }, trigger.repository)) === null
    return hidden ? `there is no repository "${trigger.repository.slice(0, 100)}" that you may see` : null
  }
  return trigger.type === 'plugin' ? problemOfPlugin(ctx, trigger) : null
}

async function problemOfPlugin(ctx: Ctx, { plugin, connection, input }: Extract<Trigger, { type: 'plugin' }>): Promise<string | null> {
  const catalog = catalogOf(ctx)
  const component = await catalog.component(plugin, 'trigger')
  if ('missing' in component) return component.missing
  if (component.needsConnection && connection === null) return `the plugin ${plugin.vendor}/${plugin.name} needs a connection`
  const missing = component.required.find((name) => (memberOf(input, name) ?? '') === '')
  if (missing !== undefined) return `its input "${missing}" is required`
  return connection === null ? null : catalog.connection(connection, plugin)
}

/** Binds a workflow that becomes active to the trigger that its first step names. What its draft says otherwise of that trigger counts from now on. */
async function bindTrigger(
  ctx: WriteCtx,
  workflow: string,
  draft: { readonly document: WorkflowDocument; readonly version: StoredVersion },
): Promise<void> {
  const step = startStep(draft.document)
  const id = step ? textMember(step.parameters, 'trigger_config_id') : ''
  const row = await triggerAt(ctx, id, draft)
  if (row) {
    const { name, type, spec } = row
    const before = await ctx.db.workflowTriggers.byId(row.id)
    if (canonical({ name, type, spec }) !== canonical({ name: before?.name ?? '', type: before?.type ?? '', spec: before?.spec ?? {} }))
      await ctx.db.workflowTriggers.update(row.id, { name, type, spec, last_error: null, updated_at: ctx.clock.now() })
    await countRunsFrom(ctx, triggerOf(row).type)
  }
  await ctx.db.workflowTriggers.bind(workflow, id === '' ? null : id)
}

/**
 * A trigger as it will be when the version is active: as the version has it, where its author owns the trigger and nobody has changed it since. A trigger that
 * something active is bound to is left alone until then.
 */
async function triggerAt(ctx: Ctx, id: string, draft: { readonly document: WorkflowDocument; readonly version: StoredVersion }) {
  const row = isUuid(id) ? await ctx.db.workflowTriggers.byId(id) : null
  const { document, version } = draft
  const own = document.triggers.find((trigger) => textMember(trigger, 'id') === id)
  if (!row || !own || version?.created_by !== row.owner_id || row.updated_at > version.created_at) return row
  return { ...row, name: textMember(own, 'name'), type: textMember(own, 'type') || 'api_trigger', spec: own }
}

export type { StoredVersion }
export { bindingFindings, bindTrigger }
