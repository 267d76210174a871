import { builtinPlugins } from '../builtin/all.ts'
import { testInstalled } from '../plugin/test.ts'
import { connectionProblem } from './find.ts'
import { openConnection } from './open.ts'
import { connectionSpecOf } from './spec.ts'
import type { Ctx } from '../../operation/context.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'

/** What a plugin says of a connection that it was given to try. */
type Tested = { readonly success: boolean; readonly message: string; readonly log: string }

/** Has the plugin of a connection try it. What is wrong is an answer and no exception. */
async function testConnection(ctx: Ctx, row: ResourceRow): Promise<Tested> {
  const { plugin_vendor: vendor, plugin_name: name, plugin_version: version } = connectionSpecOf(row)
  const plugin = { vendor, name, version }
  const problem = await connectionProblem(ctx, row.id, { ...plugin, identifier: '' })
  if (problem !== null) return failed(problem)
  if (builtinPlugins.some((known) => known.vendor === vendor && known.name === name)) {
    return { success: true, message: 'The settings are complete. The plugin is part of the server, and tries them only when it is called.', log: '' }
  }
  const opened = await openConnection(ctx.services, ctx.principal, row.id, plugin)
  return 'problem' in opened ? failed(opened.problem) : testInstalled(ctx, plugin, opened)
}

function failed(problem: string): Tested {
  return { success: false, message: problem, log: '' }
}

export type { Tested }
export { testConnection }
