import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PluginInterrupted, PluginRefused } from '../../ports/plugin-host.ts'
import { callCold, runOnce } from './cold.ts'
import { openContainers } from './container.ts'
import { Gate } from './gate.ts'
import { prepareGround } from './ground.ts'
import { KeptCalls } from './kept-calls.ts'
import { answerIn, failed } from './message.ts'
import { keyOf, removePluginFolder } from './plugin-folder.ts'
import { programOf } from './program.ts'
import { prepareEnvironment } from './python.ts'
import { readPackage } from './root.ts'
import { processOf } from './started.ts'
import { runTrigger } from './trigger.ts'
import { isUnpacked, unpack } from './unpack.ts'
import { WarmPool } from './warm-pool.ts'
import { startWarm } from './warm-process.ts'
import type {
  InstalledPlugin,
  PluginAnswer,
  PluginCall,
  PluginCallKey,
  PluginEvent,
  PluginHost,
  PluginPackage,
  PluginSaid,
  PluginStep,
  PluginTriggerStart,
  RegistryLogin,
} from '../../ports/plugin-host.ts'
import type { Egress } from '../../ports/egress.ts'
import type { EngineAddress } from '../docker/engine.ts'
import type { Containers } from './container.ts'
import type { Ground, GroundOptions } from './ground.ts'
import type { Setting } from './program.ts'
import type { Callable } from './started.ts'
import type { PoolLimits } from './warm-pool.ts'

type HostOptions = GroundOptions &
  Setting & {
    readonly pool?: Partial<PoolLimits>
    /** Where images of plugins are run, and what judges the registries that they are pulled from; absent: nowhere. */
    readonly engine?: {
      readonly address: EngineAddress
      readonly egress: Pick<Egress, 'resolve'>
      /** Whom a registry knows us as; absent: nobody. */
      readonly login?: (registry: string) => Promise<RegistryLogin | null>
    }
  }

/** A host of plugins, and how well it keeps them apart. */
type ProcessPluginHost = PluginHost & {
  /** Why plugins are not kept apart as they should be; null when they are. */
  readonly weakness: string | null
  /** Why images of plugins run without any way out; null when they have one, or when there is no engine. */
  readonly closed: string | null
}

const threads = 4
const coldAtOnce = 8

/** The host of plugins on this machine. What an earlier server has left running is ended first. */
async function createPluginHost(options: HostOptions): Promise<ProcessPluginHost> {
  mkdirSync(options.root, { recursive: true, mode: 0o755 })
  const ground = await prepareGround(options)
  const containers = options.engine
    ? await openContainers(ground, { login: () => Promise.resolve(null), ...options.engine, shared: options.shared ?? false })
    : null
  return new Plugins(ground, options, containers)
}

class Plugins implements ProcessPluginHost {
  readonly weakness: string | null
  readonly closed: string | null
  readonly #containers: Containers | null
  readonly #ground: Ground
  readonly #setting: Setting
  readonly #pool: WarmPool
  readonly #cold: Gate
  readonly #kept: KeptCalls
  readonly #threads: number
  readonly #preparing = new Map<string, Promise<void>>()
  readonly #closing = new AbortController()
  readonly #under = new Set<Promise<unknown>>()

  constructor(ground: Ground, options: HostOptions, containers: Containers | null) {
    this.weakness = ground.reason
    this.closed = containers?.closed ?? null
    this.#containers = containers
    this.#ground = ground
    this.#setting = options
    this.#threads = options.pool?.threads ?? threads
    this.#pool = new WarmPool(ground, { threads, ...options.pool })
    this.#kept = new KeptCalls(ground)
    this.#cold = new Gate(options.pool?.processes ?? coldAtOnce)
  }

