import { isObject } from '../../core/kernel/json.ts'
import type { Json, JsonObject } from '../../core/kernel/json.ts'
import type { PluginAnswer, PluginCall, PluginTriggerStart } from '../../ports/plugin-host.ts'

/** How the process of a call came to its end. */
type CallEnd = {
  readonly stdout: string
  /** Its last 64 KiB. */
  readonly stderr: string
  readonly code: number | null
  readonly signal: string | null
}

const tailLimit = 64 * 1024

/** The message that starts a call (contract §15.1). What is absent is `{}`: plugins die of null. */
function messageOf(call: PluginCall): string {
  const { name, meta, input } = call
  const kind = call.what === 'test' ? (call.testOf ?? 'action') : call.what
  const common = { meta, connection: call.connection?.parameters ?? {}, input }
  const further =
    kind === 'task' ? { state: call.state ?? {}, custom_config: {} } : kind === 'trigger' ? { dispatcher: { url: '', webhook_url: '' } } : {}
  return JSON.stringify({ version: 'v1', type: `${kind}_start`, body: { [kind]: name, ...common, ...further } })
}

/** The message that starts a trigger. Both members of the dispatcher must be there. */
function triggerMessage({ name, meta, connection, input }: PluginTriggerStart, url: string): string {
  const body = { trigger: name, meta, connection: connection?.parameters ?? {}, input, dispatcher: { url, webhook_url: '' } }
  return JSON.stringify({ version: 'v1', type: 'trigger_start', body })
}

/**
 * What a process that ended has answered (contract §15.4, §20): the last JSON object that starts at the beginning of a line and is an envelope, whatever
 * the exit code; what stands before it is log text. Without one it failed, and the last line of standard error says why.
 */
function readEnd(end: CallEnd): PluginAnswer {
  const answer = answerIn(end)
  if (answer) return answer
  const { stderr, code, signal } = end
  const last = stderr.trimEnd().split('\n').at(-1)?.trim()
  const how = signal ? `ended by ${signal}` : `ended with ${code ?? 'no exit code'}`
  const error = last || `the plugin ${how} and gave no answer`
  return { status: 'error', output: null, log: tail(stderr), error, exception: null }
}

/** The answer that stands in what a process said; null when none does. */
function answerIn({ stdout, stderr }: Pick<CallEnd, 'stdout' | 'stderr'>): PluginAnswer | null {
  const found = lastEnvelope(stdout)
  return found && answerOf(found.body, { before: found.before, stderr })
}

/** The answer in the body of an envelope: the status counts, not what came with it. */
function answerOf(body: JsonObject, around: { before: string; stderr: string }): PluginAnswer {
  const own = textOf(body.log)
  const log = tail([around.before, own, around.stderr].map(ended).join(''))
  const state = objectOf(body.state)
  if (body.status === 'ok') return { status: 'ok', output: body.output ?? null, log, error: null, exception: null, ...(state ? { state } : {}) }
  const error = textOf(body.error) || 'the plugin gave no reason'
  const raised = objectOf(body.exception)
  const exception = raised && { cause: textOf(raised.cause), assistance: textOf(raised.assistance), data: raised.data ?? null }
  return { status: 'error', output: null, log, error, exception, ...(state ? { state } : {}) }
}

/** The body of an envelope; null when it is none. */
function envelopeBody(value: Json | undefined): JsonObject | null {
  const body = objectOf(objectOf(value)?.body)
  return body && (body.status === 'ok' || body.status === 'error') ? body : null
}

/** From the end: what a plugin prints before its answer, an object too, is not taken for it. */
function lastEnvelope(text: string): { readonly body: JsonObject; readonly before: string } | null {
  // Reading from every line on would be quadratic in what a hostile plugin prints.
  let budget = 64 * 1024 * 1024
  const attempt = (at: number) => {
    budget -= text.length - at
    const body = envelopeBody(objectAt(text, at))
    return body && { body, before: text.slice(0, at) }
  }
  for (let at = text.lastIndexOf('\n{'); at >= 0 && budget > 0; at = at === 0 ? -1 : text.lastIndexOf('\n{', at - 1)) {
    const found = attempt(at + 1)
    if (found) return found
  }
  if (text.startsWith('{')) return attempt(0)
  // Text without a line break before the document: older runtimes begin it with one of these two members.
  const at = ['{"body"', '{"version"'].map((begin) => text.indexOf(begin)).filter((index) => index >= 0)
  return at.length > 0 ? attempt(Math.min(...at)) : null
}

// The rest of the text, or one line of it: some plugins say something after their answer.
function objectAt(text: string, at: number): Json | undefined {
  const line = text.indexOf('\n', at)
  for (const part of [text.slice(at), line < 0 ? '' : text.slice(at, line)]) {
    try {
      if (part !== '') return JSON.parse(part) as Json // bounded text of the plugin; looked at member by member
    } catch {}
  }
  return undefined
}

function objectOf(value: Json | undefined): JsonObject | null {
  return isObject(value) ? (value as JsonObject) : null // read from JSON, so its members are
}

function failed(error: string, log = ''): PluginAnswer {
  return { status: 'error', output: null, log: tail(log), error, exception: null }
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}

function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value
  return value === undefined || value === null ? '' : JSON.stringify(value)
}

function tail(text: string): string {
  return text.length > tailLimit ? text.slice(-tailLimit) : text
}

export type { CallEnd }
export { messageOf, triggerMessage, readEnd, answerIn, answerOf, envelopeBody, failed }
