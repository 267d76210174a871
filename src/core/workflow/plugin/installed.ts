import { viewerOf } from '../../identity/principal.ts'
import { atLeast } from '../../kernel/level.ts'
import { pluginName, specOfRow } from './record.ts'
import { heldOn } from '../../access/held.ts'
import type { Principal } from '../../identity/principal.ts'
import type { Ctx } from '../../operation/context.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import type { WorkflowPlugin } from '../document/model.ts'
import type { PluginSpec } from './spec.ts'

/** The row of an installed plugin in exactly that version, for somebody who may read it; null when there is none for them. */
async function installedRow(db: Tables, who: Principal, plugin: Pick<WorkflowPlugin, 'vendor' | 'name' | 'version'>): Promise<ResourceRow | null> {
  const row = await db.resources.byName('plugin', pluginName(plugin))
  if (!row) return null
  const { level } = await heldOn(db, row, viewerOf(who))
  return atLeast(level, 'read') ? row : null
}

/** The spec of an installed plugin in exactly that version; null when it is not installed. */
async function installedSpec(ctx: Ctx, plugin: WorkflowPlugin): Promise<PluginSpec | null> {
  const row = await installedRow(ctx.db, ctx.principal, plugin)
  return row && specOfRow(row)
}

export { installedRow, installedSpec }