  readPackage(path: string): Promise<PluginPackage> {
    return readPackage(this.#setting.root, path)
  }

  unpack(archive: AsyncIterable<Uint8Array>, options: { limitBytes: number }): Promise<string> {
    return unpack(this.#setting.root, archive, options)
  }

  prepare(plugin: InstalledPlugin, { signal }: { signal: AbortSignal }): Promise<void> {
    const key = keyOf(plugin)
    const known = this.#preparing.get(key)
    if (known) return known
    const work = this.#counted(this.#prepare(plugin, AbortSignal.any([signal, this.#closing.signal]))).finally(() => this.#preparing.delete(key))
    this.#preparing.set(key, work)
    return work
  }

  async #prepare(plugin: InstalledPlugin, signal: AbortSignal): Promise<void> {
    if (plugin.runtime === 'container') return this.#engine().prepare(plugin, signal)
    const program = programOf(this.#ground, this.#setting, plugin)
    if (program.entry.runner.kind === 'python') await prepareEnvironment(this.#ground, program, signal)
  }

  async forget(plugin: InstalledPlugin): Promise<void> {
    const key = keyOf(plugin)
    this.#pool.drop((line) => line.plugin === key)
    if (plugin.runtime === 'container') await this.#containers?.forget(plugin)
    await removePluginFolder(this.#ground, plugin)
    if (plugin.path !== null && isUnpacked(plugin.path)) rmSync(join(this.#setting.root, plugin.path), { recursive: true, force: true })
  }

  call(call: PluginCall, { signal }: { signal: AbortSignal }): Promise<PluginAnswer> {
    return this.#counted(this.#call(call, signal))
  }

  async #call(call: PluginCall, signal: AbortSignal): Promise<PluginAnswer> {
    signal.throwIfAborted()
    const closing = this.#closing.signal
    if (closing.aborted) throw new PluginInterrupted('The server stops')
    try {
      const before = call.key ? await this.#kept.find(call.key) : null
      if (before) return await this.#kept.answer(before, call, { signal, closing })
      const callable = this.#callable(call.plugin)
      const warm = call.mode === 'warm' && call.plugin.runtime === 'process' ? await this.#callWarm(call, signal) : 'cold'
      if (warm !== 'cold') return warm
      const key = call.plugin.runtime === 'process' ? call.key : undefined
      if (key) this.#kept.announce(key)
      await this.#cold.enter(AbortSignal.any([signal, closing]))
      try {
        if (key) {
          const begun = await this.#kept.begin(key, programOf(this.#ground, this.#setting, call.plugin), call)
          return await this.#kept.answer(begun, call, { signal, closing })
        }
        const answer = await callCold(this.#ground, callable, call, { signal, closing })
        const why = call.plugin.runtime === 'container' && answer.status === 'error' ? this.closed : null
        return why === null ? answer : { ...answer, log: `${answer.log}The container had no network: ${why}\n` }
      } finally {
        this.#cold.leave()
      }
    } catch (error) {
      if (error instanceof PluginRefused) return failed(error.message)
      throw error
    }
  }

  recovers(step: PluginStep): Promise<boolean> {
    return this.#kept.recovers(step)
  }

  made(key: PluginCallKey): boolean {
    return this.#kept.made(key)
  }

  kept(): Promise<readonly PluginStep[]> {
    return Promise.resolve(this.#kept.kept())
  }

  release(step: PluginStep): Promise<void> {
    return this.#counted(this.#kept.release(step, this.#closing.signal))
  }

  #callWarm(call: PluginCall, signal: AbortSignal): Promise<PluginAnswer | 'cold'> {
    const program = programOf(this.#ground, this.#setting, call.plugin)
    const line = { plugin: keyOf(call.plugin), connection: call.connection?.key ?? '' }
    const start = (stop: AbortSignal) => startWarm(this.#ground, program, { threads: this.#threads, signal: stop })
    return this.#pool.call(line, start, call, signal)
  }

  #callable(plugin: InstalledPlugin): Callable {
    if (plugin.runtime === 'container') return this.#engine().callable(plugin)
    return processOf(this.#ground, programOf(this.#ground, this.#setting, plugin))
  }

  #engine(): Containers {
    if (this.#containers) return this.#containers
    throw new PluginRefused(
      'Images of plugins need a Docker engine, and none is configured here. Set "docker.host", or install the package of the plugin as a folder or an archive.',
    )
  }

  trigger(
    start: PluginTriggerStart,
    { signal, onEvent }: { signal: AbortSignal; onEvent(event: PluginEvent): Promise<void> },
  ): Promise<PluginAnswer> {
    return this.#counted(this.#trigger(start, AbortSignal.any([signal, this.#closing.signal]), onEvent))
  }

  async #trigger(start: PluginTriggerStart, signal: AbortSignal, onEvent: (event: PluginEvent) => Promise<void>): Promise<PluginAnswer> {
    try {
      return await runTrigger(this.#ground, this.#callable(start.plugin), start, { signal, onEvent })
    } catch (error) {
      if (error instanceof PluginRefused) return failed(error.message)
      throw error
    }
  }

  say(plugin: InstalledPlugin, verb: readonly string[], options: { input: string; timeoutMs: number; signal: AbortSignal }): Promise<PluginSaid> {
    const { input: message, timeoutMs, signal } = options
    return this.#counted(this.#say(plugin, { verb, message, timeoutMs, signal }))
  }

  async #say(
    plugin: InstalledPlugin,
    once: { verb: readonly string[]; message: string; timeoutMs: number; signal: AbortSignal },
  ): Promise<PluginSaid> {
    const end = await runOnce(this.#ground, this.#callable(plugin), { ...once, closing: this.#closing.signal })
    return { code: end.code, out: end.stdout, err: end.stderr, answer: answerIn(end) }
  }

  async serves(plugin: InstalledPlugin, { signal }: { signal: AbortSignal }): Promise<boolean> {
    // Those of an image are called cold.
    if (plugin.runtime === 'container') return false
    const program = programOf(this.#ground, this.#setting, plugin)
    const started = await startWarm(this.#ground, program, { threads: this.#threads, signal: AbortSignal.any([signal, this.#closing.signal]) })
    await started?.end(this.#ground.limits.graceMs)
    return started !== null
  }

  dropConnection(key: string): Promise<void> {
    this.#pool.drop(({ connection }) => connection === key)
    return Promise.resolve()
  }

  async close(): Promise<void> {
    this.#closing.abort(new PluginInterrupted('The server stops'))
    await this.#pool.close()
    await Promise.allSettled([...this.#under])
  }

  async #counted<T>(work: Promise<T>): Promise<T> {
    this.#under.add(work)
    try {
      return await work
    } finally {
      this.#under.delete(work)
    }
  }
}

export type { HostOptions, ProcessPluginHost }
export { createPluginHost }
