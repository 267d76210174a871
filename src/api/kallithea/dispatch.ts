import { isObject } from '../../core/kernel/json.ts'
import { isFault } from '../../core/kernel/fault.ts'
import { BadArgument, wrongNames } from './argument.ts'
import { codes, internalError, Refused } from './errors.ts'
import { MethodCall } from './method.ts'
import { methodNamed } from './table.ts'
import { str } from './python.ts'
import type { Json } from '../../core/kernel/json.ts'
import type { Call } from '../../core/operation/invoke.ts'
import type { ApiHost } from '../api.ts'
import type { AnyMethod } from './method.ts'

/** What the body of a call holds, once it was found to be one (contract §1.1 rows 4 to 9). */
type Asked = { readonly id: Json; readonly key: Json; readonly method: Json; readonly args: Readonly<Record<string, Json>> }

/** The call in a body, or the text of the error and the id to answer with. */
function askedIn(body: Json): Asked | { readonly id: Json; readonly error: string } {
  const members = isObject(body) ? (body as Record<string, Json>) : {} // it came out of JSON
  const missing = (name: string) => `Incorrect JSON query missing '${name}'`
  for (const name of ['api_key', 'id']) if (!Object.hasOwn(members, name)) return { id: null, error: missing(name) }
  const { id = null, api_key: key = null, method = null, args } = members
  for (const name of ['method', 'args']) if (!Object.hasOwn(members, name)) return { id, error: missing(name) }
  return { id, key, method, args: isObject(args) ? (args as Record<string, Json>) : {} }
}

/** What one call gives: the result, or the text of the error (contract §1.1 from row 11 on, after the key). */
async function answerOf(host: ApiHost, caller: Call, { method: name, args: given }: Asked): Promise<{ result: unknown } | { error: string }> {
  if (typeof name === 'string' && name.startsWith('_')) return { error: 'Method not allowed' }
  const method = typeof name === 'string' ? methodNamed(name) : undefined
  if (!method) return { error: `No such method: ${str(name)}` }
  const wrong = wrongNames(method.args, given)
  if (wrong !== null) return { error: wrong }
  if (method.caller === 'administrator' && !caller.principal.administrator) return { error: internalError }
  const call = new MethodCall({ host, caller, method, given })
  try {
    return { result: (await method.start(call)) ?? null }
  } catch (error) {
    return { error: textOf(host, call, method, error) }
  }
}

function textOf(host: ApiHost, call: MethodCall, method: AnyMethod, error: unknown): string {
  if (error instanceof Refused) return error.message
  const failed = method.failed === undefined ? internalError : call.say(method.failed)
  if (error instanceof BadArgument) return failed
  if (!isFault(error)) {
    host.log.error('kallithea.failed', { method: method.name, request: call.caller.origin.requestId, error })
    return failed
  }
  const rule = method.errors.find(({ fits }) => fits(error))
  if (rule) return typeof rule.text === 'string' ? call.say(rule.text) : rule.text(error)
  return codes[error.code] === 'failed' ? failed : internalError
}

export type { Asked }
export { askedIn, answerOf }
