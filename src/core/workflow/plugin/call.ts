import type { ActionCall, ActionResult } from '../job/action.ts'

/** Calls an action of an installed plugin, with its connection opened. */
function callInstalled(call: ActionCall): Promise<ActionResult> {
  const { vendor, name, version } = call.plugin
  const message = `The plugin ${vendor}/${name} ${version} is not installed`
  return Promise.resolve({ status: 'error', reason: 'plugin_missing', message, input: call.input, log: '', exception: null })
}

export { callInstalled }
