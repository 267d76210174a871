import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { searchPath } from './environment.ts'
import { superviseScript } from './scripts.ts'

/** A supervisor's process and the two pipes to it: where it is told its work, and where it tells that the work begins. */
type SupervisorChild = { readonly child: ChildProcess; readonly input: Socket; readonly ready: Socket }

/**
 * Starts a supervisor that waits for its work, and ends when the one who started it is gone. The token is in its environment, so that it and its helpers are
 * found by it. Null when no process can be made just now.
 */
function startSupervisor(token: string): SupervisorChild | null {
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
  if (!input || !ready) return null
  input.on('error', () => {}) // it ended before it was told
  ready.on('error', () => {})
  return { child, input, ready }
}

/** Whether the work is about to begin. False when the last process that could tell it is gone: the end of the supervisor may be heard of before that. */
function becomesReady({ ready }: SupervisorChild): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  ready.once('data', () => resolve(true))
  ready.once('close', () => resolve(false))
  return promise
}

export type { SupervisorChild }
export { startSupervisor, becomesReady }
