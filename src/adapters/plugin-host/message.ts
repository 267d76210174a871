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
  const last = textOf(stderr).trimEnd().split('\n').at(-1)?.trim()
  const how = signal ? `ended by ${signal}` : `ended with ${code ?? 'no exit code'}`
  const error = last || `the plugin ${how} and gave no answer`
  return { status: 'error', output: null, log: tail(textOf(stderr)), error, exception: null }
}

/** The answer that stands in what a process said; null when none does. */
function answerIn({ stdout, stderr }: Pick<CallEnd, 'stdout' | 'stderr'>): PluginAnswer | null {
  const found = lastEnvelope(stdout)
  return found && answerOf(found.body, { before: found.before, stderr })
}

/** The answer in the body of an envelope: the status counts, not what came with it. */
function answerOf(body: JsonObject, around: { before: string; stderr: string }): PluginAnswer {
  const own = logOf(body)
  // Older runtimes say their log on standard error too.
  const beside = own === '' ? textOf(around.stderr) : textOf(around.stderr).replace(own, () => '')
  const log = tail([textOf(around.before), own, beside].map(ended).join(''))
  const state = objectOf(body.state)
  if (body.status === 'ok') return { status: 'ok', output: body.output ?? null, log, error: null, exception: null, ...(state ? { state } : {}) }
  const error = textOf(body.error) || 'the plugin gave no reason'
  const raised = objectOf(body.exception)
  const exception = raised && { cause: textOf(raised.cause), assistance: textOf(raised.assistance), data: raised.data ?? null }
  return { status: 'error', output: null, log, error, exception, ...(state ? { state } : {}) }
}

/** The log in the body of a message; runtimes in Go call it `string`. */
function logOf(body: JsonObject): string {
  return textOf(body.log) || textOf(body.string)
}

/** The body of an envelope; null when it is none. */
function envelopeBody(value: Json | undefined): JsonObject | null {
  const body = objectOf(objectOf(value)?.body)
  return body && (body.status === 'ok' || body.status === 'error') ? body : null
}

/**
 * From the end: what a plugin prints before its answer, an object too, is not taken for it. A document that ends the text comes before one that is a line of
 * it, or what an answer holds would be taken for the answer.
 */
function lastEnvelope(text: string): Found | null {
  const rest = (at: number) => text.slice(at)
  const line = (at: number) => text.slice(at, text.indexOf('\n', at) < 0 ? at : text.indexOf('\n', at))
  // A document begins a line (§20), or stands behind text without a line break; some plugins say something after it.
  return firstOf(text, lineBreaks, rest) ?? firstOf(text, members, rest) ?? firstOf(text, lineBreaks, line)
}

type Found = { readonly body: JsonObject; readonly before: string }

const lineBreaks = ['\n{']
// What the runtimes begin a document with.
const members = ['{"body"', '{"version"']

/** The envelope in the part of the text at one of these marks, looked for from the last one on. */
function firstOf(text: string, marks: readonly string[], partAt: (at: number) => string): Found | null {
  // Reading from every place on would be quadratic in what a hostile plugin prints.
  let budget = 64 * 1024 * 1024
  for (const at of places(text, marks)) {
    const part = partAt(at)
    budget -= Math.max(part.length, 4096)
    const body = budget < 0 ? null : envelopeBody(objectIn(part))
    if (body) return { body, before: text.slice(0, at) }
    if (budget < 0) return null
  }
  return null
}

/** Where objects begin at these marks, from the last; the beginning of the text counts as the beginning of a line. */
function* places(text: string, marks: readonly string[]): Generator<number> {
  const before = (mark: string, end: number) => (end < 0 ? -1 : text.lastIndexOf(mark, end))
  const last = marks.map((mark) => before(mark, text.length))
  for (let at = Math.max(...last); at >= 0; at = Math.max(...last)) {
    yield text[at] === '\n' ? at + 1 : at
    const which = last.indexOf(at)
    last[which] = before(marks[which] ?? '', at - 1)
  }
  if (text.startsWith('{')) yield 0
}

function objectIn(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json // bounded text of the plugin; looked at member by member
  } catch {
    return undefined
  }
}

function objectOf(value: Json | undefined): JsonObject | null {
  return isObject(value) ? (value as JsonObject) : null // read from JSON, so its members are
}

function failed(error: string, log = ''): PluginAnswer {
  return { status: 'error', output: null, log: tail(textOf(log)), error, exception: null }
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}

// Without NUL, which one of the stores cannot keep in a text: the trigger of an old runtime sends some before all logs but the first.
function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value.replaceAll('\0', '')
  return value === undefined || value === null ? '' : JSON.stringify(value)
}

function tail(text: string): string {
  return text.length > tailLimit ? text.slice(-tailLimit) : text
}

export type { CallEnd }
export { messageOf, triggerMessage, readEnd, answerIn, answerOf, envelopeBody, failed, logOf }
