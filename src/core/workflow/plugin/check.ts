import { isJsonObject, objectMember, textMember } from '../document/members.ts'
import { requiredInputs, withDefaults } from './defaults.ts'
import { PluginRefused } from '../../../ports/plugin-host.ts'
import { SpecRefused, readSpec } from './spec.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { InstalledPlugin, PluginHost, PluginSaid } from '../../../ports/plugin-host.ts'
import type { PluginSpec } from './spec.ts'

/** One thing that was tried of a package. */
type Finding = { readonly what: string; readonly outcome: 'ok' | 'failed' | 'note'; readonly why: string }

type Trying = {
  readonly host: PluginHost
  readonly plugin: InstalledPlugin
  readonly spec: PluginSpec
  readonly signal: AbortSignal
  readonly found: Finding[]
}

const sayMs = 120_000

/**
 * Tries a package as the server will use it (contract §14–§16): its spec, its entry point, `info`, the sample of each action and trigger, a call of each
 * action, calls with wrong input and for an action that is not there, `test`, and the same over http where it has that.
 */
async function checkPackage(host: PluginHost, path: string, signal: AbortSignal): Promise<Finding[]> {
  const found: Finding[] = []
  try {
    const { spec: text, path: inside } = await host.readPackage(path)
    const spec = await readSpec(text)
    found.push({ what: 'spec', outcome: 'ok', why: `${spec.vendor}/${spec.name} ${spec.version}` })
    for (const why of spec.warnings) found.push({ what: 'spec', outcome: 'note', why })
    const { vendor, name, version, enable_cache: cache } = spec
    const plugin: InstalledPlugin = { vendor, name, version, runtime: 'process', path: inside, image: null, cache }
    await host.prepare(plugin, { signal })
    await checkVerbs({ host, plugin, spec, signal, found })
  } catch (error) {
    if (!(error instanceof PluginRefused || error instanceof SpecRefused)) throw error
    found.push({ what: error instanceof SpecRefused ? 'spec' : 'package', outcome: 'failed', why: error.message })
  }
  return found
}

async function checkVerbs(trying: Trying): Promise<void> {
  const { host, plugin, spec, signal } = trying
  const info = await say(trying, ['info'])
  tell(trying, 'info', info.code === 0 && info.out.trim() !== '', `it ended with ${info.code} and said ${info.out.length} letters`)
  const wrong = await say(trying, ['no-such-verb'])
  if (wrong.code !== 2) trying.found.push({ what: 'a wrong verb', outcome: 'note', why: `it ended with ${wrong.code}, and 2 is usual` })
  const calls: { name: string; message: JsonObject; status: string }[] = []
  for (const [name, action] of spec.actions) {
    const message = await sampleOf(trying, name, 'action')
    if (message === null) continue
    const body = objectMember(message, 'body')
    const filled = {
      ...message,
      body: { ...body, connection: isJsonObject(body.connection) ? body.connection : {}, input: withDefaults(action, objectMember(body, 'input')) },
    }
    const called = await say(trying, ['run'], filled)
    tell(trying, `run of ${name}`, called.answer !== null, unanswered(called))
    if (called.answer) calls.push({ name, message: filled, status: called.answer.status })
    if (requiredInputs(action).length > 0) await refused(trying, `${name} without its input`, { ...message, body: { ...filled.body, input: {} } })
  }
  for (const name of spec.triggers.keys()) await sampleOf(trying, name, 'trigger')
  const [first] = calls
  if (first) {
    await refused(trying, 'an action that is not there', {
      ...first.message,
      body: { ...objectMember(first.message, 'body'), action: 'no_such_action' },
    })
    const tested = await say(trying, ['test'], first.message)
    tell(trying, 'test', tested.answer !== null, unanswered(tested))
  }
  if (!(await host.serves(plugin, { signal }))) {
    trying.found.push({ what: 'http', outcome: 'note', why: 'it has no http mode: each call starts a process' })
    return
  }
  for (const { name, message, status } of calls) {
    const body = objectMember(message, 'body')
    const connection = { key: 'check', parameters: objectMember(body, 'connection') }
    const call = { plugin, what: 'action', name, meta: {}, connection, input: objectMember(body, 'input'), mode: 'warm', timeoutMs: sayMs } as const
    const answer = await host.call(call, { signal })
    tell(trying, `http call of ${name}`, answer.status === status, `it says ${answer.status}, and ${status} as a process: ${answer.error ?? ''}`)
  }
}

async function sampleOf(trying: Trying, name: string, kind: 'action' | 'trigger'): Promise<JsonObject | null> {
  const said = await say(trying, ['sample', name])
  const message = parsed(said.out)
  const right =
    said.code === 0 && message !== null && textMember(message, 'type') === `${kind}_start` && textMember(objectMember(message, 'body'), kind) === name
  tell(trying, `sample ${name}`, right, message === null ? `it ended with ${said.code} and gave no JSON` : `it is no ${kind}_start of "${name}"`)
  return right ? message : null
}

async function refused(trying: Trying, what: string, message: JsonObject): Promise<void> {
  const said = await say(trying, ['run'], message)
  const right = said.answer?.status === 'error' && (said.answer.error ?? '') !== ''
  tell(trying, what, right, said.answer ? 'it was answered as if nothing were wrong' : unanswered(said))
}

function say({ host, plugin, signal }: Trying, verb: readonly string[], message: JsonObject | null = null): Promise<PluginSaid> {
  return host.say(plugin, verb, { input: message === null ? '' : JSON.stringify(message), timeoutMs: sayMs, signal })
}

function tell({ found }: Trying, what: string, right: boolean, why: string): void {
  found.push({ what, outcome: right ? 'ok' : 'failed', why: right ? '' : why })
}

function unanswered({ code, err }: PluginSaid): string {
  return `it ended with ${code} and gave no answer: ${err.trimEnd().split('\n').at(-1) ?? ''}`
}

// Newer runtimes say something before it.
function parsed(text: string): JsonObject | null {
  for (const part of [text, text.slice(text.lastIndexOf('\n{') + 1)]) {
    try {
      const value = JSON.parse(part) as Json // what a plugin printed; looked at member by member
      if (isJsonObject(value)) return value
    } catch {}
  }
  return null
}

export type { Finding }
export { checkPackage }
