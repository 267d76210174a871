import { PluginInterrupted } from '../../ports/plugin-host.ts'
import { failed } from './message.ts'
import type { Timer } from '../../core/kernel/clock.ts'
import type { PluginAnswer, PluginCall } from '../../ports/plugin-host.ts'
import type { Ground } from './ground.ts'
import type { WarmProcess } from './warm-process.ts'

type PoolLimits = {
  /** Processes of all plugins together, and of one plugin with one connection. */
  readonly processes: number
  readonly perLine: number
  /** Calls that one process carries at once. */
  readonly threads: number
  readonly queue: number
  readonly idleMs: number
}

/** Which processes may carry a call: those of the same plugin with the same connection. */
type LineKey = { readonly plugin: string; readonly connection: string }

type Slot = {
  readonly key: LineKey
  readonly process: WarmProcess
  calls: number
  /** Takes no more calls and is ended when it carries none. */
  leaving: boolean
  idle: Timer | null
}

type Start = (signal: AbortSignal) => Promise<WarmProcess | null>

type Waiting = { readonly key: LineKey; readonly start: Start; readonly resolve: (slot: Slot | 'cold') => void }

const standardLimits: PoolLimits = { processes: 8, perLine: 2, threads: 4, queue: 1_000, idleMs: 300_000 }
const coldMs = 300_000

/**
 * Processes that stay. A call goes to one of its line that has room; else to a new one, in whose favour the longest idle one of another line is ended when
 * there are enough; else it waits its turn.
 */
class WarmPool {
  readonly #ground: Ground
  readonly #limits: PoolLimits
  readonly #slots = new Set<Slot>()
  readonly #starting = new Map<string, number>()
  readonly #waiting: Waiting[] = []
  /** Plugins that have no http mode, and until when that is believed. */
  readonly #cold = new Map<string, number>()
  readonly #closing = new AbortController()

  constructor(ground: Ground, limits: Partial<PoolLimits> = {}) {
    this.#ground = ground
    this.#limits = { ...standardLimits, ...limits }
  }

