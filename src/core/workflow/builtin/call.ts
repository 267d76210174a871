import { validator } from '../../kernel/schema.ts'
import { isJsonObject } from '../document/members.ts'
import { withDefaults } from '../plugin/defaults.ts'
import { ActionFailed } from './builtin.ts'
import { jsonSize, outputLimit } from './size.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Component } from '../plugin/spec.ts'
import type { BuiltinAction, BuiltinContext } from './builtin.ts'

const inputLimit = 10 * 1024 * 1024

/** The input as the action gets it: with the defaults of the spec. */
function builtinInput({ component }: { component: Component }, input: JsonObject): JsonObject {
  return withDefaults(component, input)
}

/** Calls one of the server's own actions with an input that has its defaults. Types are strict, as those of plugins are (contract §14.5). */
async function callBuiltin(
  builtin: { action: BuiltinAction; component: Component },
  context: BuiltinContext,
  input: JsonObject,
): Promise<JsonObject> {
  if (jsonSize(input, inputLimit) > inputLimit) throw new ActionFailed('The input is larger than 10 MiB')
  const problems = await inputProblems(builtin.component, input)
  if (problems.length > 0) throw new ActionFailed(problems.slice(0, 10).join('; '))
  const output = await builtin.action.run(context, input)
  if (jsonSize(output, outputLimit) > outputLimit) throw new ActionFailed('The output would be larger than 32 MiB')
  return output
}

/** Everything that an input has otherwise than the spec of an action says, in words; inputs that the spec does not name are no problem. */
async function inputProblems(component: Pick<Component, 'input'>, input: JsonObject): Promise<string[]> {
  const problems = (await validator(checkedPart(component.input)))(input)
  return problems.map(({ path, message }) => `The input "${path.slice(1).replaceAll('/', '.').slice(0, 200)}" ${message}`)
}

const checkedParts = new WeakMap<JsonObject, JsonObject>()
const checkedMembers: ReadonlySet<string> = new Set(['type', 'properties', 'required', 'items', 'enum', '$ref', 'definitions'])
const named: ReadonlySet<string> = new Set(['properties', 'definitions'])

/** What of a component's schema is checked: what is there for people and for clients is no keyword of the standard. */
function checkedPart(schema: JsonObject): JsonObject {
  const known = checkedParts.get(schema)
  if (known) return known
  const part = Object.fromEntries(
    Object.entries(schema).flatMap(([name, value]): [string, Json][] => {
      if (!checkedMembers.has(name)) return []
      if (named.has(name) && isJsonObject(value))
        return [[name, Object.fromEntries(Object.entries(value).map(([member, of]) => [member, isJsonObject(of) ? checkedPart(of) : of]))]]
      return [[name, isJsonObject(value) ? checkedPart(value) : value]]
    }),
  )
  checkedParts.set(schema, part)
  return part
}

export { builtinInput, callBuiltin }
