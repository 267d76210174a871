import { randomBytes } from 'node:crypto'
import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { sleep } from '../../core/kernel/clock.ts'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { EngineGone, EngineRefused, engineAt, member } from '../docker/engine.ts'
import { folderOf, makeFolder } from '../runtime/process/folder.ts'
import { removeTree } from '../runtime/process/remove.ts'
import { hasEnded, markOfServer } from '../runtime/process/server-mark.ts'
import { describe } from './container-shape.ts'
import { closedBecause, enterNetwork } from './enter.ts'
import { pullImage, readReference } from './image.ts'
import { folderOfPlugin, keyOf } from './plugin-folder.ts'
import { openWayOut } from './way-out.ts'
import type { Egress } from '../../ports/egress.ts'
import type { InstalledPlugin, RegistryLogin } from '../../ports/plugin-host.ts'
import type { Attached, Engine, EngineAddress } from '../docker/engine.ts'
import type { Ground } from './ground.ts'
import type { Callable, Started, Starting } from './started.ts'
import type { Door } from './way-out.ts'

type Options = {
  readonly address: EngineAddress
  readonly egress: Pick<Egress, 'resolve'>
  readonly login: (registry: string) => Promise<RegistryLogin | null>
  readonly shared: boolean
}

const labels = { host: 'capstan.plugin-host', server: 'capstan.server', plugin: 'capstan.plugin' } as const
// For an engine that should answer at once.
const patienceMs = 5_000
// Ours of the host's: the owner of nothing.
const nobody = 65_534

/**
 * Plugins as containers of a Docker engine, one for each call. What a server that was killed has left running is found by its label and removed before
 * anything is begun.
 */
class Containers {
  /** Why containers reach nothing, not even through the proxy; null when they do. */
  readonly closed: string | null
  readonly #ground: Ground
  readonly #options: Options
  readonly #engine: Engine
  readonly #host: string
  /** Names of those that calls of this server hold. */
  readonly #held = new Set<string>()
  #swept = false

