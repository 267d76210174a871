import { findOrNull, triggerLevel } from '../../access/find.ts'
import { isFault } from '../../kernel/fault.ts'
import { isUuid } from '../../kernel/id.ts'
import { memberOf, textMember } from '../document/members.ts'
import { startStep } from '../document/shape.ts'
import { catalogOf } from '../catalog.ts'
import { triggerOf } from './model.ts'
import { countRunsFrom, triggerProblem } from './settings.ts'
import type { Ctx, WriteCtx } from '../../operation/context.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'
import type { Finding, WorkflowDocument } from '../document/model.ts'
import type { Trigger } from './model.ts'

/**
 * What stands against binding a workflow to the trigger that its first step names: one that the caller may not see, or that could never fire. Whoever is
 * bound hears of everything that the trigger notices, so its id alone is no leave to be.
 */
async function bindingFindings(ctx: Ctx, document: WorkflowDocument): Promise<Finding[]> {
  const step = startStep(document)
  const id = step ? textMember(step.parameters, 'trigger_config_id') : ''
  if (!step || id === '') return []
  const row = isUuid(id) ? await ctx.db.workflowTriggers.byId(id) : null
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

/** Binds a workflow that becomes active to its trigger; '' to none. */
async function bindTrigger(ctx: WriteCtx, workflow: string, trigger: string): Promise<void> {
  const row = isUuid(trigger) ? await ctx.db.workflowTriggers.byId(trigger) : null
  if (row) await countRunsFrom(ctx, triggerOf(row).type)
  await ctx.db.workflowTriggers.bind(workflow, trigger === '' ? null : trigger)
}

export { bindingFindings, bindTrigger }
