import { openConnection } from '../connection/open.ts'
import { withDefaults } from '../plugin/defaults.ts'
import { installedRow } from '../plugin/installed.ts'
import { masksOf } from '../plugin/masking.ts'
import { pluginRecordOf, specOfRow } from '../plugin/record.ts'
import type { Principal } from '../../identity/principal.ts'
import type { Services } from '../../operation/services.ts'
import type { PluginTriggerStart } from '../../../ports/plugin-host.ts'
import type { Trigger } from './model.ts'

/** How a trigger of a plugin is started for somebody, with its connection opened, and what hides its secrets; or why it cannot be. */
async function pluginCallOf(
  services: Services,
  who: Principal,
  { plugin, connection, input }: Extract<Trigger, { type: 'plugin' }>,
): Promise<{ start: PluginTriggerStart; masked(text: string): string } | { problem: string }> {
  const named = `${plugin.vendor}/${plugin.name} ${plugin.version}`
  const row = await installedRow(services.store.reader, who, plugin)
  if (!row) return { problem: `The plugin ${named} is not installed.` }
  const spec = await specOfRow(row)
  const component = spec.triggers.get(plugin.identifier)
  if (!component) return { problem: `The plugin ${named} has no trigger "${plugin.identifier.slice(0, 100)}".` }
  if (spec.connection !== null && connection === null) return { problem: `The trigger names no connection, and ${named} needs one.` }
  const opened = spec.connection === null || connection === null ? null : await openConnection(services, who, connection, plugin)
  if (opened && 'problem' in opened) return opened
  const masks = masksOf(opened)
  return {
    start: {
      plugin: pluginRecordOf(row),
      name: plugin.identifier,
      meta: {},
      connection: opened && { key: opened.key, parameters: opened.parameters },
      input: withDefaults(component, input),
    },
    masked: (text) => masks.text(text),
  }
}

export { pluginCallOf }
