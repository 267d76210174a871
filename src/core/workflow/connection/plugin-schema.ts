import { builtinPlugins } from '../builtin/all.ts'
import { specOfBuiltin } from '../plugin/builtin-spec.ts'
import { installedSpec } from '../plugin/installed.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Ctx } from '../../operation/context.ts'
import type { WorkflowPlugin } from '../document/model.ts'

/** What a plugin wants of a connection: `schema` null where it has none at all. Null: the plugin is not here. */
async function connectionSchema(
  ctx: Ctx,
  plugin: Pick<WorkflowPlugin, 'vendor' | 'name' | 'version'>,
): Promise<{ schema: JsonObject | null; version: number } | null> {
  const builtin = builtinPlugins.find(({ vendor, name }) => vendor === plugin.vendor && name === plugin.name)
  const spec = builtin ? await specOfBuiltin(builtin) : await installedSpec(ctx, { ...plugin, identifier: '' })
  return spec ? { schema: spec.connection, version: spec.connection_version } : null
}

export { connectionSchema }
