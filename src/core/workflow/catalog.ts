import { findOrNull } from '../access/find.ts'
import { isUuid } from '../kernel/id.ts'
import { builtinAt } from './builtin/all.ts'
import { specOfBuiltin } from './plugin/builtin-spec.ts'
import { requiredInputs } from './plugin/defaults.ts'
import { installedSpec } from './plugin/installed.ts'
import { connectionProblem } from './connection/find.ts'
import { workflowSpecOf } from './spec.ts'
import type { Ctx } from '../operation/context.ts'
import type { Catalog } from './document/validate.ts'
import type { WorkflowPlugin } from './document/model.ts'

/** What the caller's workflows may name: plugins of the server and installed ones, the caller's connections, active snippets. */
function catalogOf(ctx: Ctx): Catalog {
  return {
    async component(plugin, kind) {
      const spec = await specOf(ctx, plugin)
      if (!spec) return { missing: `the plugin ${plugin.vendor}/${plugin.name} ${plugin.version} is not installed` }
      const component = (kind === 'action' ? spec.actions : spec.triggers).get(plugin.identifier)
      if (!component) return { missing: `the plugin ${plugin.vendor}/${plugin.name} has no ${kind} "${plugin.identifier}"` }
      return { required: requiredInputs(component), needsConnection: spec.connection !== null && !isBuiltin(plugin) }
    },
    connection: (connection, plugin) => connectionProblem(ctx, connection, plugin),
    async snippet(uid) {
      const found = isUuid(uid) ? await findOrNull(ctx, { kind: 'workflow', need: 'execute' }, uid) : null
      if (!found) return `there is no workflow "${uid}" that you may start`
      const spec = workflowSpecOf(found.row)
      return spec.type === 'snippet' && spec.active ? null : `the workflow "${found.row.name}" is no active snippet`
    },
  }
}

/** The server's own plugins do without a connection, through what the operator has set. */
function isBuiltin(plugin: WorkflowPlugin): boolean {
  return builtinAt(plugin) !== null
}

async function specOf(ctx: Ctx, plugin: WorkflowPlugin) {
  const builtin = builtinAt(plugin)
  return builtin ? specOfBuiltin(builtin) : installedSpec(ctx, plugin)
}

export { catalogOf }