  /** The answer of a call; `cold` when the plugin cannot stay. */
  async call(key: LineKey, start: Start, call: PluginCall, signal: AbortSignal): Promise<PluginAnswer | 'cold'> {
    const late = new AbortController()
    const timer = this.#ground.clock.after(call.timeoutMs, () => late.abort(new Error('The time of the call is over')))
    const stop = AbortSignal.any([signal, late.signal, this.#closing.signal])
    let slot: Slot | 'cold' | null = null
    try {
      slot = await this.#take(key, start, stop)
      if (slot === null) return failed('too many calls of plugins wait already')
      if (slot === 'cold') return 'cold'
      return await slot.process.call(call, stop)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (this.#closing.signal.aborted) throw new PluginInterrupted('The server stopped while the plugin was called')
      if (late.signal.aborted) return failed(`plugin timed out after ${Math.round(call.timeoutMs / 1000)} seconds`)
      throw error
    } finally {
      timer.cancel()
      // The thread that carries it cannot be stopped: the process takes no more, and is ended when the others are through.
      if (slot !== null && slot !== 'cold') this.#release(slot, stop.aborted)
    }
  }

  /** Ends processes that hold a connection, or belong to a plugin. What they carry is carried to its end. */
  drop(which: (key: LineKey) => boolean): void {
    for (const slot of this.#slots) {
      if (!which(slot.key)) continue
      slot.leaving = true
      if (slot.calls === 0) this.#end(slot)
    }
    for (const plugin of this.#cold.keys()) if (which({ plugin, connection: '' })) this.#cold.delete(plugin)
  }

  async close(): Promise<void> {
    this.#closing.abort(new PluginInterrupted('The server stops'))
    for (const { resolve } of this.#waiting.splice(0)) resolve('cold')
    await Promise.all([...this.#slots].map(({ process }) => process.end(0)))
  }

  async #take(key: LineKey, start: Start, stop: AbortSignal): Promise<Slot | 'cold' | null> {
    stop.throwIfAborted()
    if ((this.#cold.get(key.plugin) ?? 0) > this.#ground.clock.now()) return 'cold'
    const free = this.#free(key)
    if (free) return this.#occupy(free)
    if (this.#mayStart(key)) return this.#whileWanted(this.#begin(key, start), stop)
    if (this.#waiting.length >= this.#limits.queue) return null
    return this.#wait(key, start, stop)
  }

  /** What was begun for a call; one that was called off meanwhile leaves it to others. */
  #whileWanted(begun: Promise<Slot | 'cold'>, stop: AbortSignal): Promise<Slot | 'cold'> {
    const { promise, resolve, reject } = Promise.withResolvers<Slot | 'cold'>()
    const leave = () => reject(stop.reason)
    stop.addEventListener('abort', leave, { once: true })
    begun.then(
      (slot) => {
        stop.removeEventListener('abort', leave)
        if (stop.aborted && slot !== 'cold') this.#release(slot, false)
        resolve(slot)
      },
      (error: unknown) => {
        stop.removeEventListener('abort', leave)
        reject(error)
      },
    )
    return promise
  }

  #wait(key: LineKey, start: Start, stop: AbortSignal): Promise<Slot | 'cold'> {
    const { promise, resolve, reject } = Promise.withResolvers<Slot | 'cold'>()
    const leave = () => {
      const at = this.#waiting.indexOf(waiting)
      if (at >= 0) this.#waiting.splice(at, 1)
      reject(stop.reason)
    }
    const waiting: Waiting = {
      key,
      start,
      resolve(slot) {
        stop.removeEventListener('abort', leave)
        resolve(slot)
      },
    }
    stop.addEventListener('abort', leave, { once: true })
    this.#waiting.push(waiting)
    return promise
  }

  async #begin(key: LineKey, start: Start): Promise<Slot | 'cold'> {
    const line = JSON.stringify([key.plugin, key.connection])
    this.#starting.set(line, (this.#starting.get(line) ?? 0) + 1)
    let process: WarmProcess | null
    try {
      process = await start(this.#closing.signal)
    } finally {
      const left = (this.#starting.get(line) ?? 1) - 1
      if (left > 0) this.#starting.set(line, left)
      else this.#starting.delete(line)
      this.#next()
    }
    if (this.#closing.signal.aborted) {
      await process?.end(0)
      throw this.#closing.signal.reason
    }
    if (process === null) {
      this.#cold.set(key.plugin, this.#ground.clock.now() + coldMs)
      this.#next()
      return 'cold'
    }
    const slot: Slot = { key, process, calls: 1, leaving: false, idle: null }
    this.#slots.add(slot)
    void process.ended.then(() => {
      slot.leaving = true
      slot.idle?.cancel()
      this.#slots.delete(slot)
      this.#next()
    })
    this.#next()
    return slot
  }

  #release(slot: Slot, broken: boolean): void {
    slot.calls -= 1
    slot.leaving ||= broken
    if (slot.calls === 0) {
      if (slot.leaving) this.#end(slot)
      else slot.idle = this.#ground.clock.after(this.#limits.idleMs, () => this.#end(slot))
    }
    this.#next()
  }

  /** Gives waiting calls, oldest first, what there is for them. */
  #next(): void {
    for (const waiting of [...this.#waiting]) {
      const { key } = waiting
      const cold = (this.#cold.get(key.plugin) ?? 0) > this.#ground.clock.now()
      const free = cold ? null : this.#free(key)
      if (!cold && !free && !this.#mayStart(key)) continue
      const at = this.#waiting.indexOf(waiting)
      if (at < 0) continue
      this.#waiting.splice(at, 1)
      if (cold) waiting.resolve('cold')
      else if (free) waiting.resolve(this.#occupy(free))
      else void this.#begin(key, waiting.start).then(waiting.resolve, () => waiting.resolve('cold'))
    }
  }

  #free(key: LineKey): Slot | null {
    const line = this.#line(key).filter(({ calls, leaving }) => !leaving && calls < this.#limits.threads)
    return line.reduce<Slot | null>((best, slot) => (best && best.calls <= slot.calls ? best : slot), null)
  }

  #occupy(slot: Slot): Slot {
    slot.calls += 1
    slot.idle?.cancel()
    slot.idle = null
    return slot
  }

  #mayStart(key: LineKey): boolean {
    if (this.#closing.signal.aborted) return false
    const starting = this.#starting.get(JSON.stringify([key.plugin, key.connection])) ?? 0
    if (this.#line(key).filter(({ leaving }) => !leaving).length + starting >= this.#limits.perLine) return false
    const all = this.#slots.size + [...this.#starting.values()].reduce((sum, count) => sum + count, 0)
    if (all < this.#limits.processes) return true
    // In the order that they were started in; the first idle one has been idle as long as any, near enough.
    const idle = [...this.#slots].find(({ calls }) => calls === 0)
    if (!idle) return false
    this.#end(idle)
    return true
  }

  #line({ plugin, connection }: LineKey): Slot[] {
    return [...this.#slots].filter(({ key }) => key.plugin === plugin && key.connection === connection)
  }

  #end(slot: Slot): void {
    slot.leaving = true
    slot.idle?.cancel()
    this.#slots.delete(slot)
    void slot.process.end(this.#ground.limits.graceMs)
  }
}

export type { PoolLimits, LineKey }
export { WarmPool }
