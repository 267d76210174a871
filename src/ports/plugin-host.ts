import type { Json, JsonObject } from '../core/kernel/json.ts'

/**
 * Where plugins of the Komand kind are called (contract §14–§16, §18): packages in a folder, as a process per call or as a warm one, or images of an engine.
 * It knows nothing of workflows, permissions or the store. Everything that a plugin answers is hostile: it is bounded in size and time and never evaluated.
 */
type PluginHost = {
  /** Reads and checks a package below the plugin root: its spec as text. Throws `PluginRefused`. */
  readPackage(path: string): Promise<PluginPackage>
  /** Unpacks an uploaded archive below the plugin root, all of it or nothing, and gives its path. Throws `PluginRefused`. */
  unpack(archive: AsyncIterable<Uint8Array>, options: { limitBytes: number }): Promise<string>
  /** Makes what calls need beforehand (a virtual environment, a pulled image). Harmless to repeat. Throws `PluginRefused`. */
  prepare(plugin: InstalledPlugin, options: { signal: AbortSignal }): Promise<void>
  /** Removes what `prepare` and `unpack` made. */
  forget(plugin: InstalledPlugin): Promise<void>
  /**
   * One call. Never rejects for what the plugin did: that is an answer with `status: 'error'`. Throws `PluginInterrupted` when the server stops meanwhile.
   *
   * A call with a `key` that is a process of its own outlives the server: made again with the same key it is found again, running or ended, and nothing is
   * called twice; its time counts from its first start. So it is when the signal ends with a `LetGo`; with any other reason its process is ended. What it
   * answered is kept until `release`. One whose process is gone without an answer is made anew by who asks for it again (`recovers`).
   */
  call(call: PluginCall, options: { signal: AbortSignal }): Promise<PluginAnswer>
  /** Whether everything that was called for a step before a restart is here: answered, running, or not begun yet. False when nothing was called. */
  recovers(step: PluginStep): Promise<boolean>
  /** Whether a call with this key was made already. */
  made(key: PluginCallKey): boolean
  /** The steps whose calls are kept here. */
  kept(): Promise<readonly PluginStep[]>
  /** Nobody will ask for the calls of a step any more: what still runs is ended, what was kept is removed. Cheap when there is nothing. */
  release(step: PluginStep): Promise<void>
  /** Keeps a trigger of a plugin alive until the signal: events come one by one and are answered when `onEvent` resolves. Resolves with how it ended. */
  trigger(start: PluginTriggerStart, options: { signal: AbortSignal; onEvent(event: PluginEvent): Promise<void> }): Promise<PluginAnswer>
  /** What a verb of a package says, for who tries a package: `info`, `sample <name>`, or `run` with a message. */
  say(plugin: InstalledPlugin, verb: readonly string[], options: { input: string; timeoutMs: number; signal: AbortSignal }): Promise<PluginSaid>
  /** Whether a package has an http mode, found by starting it. */
  serves(plugin: InstalledPlugin, options: { signal: AbortSignal }): Promise<boolean>
  /** A connection has changed or is gone: warm processes that hold it are ended. */
  dropConnection(key: string): Promise<void>
  close(): Promise<void>
}

type PluginPackage = { readonly path: string; readonly spec: string }

type InstalledPlugin = {
  readonly vendor: string
  readonly name: string
  readonly version: string
  /** `process`: a package below the plugin root; `container`: an image. */
  readonly runtime: 'process' | 'container'
  readonly path: string | null
  readonly image: string | null
  /** The plugin gets a folder that outlives its calls. */
  readonly cache: boolean
}

/** A step of a run, as its calls are kept by. */
type PluginStep = { readonly run: string; readonly step: string }

/** Names a call among all of all times. `call`: which of the step's. */
type PluginCallKey = PluginStep & { readonly call: string }

type PluginCall = {
  readonly plugin: InstalledPlugin
  /** Absent: it ends with the server. */
  readonly key?: PluginCallKey
  readonly what: 'action' | 'task' | 'test'
  /** The action or task. For a test of a connection any action or trigger of the plugin: the message must name one. */
  readonly name: string
  /** What `name` is in a test; absent: an action. */
  readonly testOf?: 'action' | 'trigger' | 'task'
  readonly meta: JsonObject
  /** Parameters of the connection with secrets opened; null: it has none. Goes through standard input or the body only. */
  readonly connection: { readonly key: string; readonly parameters: JsonObject } | null
  readonly input: JsonObject
  readonly state?: JsonObject
  /** `warm`: a process that stays for the next call, where the plugin can; `cold`: one of its own. */
  readonly mode: 'warm' | 'cold'
  readonly timeoutMs: number
}

type PluginTriggerStart = Omit<PluginCall, 'key' | 'what' | 'testOf' | 'state' | 'mode' | 'timeoutMs'>

type PluginAnswer = {
  readonly status: 'ok' | 'error'
  readonly output: Json
  readonly log: string
  readonly error: string | null
  readonly exception: { readonly cause: string; readonly assistance: string; readonly data: Json } | null
  readonly state?: JsonObject
}

type PluginSaid = {
  readonly code: number | null
  readonly out: string
  readonly err: string
  /** The answer that stands in what it said; null: none does. */
  readonly answer: PluginAnswer | null
}

type PluginEvent = { readonly output: JsonObject; readonly log: string }

/** Whom a registry of images knows us as. */
type RegistryLogin = { readonly user: string; readonly password: string }

/** What the registry is called where engines look for an image whose name begins with none. */
const usualRegistry = 'docker.io'

/** The registry that the name of an image begins with, told from the first part of a path as engines tell it; null: the engine's usual one is meant. */
function registryOf(image: string): string | null {
  const [first = '', ...more] = image.split('/')
  return more.length > 0 && (/[.:A-Z]/.test(first) || first === 'localhost') ? first : null
}

/** The package or image cannot be used; the message says what to do. */
class PluginRefused extends Error {
  override readonly name = 'PluginRefused'
}
/** The call was under way when the server let go of it; nobody knows whether the plugin acted. */
class PluginInterrupted extends Error {
  override readonly name = 'PluginInterrupted'
}

export type {
  RegistryLogin,
  PluginHost,
  PluginPackage,
  InstalledPlugin,
  PluginStep,
  PluginCallKey,
  PluginCall,
  PluginTriggerStart,
  PluginAnswer,
  PluginSaid,
  PluginEvent,
}
export { PluginRefused, PluginInterrupted, registryOf, usualRegistry }
