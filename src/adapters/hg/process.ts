import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { HgUnavailable } from '../../ports/hg.ts'
import { configArgs, hgEnvironment } from './environment.ts'
import type { HgHost } from './environment.ts'

/** A running hg, leader of a group of its own. */
type HgProcess = {
  readonly stdin: Writable
  readonly stdout: Readable
  /** What it said last on its error output, cut to a bound; for the log only. */
  readonly said: () => string
  /** Resolves to its exit status when it has ended; never rejects. */
  readonly exited: Promise<number | null>
  /** Ends it and all that it started: politely first, so that a change that is under way is rolled back. */
  end(): Promise<void>
}

const mostSaid = 4096
const graceMs = 3000

/** Starts hg with an argument vector, our configuration, the scrubbed environment and our own folder as its working folder. */
function startHg(
  host: HgHost,
  args: readonly string[],
  options: { config?: readonly string[]; extra?: Readonly<Record<string, string>> } = {},
): HgProcess {
  if (host.program === null) throw new HgUnavailable('there is no hg on this machine')
  const child = spawn(host.program, [...configArgs(options.config), ...args], {
    cwd: host.scratch,
    env: hgEnvironment(host, options.extra),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  let said = ''
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    said = (said + text).slice(-mostSaid)
  })
  // One that ends early closes its input: what was still to be written is not an error of ours.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {})

  let over = false
  const exited = new Promise<number | null>((resolve) => {
    const ended = (code: number | null) => {
      over = true
      signalGroup(child.pid, 'SIGKILL')
      resolve(code)
    }
    child.once('exit', ended)
    child.once('error', (error) => {
      said += String(error)
      child.stdout.destroy()
      ended(null)
    })
  })
  let ending: Promise<void> | undefined
  const hg: HgProcess = {
    stdin: child.stdin,
    stdout: child.stdout,
    said: () => said.trim(),
    exited,
    end() {
      ending ??= (async () => {
        if (!over) {
          signalGroup(child.pid, 'SIGTERM')
          const timer = host.clock.after(graceMs, () => signalGroup(child.pid, 'SIGKILL'))
          await exited
          timer.cancel()
        }
        child.stdin.destroy()
        child.stdout.destroy()
      })()
      return ending
    },
  }
  host.children.add(hg)
  void exited.then(() => host.children.delete(hg))
  return hg
}

function signalGroup(pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal)
  } catch {} // it has gone
}

export type { HgProcess }
export { startHg }
