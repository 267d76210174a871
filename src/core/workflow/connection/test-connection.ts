import { isFault } from '../../kernel/fault.ts'
import { builtinAt } from '../builtin/all.ts'
import { ActionFailed } from '../builtin/builtin.ts'
import { testInstalled } from '../plugin/test.ts'
import { connectionProblem } from './find.ts'
import { openConnection } from './open.ts'
import { connectionSpecOf } from './spec.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Ctx } from '../../operation/context.ts'
import type { BuiltinPlugin } from '../builtin/builtin.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'

/** What a plugin says of a connection that it was given to try. */
type Tested = { readonly success: boolean; readonly message: string; readonly log: string }

/** Has the plugin of a connection try it. What is wrong is an answer and no exception. */
async function testConnection(ctx: Ctx, row: ResourceRow): Promise<Tested> {
  const { plugin_vendor: vendor, plugin_name: name, plugin_version: version } = connectionSpecOf(row)
  const plugin = { vendor, name, version }
  const problem = await connectionProblem(ctx, row.id, { ...plugin, identifier: '' })
  if (problem !== null) return failed(problem)
  const opened = await openConnection(ctx.services, ctx.principal, row.id, plugin)
  if ('problem' in opened) return failed(opened.problem)
  const builtin = builtinAt(plugin)
  return builtin ? testBuiltin(ctx, builtin, opened.parameters) : testInstalled(ctx, plugin, opened)
}

async function testBuiltin(ctx: Ctx, { test }: BuiltinPlugin, parameters: JsonObject): Promise<Tested> {
  if (!test) return { success: true, message: 'The settings are complete. The plugin tries them only when it is called.', log: '' }
  try {
    return { success: true, message: await test(ctx, parameters), log: '' }
  } catch (error) {
    if (error instanceof ActionFailed || isFault(error, 'egress_refused')) return failed(error.message)
    throw error
  }
}

function failed(problem: string): Tested {
  return { success: false, message: problem, log: '' }
}

export type { Tested }
export { testConnection }
