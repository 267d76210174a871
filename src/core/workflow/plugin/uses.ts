import { system, viewerOf } from '../../identity/principal.ts'
import { pageRequest } from '../../kernel/page.ts'
import { memberOf, textMember } from '../document/members.ts'
import { workflowSpecOf } from '../spec.ts'
import type { Ctx } from '../../operation/context.ts'
import type { PluginRecord } from './record.ts'

/** The names of active workflows whose steps or trigger call a plugin in exactly this version; whoever asks, all of them count. */
async function activeUsers(ctx: Ctx, plugin: Pick<PluginRecord, 'vendor' | 'name' | 'version'>): Promise<string[]> {
  const names: string[] = []
  const viewer = { ...viewerOf(system), administrator: true }
  for (let request = pageRequest({ limit: 500 }); ; ) {
    const page = await ctx.db.resources.page({ kind: 'workflow' }, viewer, { need: 'read', ownerIsAdmin: true }, request)
    for (const row of page.items) {
      const spec = workflowSpecOf(row)
      const document = spec.active && spec.published ? await ctx.services.workflows.ofVersion(spec.published) : null
      const calls = document?.steps.some((step) => step.plugin && same(step.plugin, plugin))
      const starts = document?.triggers.some((trigger) => {
        const [vendor, name] = [textMember(trigger, 'plugin_vendor'), textMember(trigger, 'plugin_name')]
        return same({ vendor, name, version: String(memberOf(trigger, 'plugin_version') ?? '') }, plugin)
      })
      if (calls || starts) names.push(row.name)
    }
    if (page.next === null) return names
    request = pageRequest({ limit: 500, cursor: page.next })
  }
}

function same(one: Pick<PluginRecord, 'vendor' | 'name' | 'version'>, other: Pick<PluginRecord, 'vendor' | 'name' | 'version'>): boolean {
  return one.vendor === other.vendor && one.name === other.name && one.version === other.version
}

export { activeUsers }
