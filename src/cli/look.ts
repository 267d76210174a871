import { followEvents } from './client.ts'
import { CommandFailure, ServerUnreachable } from './exit.ts'
import { isObject } from '../core/kernel/json.ts'
import type { Server } from './client.ts'
import type { Terminal } from './terminal.ts'

type LookOptions<T> = {
  readonly server: Server
  readonly signal: AbortSignal
  /** Reads how things stand; null: not yet. */
  readonly look: () => Promise<T | null>
  /** Whether what was seen goes over into something else without a word, as a start does: then it is looked at again soon. */
  readonly passing?: () => boolean
}

const kinds: ReadonlySet<string> = new Set(['run', 'workload', 'reset'])
// Between two looks, however fast things change.
const restMs = 150
// Between two looks when nothing is heard, and where nothing can be heard: whoever may read a thing by its id may still not hear of changes.
const quietMs = 5000
const deafMs = 500
// A server that is started again is back long before.
const patience = 30

/** What `look` gives, as soon as it gives something: it is asked at once and after every change. A server that is away for some seconds is waited for. */
async function lookUntil<T>({ server, signal, look, passing = () => false }: LookOptions<T>): Promise<T> {
  const stop = new AbortController()
  const both = AbortSignal.any([signal, stop.signal])
  const bell = new Bell()
  const heard = listen(server, both, bell)
  let away = 0
  let answered = false
  try {
    for (;;) {
      bell.silence()
      try {
        const seen = await look()
        if (seen !== null) return seen
        answered = true
        away = 0
      } catch (error) {
        signal.throwIfAborted()
        const mayReturn = error instanceof ServerUnreachable || (error instanceof CommandFailure && error.exit === 'tryLater')
        if (!answered || !mayReturn || ++away > patience) throw error
      }
      await pause(restMs, both)
      await bell.rung(away > 0 || !bell.hears || passing() ? deafMs : quietMs, both)
    }
  } finally {
    stop.abort()
    await heard
  }
}

/** Rings when something may have changed. */
class Bell {
  hears = false
  #rang = false
  #wake: () => void = () => {}

  ring(): void {
    this.#rang = true
    this.#wake()
  }

  silence(): void {
    this.#rang = false
  }

  async rung(withinMs: number, signal: AbortSignal): Promise<void> {
    if (this.#rang) return
    const enough = new AbortController()
    this.#wake = () => enough.abort()
    // The bell ends the pause; an interruption does, too, and is thrown.
    await pause(withinMs, AbortSignal.any([signal, enough.signal])).catch(() => signal.throwIfAborted())
  }
}

async function listen(server: Server, signal: AbortSignal, bell: Bell): Promise<void> {
  const onOpen = () => {
    bell.hears = true
    // What happened before it was open is not heard.
    bell.ring()
  }
  while (!signal.aborted) {
    try {
      for await (const { event } of followEvents(server, '/api/v1/events', { signal, onOpen })) if (kinds.has(event)) bell.ring()
    } catch (error) {
      if (signal.aborted) return
      // Not for this caller: looking now and then has to do.
      if (error instanceof CommandFailure && ['notSignedIn', 'refused'].includes(error.exit)) return
    }
    bell.hears = false
    await pause(1000, signal).catch(() => {})
  }
}

/** Resolves after some time; rejects with the signal's reason when that is aborted first. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** Runs something that Ctrl-C may end; `left` is what is said then. */
function interruptible<T>(terminal: Terminal, left: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return terminal.interruptible(async (signal) => {
    try {
      return await work(signal)
    } catch (error) {
      if (signal.aborted) throw new CommandFailure('interrupted', left)
      throw error
    }
  })
}

const badEnds: Readonly<Record<string, string>> = { failed: 'has failed', timed_out: 'has timed out', lost: 'was lost', cancelled: 'was cancelled' }

/** Fails as something ended that did not succeed, so that a script that waited for it can tell; nothing when it did. */
function endAs(what: string, output: unknown): void {
  const { state, reason = null } = isObject(output) ? output : {}
  const how = typeof state === 'string' && Object.hasOwn(badEnds, state) ? badEnds[state] : undefined
  if (how === undefined) return
  throw new CommandFailure(state === 'cancelled' ? 'cancelled' : 'endedBadly', `${what} ${how}${typeof reason === 'string' ? ` (${reason})` : ''}.`)
}

export { lookUntil, pause, interruptible, endAs }
