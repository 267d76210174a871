import { heldAmong } from '../access/held.ts'
import { system, viewerOf } from '../identity/principal.ts'
import { fault } from '../kernel/fault.ts'
import { pageRequest } from '../kernel/page.ts'
import { workflowSpecOf } from './spec.ts'
import { triggerOf } from './trigger/model.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { WorkflowDocument } from './document/model.ts'
import type { Trigger } from './trigger/model.ts'

/** Tells what uses a thing: the document of an active workflow, or a trigger of a plugin that starts one. */
type UsedBy = {
  document(document: WorkflowDocument): boolean | Promise<boolean>
  trigger?(trigger: Extract<Trigger, { type: 'plugin' }>): boolean | Promise<boolean>
}

/**
 * Refuses what would take a thing away from an active workflow: `in_use`, naming the first that the caller may read. Whoever asks, all workflows count. A
 * workflow that is not active finds out when it is activated.
 */
async function refuseWhileUsed(ctx: Ctx, what: string, used: UsedBy): Promise<void> {
  const users = await activeUsers(ctx, used)
  if (users.size === 0) return
  const readable = await heldAmong(ctx.db, { kind: 'workflow', ids: [...users.keys()] }, viewerOf(ctx.principal))
  const names = [...users].flatMap(([id, name]) => (readable.has(id) ? [name] : [])).sort()
  const [first] = names
  const more = users.size > 1 ? ` and ${users.size - 1} more` : ''
  const by = first === undefined ? `${users.size} active workflow(s) that you may not see` : `the active workflow "${first}"${more}`
  throw fault('in_use', { what, by }, { details: { workflows: names.slice(0, namesTold), count: users.size } })
}

const namesTold = 20

/** Names of the active workflows that use something, by id. */
async function activeUsers(ctx: Ctx, used: UsedBy): Promise<Map<string, string>> {
  const users = new Map<string, string>()
  const viewer = { ...viewerOf(system), administrator: true }
  for (let request = pageRequest({ limit: 500 }); ; ) {
    const page = await ctx.db.resources.page({ kind: 'workflow' }, viewer, { need: 'read', ownerIsAdmin: true }, request)
    for (const row of page.items) if (await usesIt(ctx, row, used)) users.set(row.id, row.name)
    if (page.next === null) break
    request = pageRequest({ limit: 500, cursor: page.next })
  }
  for (const row of await ctx.db.workflowTriggers.bound()) {
    const trigger = triggerOf(row)
    if (trigger.type !== 'plugin' || !(await used.trigger?.(trigger))) continue
    for (const { id, name } of await ctx.db.resources.byIds(await ctx.db.workflowTriggers.boundTo(row.id))) users.set(id, name)
  }
  return users
}

async function usesIt(ctx: Ctx, row: ResourceRow, used: UsedBy): Promise<boolean> {
  const { active, published } = workflowSpecOf(row)
  const document = active && published ? await ctx.services.workflows.ofVersion(published) : null
  return document !== null && used.document(document)
}

export type { UsedBy }
export { refuseWhileUsed }
