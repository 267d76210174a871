import type { JsonObject } from '../../kernel/json.ts'
import type { Principal } from '../../identity/principal.ts'
import type { Services } from '../../operation/services.ts'
import type { RunRow } from '../../../ports/store/rows.ts'

/** What an action that is part of the server may use. It acts as the starter of its job. */
type BuiltinContext = {
  readonly services: Services
  readonly run: RunRow
  readonly starter: Principal
  /** Names this call within its job: the same when the call is made again after a restart, another for every round, element and retry. */
  readonly key: string
  /** The stored connection that the step names, by number or name; null: none. */
  readonly connection: number | string | null
  /** What it says to whoever reads the step; secrets are masked by who keeps it. */
  log(line: string): void
  readonly signal: AbortSignal
}

/** One action of a plugin that is part of the server. A `Fault` or an `ActionFailed` fails the step with its message. */
type BuiltinAction = {
  /** The input has the spec's defaults and was checked against the spec's types. */
  run(context: BuiltinContext, input: JsonObject): Promise<JsonObject>
  /** It may be done again when nobody knows whether it was done. */
  readonly repeatable: boolean
  /** How long it may take where the step does not say; absent: as long as other actions. */
  readonly timeoutMs?: number
}

/** A plugin that runs without any install: its spec as a package has it, and what its actions do. */
type BuiltinPlugin = {
  /** The text of its `plugin.spec.yaml`. */
  readonly spec: string
  readonly vendor: string
  readonly name: string
  readonly version: string
  readonly actions: ReadonlyMap<string, BuiltinAction>
  /** Tries the parameters of a connection and says what came of it. Errors: `ActionFailed`, and the fault `egress_refused`. Absent: nothing can be tried. */
  test?(reaching: Pick<BuiltinContext, 'services' | 'signal'>, parameters: JsonObject): Promise<string>
}

/** An action could not do what it was asked for; the message is for the author of the workflow. */
class ActionFailed extends Error {
  override readonly name = 'ActionFailed'
}

/** A plugin of the server's own. */
function builtinPlugin(name: string, spec: string, actions: Readonly<Record<string, BuiltinAction>>): BuiltinPlugin {
  return { spec, vendor: 'capstan', name, version: '1.0.0', actions: new Map(Object.entries(actions)) }
}

/** An action that only computes: the same input gives the same output, and nothing outside notices. */
function pure(work: (input: JsonObject) => JsonObject): BuiltinAction {
  return { repeatable: true, run: (_, input) => new Promise((resolve) => resolve(work(input))) }
}

export type { BuiltinContext, BuiltinAction, BuiltinPlugin }
export { ActionFailed, builtinPlugin, pure }
