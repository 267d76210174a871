import { memberOf, textMember } from '../document/members.ts'
import type { UsedBy } from '../active-uses.ts'
import type { PluginRecord } from './record.ts'

/** What calls a plugin in exactly this version. */
function usersOfPlugin(plugin: Pick<PluginRecord, 'vendor' | 'name' | 'version'>): UsedBy {
  return {
    document: ({ steps, triggers }) =>
      steps.some((step) => step.plugin && same(step.plugin, plugin)) ||
      triggers.some((trigger) => {
        const [vendor, name] = [textMember(trigger, 'plugin_vendor'), textMember(trigger, 'plugin_name')]
        return same({ vendor, name, version: String(memberOf(trigger, 'plugin_version') ?? '') }, plugin)
      }),
    trigger: (trigger) => same(trigger.plugin, plugin),
  }
}

function same(one: Pick<PluginRecord, 'vendor' | 'name' | 'version'>, other: Pick<PluginRecord, 'vendor' | 'name' | 'version'>): boolean {
  return one.vendor === other.vendor && one.name === other.name && one.version === other.version
}

export { usersOfPlugin }
