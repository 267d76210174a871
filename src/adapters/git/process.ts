import { spawn } from 'node:child_process'
import { readFile, readdir } from 'node:fs/promises'
import type { Readable, Writable } from 'node:stream'
import { sleep } from '../../core/kernel/clock.ts'
import { gitEnvironment } from './environment.ts'
import type { GitConfig, GitHost } from './environment.ts'
import { GitTimeout, GitUnavailable } from '../../ports/git.ts'

/** How a git process ended. `stderr` is cut to a bound and is for the log only. */
type GitExit = { readonly code: number | null; readonly signal: string | null; readonly stderr: string }

/** A running git process, leader of a group of its own. */
type GitProcess = {
  readonly stdin: Writable
  readonly stdout: Readable
  /** Resolves when the process has ended; never rejects. Output may still wait in `stdout`. */
  readonly exited: Promise<GitExit>
  /** Ends the process and all that it started: politely first, so that git removes its locks and temporary files. */
  end(): Promise<GitExit>
}

type StartOptions = { readonly directory: string; readonly extra?: Readonly<Record<string, string>>; readonly config?: GitConfig }

const stderrLimit = 8192
const graceMs = 2000

/** Starts git with an argument vector, the scrubbed environment and the repository as its working folder. */
function startGit(host: GitHost, args: readonly string[], options: StartOptions): GitProcess {
  const child = spawn(host.program, args, {
    cwd: options.directory,
    env: gitEnvironment(host, options.directory, options.extra, options.config),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  let stderr = ''
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    if (stderr.length < stderrLimit) stderr = (stderr + text).slice(0, stderrLimit)
  })
  // A git that ends early closes its input: what was still to be written is not an error of ours.
  child.stdin.on('error', () => {})
  child.stdout.on('error', () => {})
  child.stderr.on('error', () => {})

  let over = false
  const exited = new Promise<GitExit>((resolve) => {
    const ended = async (code: number | null, signal: string | null) => {
      if (over) return
      over = true
      // Its helpers read from the same pipe and would go on without it; until they are gone they may still write to the repository.
      if (signal !== null) await endGroup(host, child.pid)
      // stderr usually follows the exit at once; a helper that keeps it open must not keep us.
      const finish = () => resolve({ code, signal, stderr: stderr.trim() })
      if (child.stderr.readableEnded || child.stderr.destroyed) return finish()
      const timer = host.clock.after(200, finish)
      child.stderr.once('close', () => {
        timer.cancel()
        finish()
      })
    }
    child.once('exit', (code, signal) => void ended(code, signal))
    child.once('error', (error) => {
      stderr += String(error)
      void ended(null, null)
      child.stdout.destroy()
      child.stderr.destroy()
    })
  })

  let ending: Promise<GitExit> | undefined
  const end = () => {
    ending ??= (async () => {
      if (over) {
        child.stdout.destroy()
        return exited
      }
      signalGroup(child.pid, 'SIGTERM')
      const timer = host.clock.after(graceMs, () => signalGroup(child.pid, 'SIGKILL'))
      const exit = await exited
      timer.cancel()
      await endGroup(host, child.pid)
      child.stdin.destroy()
      child.stdout.destroy()
      return exit
    })()
    return ending
  }
  const git: GitProcess = { stdin: child.stdin, stdout: child.stdout, exited, end }
  host.children.add(git)
  void exited.then(() => host.children.delete(git))
  return git
}

// Ends what is left of a group and waits until it is gone. Bounded, because what is stuck in the kernel cannot be waited for.
async function endGroup(host: GitHost, pid: number | undefined): Promise<void> {
  for (let round = 0; round < 200 && signalGroup(pid, 'SIGKILL'); round++) {
    if (pid === undefined || !(await groupLives(pid))) return
    await sleep(host.clock, 5)
  }
}

// The dead stay in their group until somebody reaps them, which in a container may be never: only /proc tells them from the living.
async function groupLives(group: number): Promise<boolean> {
  const names = await readdir('/proc').catch(() => null)
  if (names === null) return true
  const stats = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => readFile(`/proc/${name}/stat`, 'latin1').catch(() => '')))
  return stats.some((stat) => {
    const [state, , processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(processGroup) === group && state !== 'Z' && state !== 'X'
  })
}

/** Whether there was anything to signal. */
function signalGroup(pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(-pid, signal)
  } catch {
    return false
  }
}

type RunOptions = StartOptions & { readonly input?: string | Buffer; readonly timeoutMs?: number; readonly limit?: number }

/** Runs git to its end and gives what it printed. More output than `limit` bytes: `GitUnavailable`; longer than `timeoutMs`: `GitTimeout`. */
async function runGit(host: GitHost, args: readonly string[], options: RunOptions): Promise<{ exit: GitExit; stdout: Buffer }> {
  const git = startGit(host, args, options)
  let late = false
  const timer = host.clock.after(options.timeoutMs ?? host.timeoutMs, () => {
    late = true
    void git.end()
  })
  const limit = options.limit ?? 64 * 1024 * 1024
  const chunks: Buffer[] = []
  let size = 0
  try {
    git.stdin.end(options.input ?? '')
    for await (const chunk of git.stdout as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > limit) throw new GitUnavailable(`git ${args[0]} printed more than ${limit} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    if (!late && error instanceof GitUnavailable) throw error
  } finally {
    timer.cancel()
    if (late || size > limit) await git.end()
  }
  const exit = await git.exited
  if (late) throw new GitTimeout(`git ${args[0]} took longer than ${options.timeoutMs ?? host.timeoutMs} ms`)
  return { exit, stdout: Buffer.concat(chunks) }
}

/** The error for a git that failed, with what it said as the detail for the log. */
function unavailable(what: string, exit: GitExit): GitUnavailable {
  return new GitUnavailable(`${what}: git ended with ${exit.signal ?? exit.code}: ${exit.stderr.slice(0, 1000)}`)
}

export type { GitExit, GitProcess, StartOptions, RunOptions }
export { startGit, runGit, unavailable }
