import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { ownProgram } from '../../../core/kernel/own-file.ts'
import type { Clock } from '../../../core/kernel/clock.ts'
import { StartError } from '../../../ports/runtime.ts'
import { searchPath } from './environment.ts'
import { saidOf, textOf } from './spawner-words.ts'
import type { Order, Said } from './spawner-words.ts'
import { becomesReady, startSupervisor } from './supervisor-child.ts'

/** A supervisor that has no work yet. */
type Supervisor = {
  readonly token: string
  /** False once it has ended. */
  alive(): boolean
  /** Tells it the folder of its work, and what that reads on descriptor 4. */
  give(folder: string, message?: string): void
  /** Whether the work is about to begin: false when it ended before. */
  readonly ready: Promise<boolean>
  /** Its end; `lost` when nobody is left who would hear of it, while it may go on. */
  readonly ended: Promise<'ended' | 'lost'>
  /** Lets it go: with its work, or to end without. */
  dismiss(): void
}

// So long without a start, and the memory of the spawner is given back.
const idleMs = 60_000

/**
 * Supervisors, one of them started ahead, so that the making of a process is over by the time the work comes. They are started by a small process of ours as
 * soon as that runs, because it takes a large one milliseconds in which it does nothing else; until then the server starts them itself. A waiting one
 * ends by itself when its server is gone.
 */
class Supervisors {
  readonly #clock: Clock
  #waiting: Supervisor | null = null
  #spawner: Spawner | null = null
  #idle = { cancel: () => {} }
  #closed = false

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock
  }

  /** One for a piece of work. Throws `StartError` when no process can be made just now. */
  take(): Supervisor {
    const waiting = this.#waiting
    this.#waiting = null
    return waiting?.alive() ? waiting : this.#begin()
  }

  /** Starts the next one ahead; called when a piece of work is on its way. */
  prepare(): void {
    if (this.#waiting || this.#closed) return
    try {
      this.#waiting = this.#begin()
    } catch {} // Whoever needs one is told why there is none.
  }

  close(): void {
    this.#closed = true
    this.#idle.cancel()
    this.#waiting?.dismiss()
    this.#waiting = null
    this.#spawner?.close()
  }

  #begin(): Supervisor {
    this.#idle.cancel()
    this.#idle = this.#clock.after(idleMs, () => this.#rest())
    if (this.#spawner?.state === 'ended' || this.#spawner === null) this.#spawner = this.#closed ? null : Spawner.start()
    const token = randomBytes(16).toString('hex')
    return this.#spawner?.state === 'up' ? this.#spawner.begin(token) : directly(token)
  }

  #rest(): void {
    this.#waiting?.dismiss()
    this.#waiting = null
    if (this.#spawner?.isBusy) this.#idle = this.#clock.after(idleMs, () => this.#rest())
    else this.#spawner?.close()
  }
}

/** One that the server starts itself. Throws `StartError` when no process can be made just now. */
function directly(token: string): Supervisor {
  const made = startSupervisor(token)
  if (made === null) throw new StartError('The process cannot be started just now. An operator finds the cause in the log.', { retry: true })
  const { child, input, ready } = made
  const end = ending()
  child.once('exit', () => end.tell('ended'))
  child.once('error', () => end.tell('ended'))
  for (const held of [child, input, ready]) held.unref()
  return {
    token,
    alive: () => !end.isOver,
    give(folder, message = '') {
      ready.ref() // whoever waits for the word is not to end before
      input.end(`${folder}\n${message}`)
    },
    ready: becomesReady(made),
    ended: end.promise,
    dismiss() {
      input.destroy()
      ready.destroy()
    },
  }
}

type Ending = { readonly promise: Promise<'ended' | 'lost'>; isOver: boolean; tell(how: 'ended' | 'lost'): void }

function ending(): Ending {
  const { promise, resolve } = Promise.withResolvers<'ended' | 'lost'>()
  return {
    promise,
    isOver: false,
    tell(how) {
      this.isOver = true
      resolve(how)
    },
  }
}

/** The small process that starts supervisors, as the server sees it. When it is gone, what it started goes on, and the end of that is found in other ways. */
class Spawner {
  state: 'starting' | 'up' | 'failed' | 'ended' = 'starting'
  readonly #input: Socket
  readonly #output: Socket
  /** Who is told whether the work begins, and of its supervisor's end: either may be heard of first. */
  readonly #undecided = new Map<string, (ready: boolean) => void>()
  readonly #working = new Map<string, Ending>()
  #rest = ''

  /** Null when no process can be made just now. */
  static start(): Spawner | null {
    const child = spawn(process.execPath, ['--max-semi-space-size=1', ownProgram('adapters/runtime/process/spawner')], {
      cwd: '/',
      detached: true,
      env: { PATH: searchPath },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    child.on('error', () => {}) // told by its pipes, which are closed then
    child.unref()
    const [input, output] = (child.stdio ?? []) as (Socket | null)[]
    return input && output ? new Spawner(input, output) : null
  }

  constructor(input: Socket, output: Socket) {
    this.#input = input
    this.#output = output
    for (const pipe of [input, output]) pipe.on('error', () => {}).unref()
    output.setEncoding('utf8')
    output.on('data', (text: string) => this.#hear(text))
    output.on('close', () => this.#lost())
  }

  get isBusy(): boolean {
    return this.#undecided.size > 0
  }

  begin(token: string): Supervisor {
    const ready = Promise.withResolvers<boolean>()
    const end = ending()
    this.#undecided.set(token, ready.resolve)
    this.#working.set(token, end)
    this.#tell({ what: 'begin', token })
    return {
      token,
      alive: () => !end.isOver,
      give: (folder, message) => {
        this.#output.ref() // whoever waits for the word is not to end before
        this.#tell({ what: 'give', token, folder, ...(message === undefined ? {} : { message }) })
      },
      ready: ready.promise,
      ended: end.promise,
      dismiss: () => {
        if (this.#undecided.has(token)) this.#tell({ what: 'release', token })
      },
    }
  }

  /** It begins nothing more. */
  close(): void {
    this.state = 'ended'
    this.#input.end()
  }

  #tell(order: Order): void {
    if (this.#input.writable) this.#input.write(textOf(order))
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#heard(saidOf(line))
  }

  #heard({ what, token }: Said): void {
    switch (what) {
      case 'up':
        this.state = 'up'
        return
      case 'ended':
        this.#working.get(token)?.tell('ended')
        this.#working.delete(token)
        return
      default:
        this.#undecided.get(token)?.(what === 'ready')
        this.#undecided.delete(token)
        if (!this.isBusy) this.#output.unref()
    }
  }

  // One that never came up is not tried again: something is in its way that stays there.
  #lost(): void {
    this.state = this.state === 'starting' ? 'failed' : 'ended'
    for (const decide of this.#undecided.values()) decide(false)
    for (const end of this.#working.values()) end.tell('lost')
    this.#undecided.clear()
    this.#working.clear()
  }
}

export type { Supervisor }
export { Supervisors, directly }