  constructor(ground: Ground, options: Options) {
    this.#ground = ground
    this.#options = options
    this.#engine = engineAt(options.address)
    this.#host = hostOf(ground.work)
    this.closed = closedBecause(this.#engine.local)
  }

  /** Removes what is left of earlier servers. An engine that cannot be asked now is asked again before the first call. */
  async sweep(signal: AbortSignal = AbortSignal.timeout(patienceMs)): Promise<void> {
    const filters = JSON.stringify({ label: [`${labels.host}=${this.#host}`] })
    const found = await this.#engine.call('GET', `/containers/json?all=1&filters=${encodeURIComponent(filters)}`, { signal })
    for (const one of Array.isArray(found) ? (found as unknown[]) : []) {
      const id = textOf(member(one, 'Id'))
      const server = textOf(member(member(one, 'Labels'), labels.server))
      const names = member(one, 'Names')
      const held = Array.isArray(names) && names.some((name) => this.#held.has(textOf(name).slice(1)))
      if (id === '' || held || (this.#options.shared && server !== markOfServer() && !hasEnded(server))) continue
      this.#ground.log.info('plugin.orphan', { container: id.slice(0, 12) })
      await this.#remove(id)
    }
    this.#swept = true
  }

  async prepare(plugin: InstalledPlugin, signal: AbortSignal): Promise<void> {
    await this.#saying(() => pullImage(this.#engine, plugin.image ?? '', { ...this.#options, signal }))
  }

  /** Its cache goes; its image stays, which others may use. */
  async forget(plugin: InstalledPlugin): Promise<void> {
    try {
      await this.#engine.call('DELETE', `/volumes/${this.#volume(plugin)}?force=1`)
    } catch (error) {
      this.#ground.log.warn('plugin.cache', { why: error instanceof Error ? error.message : String(error) })
    }
  }

  callable(plugin: InstalledPlugin): Callable {
    return { cut: true, begin: (verb, starting) => this.#saying(() => this.#begin(plugin, verb, starting)) }
  }

  async #begin(plugin: InstalledPlugin, verb: readonly string[], { signal, lay }: Starting): Promise<Started> {
    if (!this.#swept) await this.sweep(signal)
    if (lay && this.closed !== null) throw new PluginRefused(`The trigger of an image cannot tell of its events here: ${this.closed}.`)
    const { egressProxy } = this.#ground
    const token = randomBytes(8).toString('hex')
    const name = `capstan-plugin-${token}`
    const folder = folderOf(this.#ground.work, `host-${token}`)
    const uid = (this.closed === null ? folderOfPlugin(this.#ground, plugin).uid : null) ?? nobody
    makeFolder(folder)
    const releases: (() => unknown)[] = [() => removeTree(folder.path)]
    const release = async () => {
      for (const step of releases.splice(0).reverse()) await step()
    }
    try {
      const doors: Door[] = []
      let environment: Readonly<Record<string, string>> = {}
      if (this.closed === null) {
        chownSync(folder.home, uid, uid)
        const wayOut = await openWayOut(egressProxy, { folder: folder.home, cut: true })
        releases.push(() => wayOut.close())
        environment = wayOut.environment
        doors.push(...wayOut.doors, ...((await lay?.(folder.home)) ?? []))
      }
      this.#held.add(name)
      releases.push(
        () => this.#held.delete(name),
        () => this.#remove(name),
      )
      const id = await this.#create(plugin, { verb, environment, name, signal })
      signal.throwIfAborted()
      const attached = await this.#engine.attach(id)
      releases.push(() => attached.destroy())
      await this.#engine.call('POST', `/containers/${id}/start`)
      // The message is written by who begins it, after this: whatever waits for it finds the doors open.
      const entered = await this.#enter({ id, uid, folder: folder.home, doors })
      releases.push(() => entered?.close())
      signal.throwIfAborted()
      return this.#running(id, attached, release)
    } catch (error) {
      await release()
      throw error
    }
  }

  async #enter({ id, uid, folder, doors }: { id: string; uid: number; folder: string; doors: readonly Door[] }): Promise<{ close(): void } | null> {
    if (doors.length === 0) return null
    const state = member(await this.#engine.call('GET', `/containers/${id}/json`), 'State')
    if (member(state, 'Running') !== true) return null
    const { clock, log } = this.#ground
    const entered = await enterNetwork({ pid: Number(member(state, 'Pid')), id, uid, folder, doors, clock })
    if (!entered) log.warn('plugin.network', { container: id.slice(0, 12), why: 'its network could not be entered, so it reaches nothing' })
    return entered
  }

  async #create(
    plugin: InstalledPlugin,
    given: { verb: readonly string[]; environment: Readonly<Record<string, string>>; name: string; signal: AbortSignal },
  ): Promise<string> {
    const { name, signal } = given
    const { whole } = readReference(plugin.image ?? '')
    const body = describe({
      ...{ image: whole, verb: given.verb, environment: given.environment, limits: this.#ground.limits },
      labels: { [labels.host]: this.#host, [labels.plugin]: keyOf(plugin) },
      server: { [labels.server]: markOfServer() },
      volume: plugin.cache ? this.#volume(plugin) : null,
    })
    const create = async () => textOf(member(await this.#engine.call('POST', `/containers/create?name=${name}`, { body }), 'Id'))
    try {
      return await create()
    } catch (error) {
      if (!(error instanceof EngineRefused && error.status === 404)) throw error
      // An operator may have tidied up the engine's images since it was installed.
      await this.prepare(plugin, signal)
      return create()
    }
  }

  #running(id: string, attached: Attached, release: () => Promise<void>): Started {
    const { clock, limits } = this.#ground
    const over = new AbortController()
    const hurry = new AbortController()
    const lost = new AbortController()
    const ended = this.#ended(id, attached, lost.signal).finally(async () => {
      over.abort()
      await release()
    })
    let silent = 0
    const signalled = async (name: string) => {
      try {
        await this.#engine.call('POST', `/containers/${id}/kill?signal=${name}`, { idleMs: patienceMs })
        silent = 0
      } catch (error) {
        // One that has ended already is refused. An engine that hangs is not waited for by whoever stops a call: the next sweep finds the container.
        silent = error instanceof EngineGone ? silent + 1 : 0
        if (silent >= 2) lost.abort(error)
      }
    }
    const passes = (ms: number, signal: AbortSignal) => sleep(clock, ms, signal).catch(() => {})
    const end = async (graceMs: number) => {
      if (graceMs > 0) {
        await signalled('SIGTERM')
        await passes(graceMs, AbortSignal.any([over.signal, hurry.signal]))
      }
      while (!over.signal.aborted) {
        await signalled('SIGKILL')
        await passes(200, over.signal)
      }
    }
    let ending: Promise<void> | null = null
    return {
      ...{ input: attached.input, out: attached.out, err: attached.err, ended },
      end(graceMs = limits.graceMs) {
        // Who is in a hurry does not wait for the patience of who came before.
        if (graceMs === 0) hurry.abort()
        return (ending ??= end(graceMs))
      },
    }
  }

  async #ended(id: string, { closed, destroy, end }: Attached, signal: AbortSignal): Promise<{ code: number | null; signal: string | null }> {
    const { clock, limits } = this.#ground
    try {
      const code = Number(member(await this.#engine.call('POST', `/containers/${id}/wait`, { idleMs: 0, signal }), 'StatusCode'))
      const state = member(await this.#engine.call('GET', `/containers/${id}/json`), 'State')
      // All that it said is on its way; an engine that forgets to end the stream is not waited for.
      await Promise.race([closed, sleep(clock, patienceMs)])
      destroy()
      await closed
      end(member(state, 'OOMKilled') === true ? `\nThe plugin needed more than ${Math.round(limits.memoryBytes / 1024 ** 2)} MiB of memory\n` : '')
      return endOf(code)
    } catch (error) {
      this.#ground.log.warn('plugin.engine', { container: id.slice(0, 12), why: error instanceof Error ? error.message : String(error) })
      destroy()
      await closed
      end('\nThe Docker engine was lost while the plugin was called\n')
      return { code: null, signal: null }
    }
  }

  async #remove(id: string): Promise<void> {
    try {
      await this.#engine.call('DELETE', `/containers/${id}?force=1&v=1`, { idleMs: patienceMs })
    } catch (error) {
      if (error instanceof EngineRefused && (error.status === 404 || error.status === 409)) return
      this.#swept = false
      this.#ground.log.warn('plugin.engine', { container: id.slice(0, 12), why: error instanceof Error ? error.message : String(error) })
    }
  }

  #volume(plugin: InstalledPlugin): string {
    return `capstan-${this.#host}-${keyOf(plugin)}`
  }

  // What an engine says of its own folders is for the operator.
  async #saying<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof EngineGone || error instanceof EngineRefused)) throw error
      this.#ground.log.warn('plugin.engine', { why: error.message })
      if (error instanceof EngineGone)
        throw new PluginRefused('The Docker engine does not answer just now. An operator finds the cause in the log.', { cause: error })
      const entry = error.status === 400 ? ' Its entry point must be a program that takes a verb ("run").' : ''
      throw new PluginRefused(`The container of the plugin cannot be started.${entry} An operator finds the cause in the log.`, { cause: error })
    }
  }
}

/** Containers of the engine at this address. One that does not answer is told of, and asked again by the first call. */
async function openContainers(ground: Ground, options: Options): Promise<Containers> {
  const containers = new Containers(ground, options)
  await containers.sweep().catch((error: unknown) => {
    ground.log.warn('plugin.engine', { why: error instanceof Error ? error.message : String(error) })
  })
  return containers
}

// Several installations may use one engine: each knows its own by a name that outlives its servers.
function hostOf(work: string): string {
  const file = join(work, 'engine-name')
  const read = () => readFileSync(file, 'utf8')
  try {
    return read()
  } catch {
    try {
      writeFileSync(file, randomBytes(8).toString('hex'), { mode: 0o600, flag: 'wx' })
    } catch {}
    return read()
  }
}

// The engine tells a death by signal as a shell does.
function endOf(status: number): { code: number | null; signal: string | null } {
  const name = status > 128 ? Object.entries(constants.signals).find(([, number]) => number === status - 128)?.[0] : undefined
  return name ? { code: null, signal: name } : { code: status, signal: null }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export { Containers, openContainers }
