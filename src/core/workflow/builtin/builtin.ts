import type { JsonObject } from '../../kernel/json.ts'
import type { Principal } from '../../identity/principal.ts'
import type { Services } from '../../operation/services.ts'
import type { RunRow } from '../../../ports/store/rows.ts'

/** What an action that is part of the server may use. It acts as the starter of its job. */
type BuiltinContext = {
  readonly services: Services
  readonly run: RunRow
  readonly starter: Principal
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
}

/** A plugin that runs without any install: its spec as a package has it, and what its actions do. */
type BuiltinPlugin = {
  /** The text of its `plugin.spec.yaml`. */
  readonly spec: string
  readonly vendor: string
  readonly name: string
  readonly version: string
  readonly actions: ReadonlyMap<string, BuiltinAction>
}

/** An action could not do what it was asked for; the message is for the author of the workflow. */
class ActionFailed extends Error {
  override readonly name = 'ActionFailed'
}

export type { BuiltinContext, BuiltinAction, BuiltinPlugin }
export { ActionFailed }
