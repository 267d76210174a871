import { isJsonObject } from '../document/members.ts'
import { openConnection } from '../connection/open.ts'
import { starterOf } from '../../run/starter.ts'
import { withDefaults } from './defaults.ts'
import { installedRow } from './installed.ts'
import { masksOf } from './masking.ts'
import { pluginRecordOf, specOfRow } from './record.ts'
import { withoutPasswords } from './secret-inputs.ts'
import type { ActionCall, ActionResult } from '../job/action.ts'
import type { OpenedConnection } from '../connection/open.ts'
import type { Principal } from '../../identity/principal.ts'
import type { Services } from '../../operation/services.ts'
import type { WorkflowPlugin } from '../document/model.ts'

/** Calls an action of an installed plugin, with its connection opened in the name of who started the run. */
async function callInstalled(call: ActionCall): Promise<ActionResult> {
  const { services, run, plugin, signal } = call
  const refuse = (reason: string, message: string): ActionResult => ({
    status: 'error',
    reason,
    message,
    input: call.input,
    log: '',
    exception: null,
  })
  const starter = await starterOf(services, run)
  const row = await installedRow(services.store.reader, starter, plugin)
  if (!row) return refuse('plugin_missing', `The plugin ${plugin.vendor}/${plugin.name} ${plugin.version} is not installed`)
  const spec = await specOfRow(row)
  const component = spec.actions.get(plugin.identifier)
  if (!component) return refuse('action_missing', `The plugin ${plugin.vendor}/${plugin.name} ${plugin.version} has no action "${plugin.identifier}"`)
  const opened = spec.connection === null ? null : await opening(services, starter, call.connection, { ...plugin, form: spec.connection_version })
  if (opened && 'problem' in opened) return refuse('connection_missing', opened.problem)
  const input = withDefaults(component, call.input)
  const record = pluginRecordOf(row)
  const answer = await services.plugins.call(
    {
      plugin: record,
      key: call.kept,
      what: 'action',
      name: plugin.identifier,
      meta: call.meta,
      connection: opened && { key: opened.key, parameters: opened.parameters },
      input,
      mode: record.mode,
      timeoutMs: call.timeoutMs,
    },
    { signal },
  )
  const shown = masksOf(opened)
  const common = { input: shown.input(withoutPasswords(component, input)), log: shown.text(answer.log), exception: shown.exception(answer.exception) }
  if (answer.status === 'ok') return { ...common, status: 'ok', output: isJsonObject(answer.output) ? answer.output : {} }
  const message = shown.text(answer.error ?? '')
  const reason = /^plugin timed out after \d+ seconds$/.test(message) ? 'timeout' : 'action_failed'
  return { ...common, status: 'error', reason, message }
}

async function opening(
  services: Services,
  starter: Principal,
  reference: ActionCall['connection'],
  plugin: WorkflowPlugin & { readonly form: number },
): Promise<OpenedConnection | { readonly problem: string }> {
  if (reference === null) return { problem: `The step names no connection, and ${plugin.vendor}/${plugin.name} needs one` }
  return openConnection(services, starter, reference, plugin)
}

export { callInstalled }
