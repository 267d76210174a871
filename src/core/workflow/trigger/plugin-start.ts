import { openConnection } from '../connection/open.ts'
import { withDefaults } from '../plugin/defaults.ts'
import { installedRow } from '../plugin/installed.ts'
import { masksOf } from '../plugin/masking.ts'
import { pluginRecordOf, specOfRow } from '../plugin/record.ts'
import { startStep } from '../document/shape.ts'
import { workflowSpecOf } from '../spec.ts'
import { activeOf } from './queue.ts'
import type { Principal } from '../../identity/principal.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Services } from '../../operation/services.ts'
import type { PluginTriggerStart } from '../../../ports/plugin-host.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'
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
  const opened =
    spec.connection === null || connection === null
      ? null
      : await openConnection(services, who, connection, { ...plugin, form: spec.connection_version })
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

/** What a plugin is told of where its trigger stands (contract §15.1): the first workflow that it starts as it was published last, and itself. */
async function triggerMeta(services: Services, row: Pick<WorkflowTriggerRow, 'id'>): Promise<JsonObject> {
  const [workflow] = await activeOf(services.store.reader, row.id)
  const version = workflow ? workflowSpecOf(workflow).published : null
  const document = version ? await services.workflows.ofVersion(version) : null
  return {
    workflow_uid: workflow?.id ?? '',
    workflow_version_uid: version ?? '',
    step_uid: (document && startStep(document)?.id) ?? '',
    trigger_config_id: row.id,
  }
}

export { pluginCallOf, triggerMeta }
