import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Exit } from '../../../ports/runtime.ts'

/** What names of work look like: they become folder names, so nothing else may pass. */
const namePattern = /^[a-z0-9-]{1,100}$/

/** What the server must know of a piece of work to find, read and end it later. Kept in its folder, written before the supervisor starts. */
type Work = {
  readonly mechanism: string
  /** Random; the supervisor and its helpers carry it in their environment, so that no other process can be taken for them. */
  readonly token: string
  /** The user it runs as, when that is not the server's. */
  readonly uid: number | null
  readonly output_limit: number
  readonly cgroup: string | null
}

/** Who a process is: a pid alone is used again by others. */
type Identity = { readonly pid: number; readonly startTime: string; readonly bootId: string }

/** The paths of one piece of work. Only `task` is ever given to it. */
type Folder = ReturnType<typeof folderOf>

function folderOf(root: string, name: string) {
  const path = join(root, name)
  const task = join(path, 'task')
  return { path, task, code: join(task, 'code'), home: join(task, 'home'), tmp: join(task, 'tmp'), out: join(path, 'out') }
}

/** Makes the folder and all below it. False when it exists already. */
function makeFolder(folder: Folder): boolean {
  try {
    mkdirSync(folder.path, { mode: 0o711 })
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  }
  for (const path of [folder.task, folder.code, folder.home, folder.tmp]) mkdirSync(path, { mode: 0o700 })
  writeFileSync(folder.out, '', { mode: 0o600 })
  return true
}

function writeWork(folder: Folder, work: Work): void {
  writeFileSync(join(folder.path, 'work.json'), JSON.stringify(work), { mode: 0o600 })
}

/** Null when it was not written yet. */
function readWork(folder: Folder): Work | null {
  const text = read(join(folder.path, 'work.json'))
  try {
    return text === null ? null : (JSON.parse(text) as Work) // only this file writes it, in a folder that only the server may enter
  } catch {
    return null
  }
}

/** What the supervisor wrote of itself. `none`: it did not run; `partial`: it died while it wrote, or writes just now. */
function readStarted(folder: Folder): Identity | 'none' | 'partial' {
  const text = read(join(folder.path, 'started'))
  if (text === null) return 'none'
  const [, pid, startTime, bootId] = /^(\d+) (\d+) (\S+)\n$/.exec(text) ?? []
  return pid && startTime && bootId ? { pid: Number(pid), startTime, bootId } : 'partial'
}

/** Who its supervisor is, once it wrote that down. */
function identityOf(folder: Folder): Identity | null {
  const who = readStarted(folder)
  return typeof who === 'string' ? null : who
}

/** How it ended, or null while it has not. */
function readExit(folder: Folder, work: Work): Exit | null {
  const path = join(folder.path, 'exit')
  const text = read(path)
  const status = /^(\d+)\n$/.exec(text ?? '')?.[1]
  if (status === undefined) return null
  const kept = statSync(folder.out, { throwIfNoEntry: false })?.size ?? 0
  const drained = read(join(folder.path, 'dropped'))
  return {
    ...endOf(Number(status)),
    outOfMemory: work.cgroup !== null && /^oom_kill [1-9]/m.test(read(join(work.cgroup, 'memory.events')) ?? ''),
    startedAt: changedAt(join(folder.path, 'started')),
    finishedAt: changedAt(path),
    // What was on its way into the file when it became full is in no count, so this is the least that it can be: up to 128 KiB below the truth.
    outputDropped: Math.max(0, kept - work.output_limit) + (drained === null ? 0 : Math.max(1, Number(drained))),
  }
}

/** The exit of work that vanished: nobody saw its end, and nothing of it is left. */
function unknownExit(folder: Folder, now: number): Exit {
  const startedAt = changedAt(join(folder.path, 'started')) || now
  return { code: null, signal: null, outOfMemory: false, startedAt, finishedAt: now, outputDropped: 0 }
}

/** Moves a folder away under a name that is no work's; what still runs in it finds its files gone. Null when it is gone already. */
function setAside(root: string, name: string, token: string): string | null {
  const aside = join(root, `.aside-${token}`)
  try {
    renameSync(join(root, name), aside)
    return aside
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null
    throw error
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

// A shell tells a death by signal as 128 + its number; a program that ends with such a code by itself cannot be told from it.
function endOf(status: number): { code: number | null; signal: string | null } {
  const signal = status > 128 ? Object.entries(constants.signals).find(([, number]) => number === status - 128)?.[0] : undefined
  return signal ? { code: null, signal } : { code: status, signal: null }
}

function changedAt(path: string): number {
  return Math.round(statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

export type { Work, Identity, Folder }
export { namePattern, folderOf, makeFolder, writeWork, readWork, readStarted, identityOf, readExit, unknownExit, setAside, isCode }
