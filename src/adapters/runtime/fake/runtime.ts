import type { Clock, Timer } from '../../../core/kernel/clock.ts'
import { StartError } from '../../../ports/runtime.ts'
import type { Exit, FakeKnobs, Handle, Recovered, Runtime, Started, Work } from '../../../ports/runtime.ts'

type FakeOptions = {
  readonly clock: Clock
  /** Knobs of work that brings none of its own; a member that the work sets wins. */
  readonly knobs?: FakeKnobs
  /**
   * What becomes of running work at `close()`, as seen by a `recover` of the same object afterwards. `survives`: it ran on, as under a supervisor.
   * `lost`: it is gone without a trace of its end, as when the host went down. Ended work keeps its exit either way.
   */
  readonly afterClose?: 'survives' | 'lost'
}

type Entry = {
  readonly work: Work
  readonly handle: Handle
  readonly startedAt: number
  readonly output: Uint8Array
  readonly dropped: number
  state: 'running' | 'ended' | 'gone'
  exit: Exit | null
  timer: Timer | null
  /** Called once when it ends; made only when somebody waits, because most work here ends before anybody could. */
  listeners: ((exit: Exit) => void)[]
}

const nothing = new Uint8Array()

/** A driver that runs nothing: work "takes" as long and ends as its knobs say. For tests and benchmarks of the engine. */
function createFakeRuntime(options: FakeOptions): Runtime {
  const { clock } = options
  const entries = new Map<string, Entry>()
  const afterClose = options.afterClose ?? 'survives'

  const finish = (entry: Entry, state: 'ended' | 'gone', code: number | null, signal: string | null): void => {
    if (entry.state !== 'running') return
    entry.timer?.cancel()
    entry.state = state
    entry.exit = { code, signal, outOfMemory: false, startedAt: entry.startedAt, finishedAt: clock.now(), outputDropped: entry.dropped }
    for (const listener of entry.listeners) listener(entry.exit)
    entry.listeners = []
  }

  const begin = (work: Work): Entry => {
    const knobs = { ...options.knobs, ...work.fake }
    if (knobs.behaviour === 'refuse') throw new StartError('This work is refused, as its knobs ask for.', { retry: false })
    const { kept, dropped } = cut(knobs.output, work.outputLimit)
    const handle = { name: work.name, runtime: 'fake', data: {} }
    const entry: Entry = { work, handle, startedAt: clock.now(), output: kept, dropped, state: 'running', exit: null, timer: null, listeners: [] }
    const end = () => (knobs.behaviour === 'crash' ? finish(entry, 'gone', null, null) : finish(entry, 'ended', exitCode(work.name, knobs), null))
    entries.set(work.name, entry)
    if (knobs.behaviour === 'hang') return entry
    if ((knobs.durationMs ?? 0) <= 0) end()
    else entry.timer = clock.after(knobs.durationMs ?? 0, end)
    return entry
  }

  const ended = (name: string): Promise<Exit> | Exit => {
    const entry = entries.get(name)
    if (!entry) return { code: null, signal: null, outOfMemory: false, startedAt: clock.now(), finishedAt: clock.now(), outputDropped: 0 }
    return entry.exit ?? new Promise((resolve) => entry.listeners.push(resolve))
  }

  return {
    name: 'fake',
    capabilities: { survivesServer: afterClose === 'survives', code: true, images: true, builds: false, limits: true, isolated: true },

    async unavailable() {
      return null
    },

    async start(work): Promise<Started> {
      const entry = entries.get(work.name) ?? begin(work)
      return { handle: entry.handle, exit: entry.exit, warning: null }
    },

    async recover(name): Promise<Recovered> {
      const entry = entries.get(name)
      if (!entry) return { found: 'never_started' }
      if (entry.state === 'gone') return { found: 'gone' }
      return entry.exit ? { found: 'ended', handle: entry.handle, exit: entry.exit } : { found: 'running', handle: entry.handle }
    },

    async wait(handle, { signal }) {
      signal.throwIfAborted()
      const exit = ended(handle.name)
      return exit instanceof Promise ? orAborted(exit, signal) : exit
    },

    async stop(handle) {
      const entry = entries.get(handle.name)
      if (entry) finish(entry, 'ended', null, 'SIGTERM')
    },

    async *output(handle, { offset, signal }) {
      const entry = entries.get(handle.name)
      if (!entry) return
      if (offset < entry.output.length) yield entry.output.subarray(offset)
      const exit = ended(handle.name)
      if (exit instanceof Promise) await orAborted(exit, signal)
    },

    async remove(name) {
      const entry = entries.get(name)
      if (entry) finish(entry, 'ended', null, 'SIGKILL')
      entries.delete(name)
    },

    async list() {
      return [...entries.keys()]
    },

    async close() {
      if (afterClose === 'survives') return
      for (const entry of entries.values()) {
        entry.listeners = [] // whoever waited is gone with the server
        finish(entry, 'gone', null, null)
      }
    },
  }
}

function cut(output: string | undefined, limit: number): { kept: Uint8Array; dropped: number } {
  if (!output) return { kept: nothing, dropped: 0 }
  const bytes = new TextEncoder().encode(output)
  return { kept: bytes.subarray(0, limit), dropped: Math.max(0, bytes.length - limit) }
}

// Names end with the number of the attempt.
function exitCode(name: string, knobs: FakeKnobs): number {
  const attempt = Number(/-(\d+)$/.exec(name)?.[1] ?? 1)
  return attempt <= (knobs.failFirst ?? 0) ? 1 : (knobs.exitCode ?? 0)
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const stop = () => reject(signal.reason)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', stop))
}

export type { FakeOptions }
export { createFakeRuntime }
