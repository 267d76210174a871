import { fault } from '../../kernel/fault.ts'
import { invoke } from '../../operation/invoke.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { BuiltinContext } from './builtin.ts'

/** Runs an operation as the starter of the job: everything that they may do, and nothing else. Gives its output. */
async function asStarter(context: BuiltinContext, operation: string, input: Json): Promise<JsonObject> {
  const { services, starter, signal, key } = context
  if (!services.registry.get(operation)) throw fault('operation_not_found', { operation })
  const origin = { via: 'run', peer: '', requestId: key }
  return invoke<JsonObject>(services, { principal: starter, origin, signal }, operation, input)
}

export { asStarter }
