import { installedRow } from './installed.ts'
import { masksOf } from './masking.ts'
import { pluginRecordOf, specOfRow } from './record.ts'
import type { OpenedConnection } from '../connection/open.ts'
import type { Ctx } from '../../operation/context.ts'
import type { WorkflowPlugin } from '../document/model.ts'

const testMs = 60_000

/** Has an installed plugin try a connection (contract §15, verb `test`). What is wrong is an answer and no exception. */
async function testInstalled(
  ctx: Ctx,
  plugin: Pick<WorkflowPlugin, 'vendor' | 'name' | 'version'>,
  connection: OpenedConnection,
): Promise<{ readonly success: boolean; readonly message: string; readonly log: string }> {
  const row = await installedRow(ctx.db, ctx.principal, plugin)
  if (!row) return { success: false, message: `The plugin ${plugin.vendor}/${plugin.name} ${plugin.version} is not installed`, log: '' }
  const spec = await specOfRow(row)
  const of = spec.actions.size > 0 ? 'action' : spec.triggers.size > 0 ? 'trigger' : 'task'
  const [name] = { action: spec.actions, trigger: spec.triggers, task: spec.tasks }[of].keys()
  if (name === undefined) return { success: false, message: 'The plugin has nothing that could be tried', log: '' }
  const { key, parameters } = connection
  const call = { plugin: pluginRecordOf(row), what: 'test', testOf: of, name, meta: {}, input: {}, mode: 'cold', timeoutMs: testMs } as const
  const answer = await ctx.services.plugins.call({ ...call, connection: { key, parameters } }, { signal: ctx.signal })
  const shown = masksOf(connection)
  const success = answer.status === 'ok'
  return { success, message: success ? 'The plugin says that the connection works.' : shown.text(answer.error ?? ''), log: shown.text(answer.log) }
}

export { testInstalled }
