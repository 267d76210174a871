import { contextLimit } from '../../../run/outcome.ts'
import { sleep } from '../../../kernel/clock.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../../document/members.ts'
import { fillTemplates, templateRoots } from '../../language/template.ts'
import { builtinAt } from '../../builtin/all.ts'
import { callAction } from '../action.ts'
import { scopeOf } from '../scope.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { Performed } from '../../../run/source.ts'
import type { PluginCallKey } from '../../../../ports/plugin-host.ts'
import type { Act } from '../perform.ts'
import type { ActionResult } from '../action.ts'

type Called = ActionResult & { readonly attempts: number }

const usualTimeoutMs = 300_000
const tooLarge = `The outputs of this step for all elements would be larger than ${contextLimit / 1024 / 1024} MiB`
const inputLimit = 256 * 1024
const logLimit = 64 * 1024

/** Calls an action once, or once for each element of `repeatVariable`: then its entry is `{ $outputs }`. */
async function performAction(act: Act): Promise<Performed> {
  const repeat = textMember(act.step.parameters, 'repeatVariable')
  if (repeat === '') return shown([await callWithRetries(act, new Map(), '')], (outputs) => outputs[0] ?? {})
  const list = fillTemplates(repeat, await scopeOf(act, templateRoots(repeat)))
  if (!Array.isArray(list)) return { output: null, failed: { reason: 'bad_loop', message: 'The variable to repeat is not an array' } }
  const results: Called[] = []
  let size = 0
  for (const [index, item] of list.entries()) {
    const result = await callWithRetries(act, new Map([['$item', item]]), `#${index}`)
    results.push(result)
    if (result.status === 'error') break
    size += JSON.stringify(result.output).length + JSON.stringify(result.input).length
    if (size > contextLimit) return { output: null, failed: { reason: 'context_too_large', message: tooLarge } }
  }
  return shown(results, (outputs) => ({ $outputs: outputs }))
}

/** Retries are an extension: `parameters.retry` `{ count, delay, backoff }`, delays in seconds. */
async function callWithRetries(act: Act, extra: ReadonlyMap<string, Json>, element: string): Promise<Called> {
  const retry = objectMember(act.step.parameters, 'retry')
  const count = bounded(memberOf(retry, 'count'), 0, 100)
  let pause = bounded(memberOf(retry, 'delay'), 0, 3_600) * 1000
  const factor = Math.max(bounded(memberOf(retry, 'backoff'), 0, 10), 1)
  for (let attempt = 0; ; attempt++) {
    const result = await call(act, extra, `${element}@${attempt}`)
    if (result.status === 'ok' || attempt >= count) return { ...result, attempts: attempt + 1 }
    // After a restart the answers of before are gone through without the pauses that there were between them.
    if (!act.services.plugins.made(keptAs(act, `${element}@${attempt + 1}`))) await sleep(act.services.clock, pause, act.signal)
    pause = Math.min(pause * factor, 3_600_000)
  }
}

function keptAs({ own }: Act, which: string): PluginCallKey {
  return { run: own.row.run_id, step: own.row.key, call: which }
}

async function call(act: Act, extra: ReadonlyMap<string, Json>, which: string): Promise<ActionResult> {
  const { services, run, step, signal } = act
  const { plugin } = step
  const template = objectMember(step.parameters, 'input')
  const filled = fillTemplates(template, await scopeOf(act, templateRoots(template), { extra }))
  const input = isJsonObject(filled) ? filled : {}
  if (!plugin) return { status: 'error', reason: 'no_plugin', message: 'The step names no plugin and action', input, log: '', exception: null }
  const seconds = bounded(memberOf(step.parameters, 'timeout'), 0, 86_400)
  return callAction({
    services,
    run,
    key: `${run.id}/${act.row.key}${which}`,
    kept: keptAs(act, which),
    plugin,
    connection: step.connection,
    input,
    meta: { workflow_uid: run.resource_id ?? '', workflow_version_uid: textMember(run.spec, 'version_id'), step_uid: step.id },
    timeoutMs: seconds > 0 ? seconds * 1000 : (builtinAt(plugin)?.actions.get(plugin.identifier)?.timeoutMs ?? usualTimeoutMs),
    signal,
  })
}

function shown(results: readonly Called[], entry: (outputs: JsonObject[]) => JsonObject): Performed {
  const last = results.at(-1)
  const inputs = results.map(({ input }) => input)
  const input = inputs.length === 1 ? (inputs[0] ?? {}) : { $inputs: inputs }
  const common = {
    input: JSON.stringify(input).length > inputLimit ? { $too_large: 'The input is larger than what is kept of it' } : input,
    log: results
      .map(({ log }) => log)
      .join('')
      .slice(-logLimit),
    exception: last?.exception ?? null,
    ...(last && last.attempts > 1 ? { attempts: last.attempts } : {}),
  }
  if (last?.status === 'error') return { output: { ...common, entry: {} }, failed: { reason: last.reason, message: last.message } }
  return { output: { ...common, entry: entry(results.flatMap((result) => (result.status === 'ok' ? [result.output] : []))) } }
}

function bounded(value: Json | undefined, least: number, most: number): number {
  const number = Number(value ?? 0)
  return Number.isFinite(number) ? Math.min(Math.max(number, least), most) : least
}

export { performAction }
