import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from '../../core/kernel/clock.ts'
import { openEnvironment, searchPath } from '../runtime/process/environment.ts'
import { folderOf, makeFolder } from '../runtime/process/folder.ts'
import { carrying, identify, signal, withBelow } from '../runtime/process/proc.ts'
import { removeTree } from '../runtime/process/remove.ts'
import { markOfServer } from '../runtime/process/server-mark.ts'
import { marker, writeRecord } from './orphans.ts'
import { prepare, refusal } from './prepare.ts'
import { cgroupScript } from './scripts.ts'
import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Folder } from '../runtime/process/folder.ts'
import type { Ground } from './ground.ts'
import type { Launch } from './prepare.ts'

/** A process of a plugin with all that it starts. */
type Running = {
  readonly child: ChildProcess
  /** The folder that the process may write and the server sees. */
  readonly own: string
  readonly input: Writable
  readonly out: Readable
  readonly err: Readable
  /** Resolves when nothing is left of it. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  /** The polite signal, patience, the hard one; resolves when nothing is left. Harmless when repeated. */
  end(graceMs: number): Promise<void>
}

/** Starts a process of a plugin in its sandbox. Throws `PluginRefused` when it cannot be started. */
async function launch(ground: Ground, what: Launch): Promise<Running> {
  const token = randomBytes(16).toString('hex')
  const folder = folderOf(ground.work, `host-${token.slice(0, 16)}`)
  makeFolder(folder)
  const prepared = await prepare(ground, what, { folder, name: `plugin-${token.slice(0, 16)}` })
  const release = async () => {
    prepared.release()
    await removeTree(folder.path)
  }
  try {
    const { command, environment, cgroup, network } = prepared
    const argv = ground.sandbox.launch(prepared.folder, { command, uid: what.uid, processes: ground.limits.processes, ...network })
    return await begun(ground, {
      folder,
      argv: cgroup === null ? argv : ['/bin/sh', '-c', cgroupScript, 'cgroup', cgroup, ...argv],
      environment,
      token,
      cgroup,
      uid: what.uid,
      release,
    })
  } catch (error) {
    await release()
    throw refusal(error)
  }
}

type Begin = {
  readonly folder: Folder
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly token: string
  readonly cgroup: string | null
  readonly uid: number | null
  release(): Promise<void>
}

async function begun(ground: Ground, { folder, argv, environment, token, cgroup, uid, release }: Begin): Promise<Running> {
  const descriptor = openEnvironment(folder, environment, uid)
  const [program = '', ...args] = argv
  let child: ChildProcess
  try {
    child = spawn(program, args, {
      cwd: '/',
      detached: true,
      env: { PATH: searchPath, [marker]: token },
      stdio: [descriptor, 'pipe', 'pipe', 'pipe', 'pipe'],
    })
  } finally {
    closeSync(descriptor)
  }
  const { promise: ended, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>()
  // Those were made by `pipe`, so they are there, sockets of ours; the fifth is what the process reads.
  const [, out, err, ready, input] = child.stdio as unknown as [null, Readable, Readable, Readable, Writable]
  input.on('error', () => {}) // it may end without reading
  ready.on('error', () => {}).resume()
  const who = child.pid === undefined ? null : identify(child.pid)
  if (who) writeRecord(folder.path, { ...who, token, cgroup, server: markOfServer() })
  let said: Error | null = null
  child.once('error', (error) => {
    said = error
    resolve({ code: null, signal: null })
  })
  child.once('close', (code, name) => {
    if (ground.sandbox.mechanism === 'none') sweep(token, child)
    resolve({ code, signal: name })
  })
  void ended.then(release)
  if (child.pid === undefined) {
    await ended
    throw said ?? new Error('there is no process')
  }
  let ending: Promise<void> | null = null
  const over = new AbortController()
  const hurry = new AbortController()
  void ended.then(() => over.abort())
  const end = async (graceMs: number) => {
    const passes = (ms: number, signal: AbortSignal) => sleep(ground.clock, ms, signal).catch(() => {})
    if (graceMs > 0) {
      ask(child)
      await passes(graceMs, AbortSignal.any([over.signal, hurry.signal]))
    }
    while (!over.signal.aborted) {
      kill(ground, child, token)
      await passes(200, over.signal)
    }
  }
  return {
    child,
    own: folder.home,
    input,
    out,
    err,
    ended,
    end(graceMs) {
      // Who is in a hurry does not wait for the patience of who came before.
      if (graceMs === 0) hurry.abort()
      return (ending ??= end(graceMs))
    },
  }
}

// The launcher of a sandbox takes the whole of it along when it ends: what is inside is asked.
function ask(child: ChildProcess): void {
  const all = withBelow(child.pid ?? 0)
  const inside = all.filter(({ place }) => place === 'inside')
  for (const { pid } of inside.length > 0 ? inside : all) signal(pid, 'SIGTERM')
}

function kill(ground: Ground, child: ChildProcess, token: string): void {
  const all = withBelow(child.pid ?? 0)
  const inside = all.filter(({ place }) => place === 'inside')
  for (const { pid } of inside) signal(pid, 'SIGKILL')
  for (const { pid } of all) signal(pid, 'SIGKILL')
  if (ground.sandbox.mechanism === 'none') sweep(token, child)
}

// Without a process table of its own, what has left the group is known by its mark only.
function sweep(token: string, child: ChildProcess): void {
  for (const pid of carrying([`${marker}=${token}`])) if (pid !== child.pid || child.exitCode === null) signal(pid, 'SIGKILL')
}

/** A name for a file of a process, as the host sees it. */
function inside(running: Running, name: string): string {
  return join(running.own, name)
}

export type { Running }
export { launch, inside }
