import { fault } from '../../kernel/fault.ts'
import { isUuid } from '../../kernel/id.ts'
import { viewerOf } from '../../identity/principal.ts'
import type { Ctx } from '../../operation/context.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'

/**
 * The trigger of an id, if the caller may do that with it: its owner and administrators everything, who may read a workflow that it starts reads it too.
 * Errors: `not_found`, also where it is hidden; `forbidden` for who may only read it.
 */
async function findTrigger(ctx: Ctx, id: string, need: 'read' | 'write'): Promise<WorkflowTriggerRow> {
  const row = isUuid(id) ? await ctx.db.workflowTriggers.byId(id) : null
  if (row && owns(ctx, row)) return row
  if (!row || !(await readsTrigger(ctx, row))) {
    const context = { absence: row ? 'hidden' : 'missing', kind: 'trigger', reference: id, member: 'trigger' } as const
    throw fault('not_found', { kind: 'trigger', reference: id }, { private: context })
  }
  if (need === 'write') throw fault('forbidden', { operation: 'this', need: 'to own it', subject: `trigger:${row.name}` })
  return row
}

/** Whether the caller may read a trigger that a core function has in hand already. */
async function readsTrigger(ctx: Ctx, row: WorkflowTriggerRow): Promise<boolean> {
  if (owns(ctx, row)) return true
  const ids = await ctx.db.workflowTriggers.boundTo(row.id)
  return (await ctx.db.resources.visible(ids, viewerOf(ctx.principal), { need: 'read', ownerIsAdmin: true })).size > 0
}

function owns({ principal }: Ctx, row: WorkflowTriggerRow): boolean {
  return principal.administrator || row.owner_id === principal.id
}

export { findTrigger, readsTrigger }
