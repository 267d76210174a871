import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { StartError } from '../../../ports/runtime.ts'
import { searchPath } from './environment.ts'
import { superviseScript } from './scripts.ts'

/** A supervisor that has no work yet. The token is in its environment, so that it and its helpers are found by it. */
type Supervisor = { readonly child: ChildProcess; readonly token: string; readonly input: Socket; readonly ready: Socket }

/**
 * Supervisors, one of them started ahead: to make a process takes a large server milliseconds in which it does nothing else, and that is over by the time
 * the work comes. A waiting one ends by itself when its server is gone.
 */
class Supervisors {
  #waiting: Supervisor | null = null
  #closed = false

  /** One for a piece of work. Throws `StartError` when no process can be made just now. */
  take(): Supervisor {
    const waiting = this.#waiting
    this.#waiting = null
    const alive = waiting !== null && waiting.child.exitCode === null && waiting.child.signalCode === null
    const taken = alive ? waiting : begin()
    taken.child.ref()
    taken.ready.ref()
    return taken
  }

  /** Starts the next one ahead; called when a piece of work is on its way. */
  prepare(): void {
    if (this.#waiting || this.#closed) return
    try {
      const made = begin()
      made.child.unref()
      made.ready.unref()
      this.#waiting = made
    } catch {} // Whoever needs one is told why there is none.
  }

  /** Lets one go: with its work, or to end without. */
  dismiss({ child, input, ready }: Supervisor): void {
    input.destroy()
    ready.destroy()
    child.unref()
  }

  close(): void {
    this.#closed = true
    if (this.#waiting) this.dismiss(this.#waiting)
    this.#waiting = null
  }
}

function begin(): Supervisor {
  const token = randomBytes(16).toString('hex')
  const child = spawn('/bin/sh', ['-c', superviseScript, 'capstan-work'], {
    cwd: '/',
    detached: true,
    env: { PATH: searchPath, CAPSTAN_SUPERVISOR: token },
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  })
  // Why there is none is told by its pipe, which is closed then.
  child.on('error', () => {})
  // Where there are no files to be opened any more, there is no list of them either. Those that are there were made by `pipe`: sockets of ours.
  const [input, , , ready] = (child.stdio ?? []) as (Socket | null)[]
  if (!input || !ready) throw new StartError('The process cannot be started just now. An operator finds the cause in the log.', { retry: true })
  input.on('error', () => {}) // it ended before it was told
  ready.on('error', () => {})
  input.unref()
  return { child, token, input, ready }
}

export type { Supervisor }
export { Supervisors }
