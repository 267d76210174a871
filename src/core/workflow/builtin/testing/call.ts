import { specOfBuiltin } from '../../plugin/builtin-spec.ts'
import { builtinAt } from '../all.ts'
import { builtinInput, callBuiltin } from '../call.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { Principal } from '../../../identity/principal.ts'
import type { Services } from '../../../operation/services.ts'
import type { RunRow } from '../../../../ports/store/rows.ts'
import type { BuiltinContext } from '../builtin.ts'

/** What an action of a plugin gives, called as a step calls it: defaults filled, types checked. `with` is what it reaches outside. */
async function callTest(plugin: string, action: string, input: JsonObject, parts: TestParts = {}): Promise<JsonObject> {
  const found = builtinAt({ vendor: 'capstan', name: plugin })
  const own = found?.actions.get(action)
  const component = found && (await specOfBuiltin(found)).actions.get(action)
  if (!own || !component) throw new Error(`There is no ${plugin}.${action}`)
  const { services = {}, ...rest } = parts
  // What an action does not touch is not there.
  const context = {
    ...{ run: {} as RunRow, starter: {} as Principal, key: 'run/step@0', connection: null, log: () => {}, signal: new AbortController().signal },
    ...rest,
    services: services as Services,
  }
  return callBuiltin({ action: own, component }, context, builtinInput({ component }, input))
}

type TestParts = Partial<Omit<BuiltinContext, 'services'>> & { readonly services?: Partial<Services> }

/** The message with which an action fails. */
async function failureOf(plugin: string, action: string, input: JsonObject, parts: TestParts = {}): Promise<string> {
  try {
    return `it gave ${JSON.stringify(await callTest(plugin, action, input, parts))}`
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  }
}

export type { TestParts }
export { callTest, failureOf }
