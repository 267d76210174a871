import { isFault } from '../../kernel/fault.ts'
import { ActionFailed } from '../builtin/builtin.ts'
import { findBuiltin } from '../plugin/find.ts'
import { callInstalled } from '../plugin/call.ts'
import { withoutPasswords } from '../plugin/secret-inputs.ts'
import { builtinInput, callBuiltin } from '../builtin/call.ts'
import { starterOf } from '../../run/starter.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Services } from '../../operation/services.ts'
import type { PluginCallKey } from '../../../ports/plugin-host.ts'
import type { RunRow } from '../../../ports/store/rows.ts'
import type { WorkflowPlugin } from '../document/model.ts'

/** A call of an action, its input filled by templates. */
type ActionCall = {
  readonly services: Services
  readonly run: RunRow
  /** Names the call within its job; the same when it is made again after a restart. */
  readonly key: string
  /** The same for hosts of plugins, by the run that the step is one of: a round of a loop is a run of its own. */
  readonly kept: PluginCallKey
  readonly plugin: WorkflowPlugin
  readonly connection: number | string | null
  readonly input: JsonObject
  /** Given back by plugins unchanged (contract §15.1). */
  readonly meta: JsonObject
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** How it ended. `input` is what the action really got, without what its spec calls a password, secrets of its connection masked; so are log and message. */
type ActionResult = {
  readonly input: JsonObject
  readonly log: string
  readonly exception: Json
} & ({ readonly status: 'ok'; readonly output: JsonObject } | { readonly status: 'error'; readonly reason: string; readonly message: string })

/** Calls an action: one of the server's own, or one of an installed plugin. What the action does wrong is an answer and no exception. */
async function callAction(call: ActionCall): Promise<ActionResult> {
  const builtin = await findBuiltin(call.plugin)
  if (!builtin) return callInstalled(call)
  const input = builtinInput(builtin, call.input)
  const lines: string[] = []
  const common = () => ({ input: withoutPasswords(builtin.component, input), log: lines.join('\n'), exception: null })
  const { signal, cancel } = deadline(call)
  try {
    const starter = await starterOf(call.services, call.run)
    const { services, run, key, connection } = call
    const context = { services, run, starter, key, connection, log: (line: string) => void lines.push(line), signal }
    return { ...common(), status: 'ok', output: await callBuiltin(builtin, context, input) }
  } catch (error) {
    if (call.signal.aborted) throw call.signal.reason
    if (signal.aborted)
      return { ...common(), status: 'error', reason: 'timeout', message: `the action timed out after ${call.timeoutMs / 1000} seconds` }
    if (error instanceof ActionFailed) return { ...common(), status: 'error', reason: 'action_failed', message: error.message }
    if (isFault(error)) return { ...common(), status: 'error', reason: error.code, message: error.message }
    throw error
  } finally {
    cancel()
  }
}

/** A signal that ends with the call's own, or when its time is over. */
function deadline({ services, timeoutMs, signal }: ActionCall): { signal: AbortSignal; cancel: () => void } {
  const abort = new AbortController()
  const timer = services.clock.after(timeoutMs, () => abort.abort(new Error('The time of the action is over')))
  const stop = () => abort.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  return {
    signal: abort.signal,
    cancel() {
      timer.cancel()
      signal.removeEventListener('abort', stop)
    },
  }
}

export type { ActionCall, ActionResult }
export { callAction }
