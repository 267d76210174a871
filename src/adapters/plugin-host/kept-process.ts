import { readFileSync, watch } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep } from '../../core/kernel/clock.ts'
import { removeCgroup } from '../runtime/process/cgroup.ts'
import { signalWork } from '../runtime/process/end.ts'
import { identityOf, readExit } from '../runtime/process/folder.ts'
import { carrying, signal } from '../runtime/process/proc.ts'
import { removeTree } from '../runtime/process/remove.ts'
import { endOf } from '../runtime/process/wait.ts'
import { errOf, readStopped, sizeOf, writeStopped } from './kept-folder.ts'
import type { Folder, Identity, Work } from '../runtime/process/folder.ts'
import type { Supervisor } from '../runtime/process/supervisors.ts'
import type { Ground } from './ground.ts'
import type { CallRecord, Stopped } from './kept-folder.ts'
import type { CallEnd } from './message.ts'

/** A call under a supervisor, whoever started that. */
type KeptProcess = {
  readonly record: CallRecord
  /** Resolves when nothing is left of it but what it said. Never after `detach`. */
  readonly ended: Promise<CallEnd & { readonly stopped: Stopped | null }>
  /** The polite signal, patience, the hard one. The first reason counts; whoever comes later can only be in more of a hurry. */
  stop(why: Stopped, graceMs: number): void
  /** Lets it go on by itself. */
  detach(): void
}

type Watched = {
  readonly folder: Folder
  readonly work: Work
  readonly record: CallRecord
  /** The supervisor, when this server has started it. */
  readonly supervisor: Pick<Supervisor, 'ended'> | null
  /** Closes its way out. */
  readonly release: () => void
}

// Between two looks at how much was said.
const lookMs = 100

/** Watches a call to its end: its time, and how much it says. */
function watchCall(ground: Ground, { folder, work, record, supervisor, release }: Watched): KeptProcess {
  const { clock, limits } = ground
  const left = new AbortController()
  const over = new AbortController()
  const hurry = new AbortController()
  const found = readStopped(folder)
  let stopped: Stopped | null = null
  const stop = (why: Stopped, graceMs: number) => {
    if (left.signal.aborted || over.signal.aborted) return
    if (graceMs === 0) hurry.abort()
    if (stopped !== null) return
    stopped = why
    writeStopped(folder, why)
    void endCall(ground, { folder, work, graceMs, hurry: hurry.signal, over: AbortSignal.any([over.signal, left.signal]) })
  }
  const isLarge = () => Math.max(sizeOf(folder.out), sizeOf(errOf(folder))) > limits.outputBytes
  const unwatch = onChange(ground, folder.path, () => isLarge() && stop('large', 0))
  // What has ended while nobody looked has answered, however late.
  const runs = () => readExit(folder, work) === null
  const timer = clock.after(Math.min(Math.max(record.deadline - clock.now(), 0), record.timeout_ms), () => runs() && stop('late', limits.graceMs))
  const rest = () => {
    timer.cancel()
    unwatch()
    release()
  }
  const ended = endOf(folder, { supervisor, clock, closing: left.signal }).then(async ({ code, signal: name }) => {
    if (left.signal.aborted) return new Promise<never>(() => {})
    over.abort()
    rest()
    if (work.cgroup !== null) removeCgroup(work.cgroup)
    const [stdout, stderr] = await Promise.all([textAt(folder.out, 0, limits.outputBytes), tailOf(errOf(folder)), removeTree(folder.task)])
    const why = stopped ?? found ?? (isLarge() ? ('large' as const) : null)
    return { stdout, stderr, code, signal: name, stopped: why }
  })
  // Nobody may be waiting for it just now.
  ended.catch(() => {})
  if (found !== null && runs()) stop(found, limits.graceMs)
  return {
    record,
    ended,
    stop,
    detach() {
      if (over.signal.aborted || left.signal.aborted) return
      left.abort()
      rest()
    },
  }
}

type Ending = Pick<Watched, 'folder' | 'work'> & { readonly graceMs: number; readonly hurry: AbortSignal; readonly over: AbortSignal }

async function endCall({ clock }: Ground, { folder, work, graceMs, hurry, over }: Ending): Promise<void> {
  const who = identityOf(folder)
  if (who === null) return
  const passes = (ms: number, until: AbortSignal) => sleep(clock, ms, until).catch(() => {})
  if (graceMs > 0) {
    await send(folder, { work, who, name: 'SIGTERM' })
    await passes(graceMs, AbortSignal.any([over, hurry]))
  }
  // Again and again: a process that was just being made may have escaped the first time.
  while (!over.aborted) {
    await send(folder, { work, who, name: 'SIGKILL' })
    await passes(200, over)
  }
}

type Sent = { readonly work: Work; readonly who: Identity; readonly name: 'SIGTERM' | 'SIGKILL' }

async function send(folder: Folder, { work, who, name }: Sent): Promise<void> {
  if (work.mechanism !== 'none') return signalWork(who, work, name)
  // Without a process table of its own, its group is asked, and what has left that is known by its mark.
  const group = groupOf(folder)
  if (group !== null) signal(-group, name)
  if (name === 'SIGKILL') for (const pid of carrying([`CAPSTAN_WORK=${work.token}`])) signal(pid, name)
}

function groupOf(folder: Folder): number | null {
  try {
    const group = Number(readFileSync(join(folder.path, 'group'), 'utf8'))
    return Number.isSafeInteger(group) && group > 1 ? group : null
  } catch {
    return null
  }
}

/** Looks when something in a folder changes, and not too often. */
function onChange({ clock, log }: Ground, path: string, look: () => void): () => void {
  let timer: { cancel(): void } | null = null
  const later = () => {
    timer ??= clock.after(lookMs, () => {
      timer = null
      look()
    })
  }
  try {
    const watcher = watch(path, { persistent: false }, later)
    watcher.on('error', () => watcher.close())
    return () => {
      timer?.cancel()
      watcher.close()
    }
  } catch (error) {
    // How much is kept is bounded all the same.
    log.warn('plugin.watch', { error })
    return () => {}
  }
}

const tailBytes = 64 * 1024

function tailOf(path: string): Promise<string> {
  const size = sizeOf(path)
  return textAt(path, Math.max(0, size - tailBytes), tailBytes)
}

async function textAt(path: string, offset: number, bytes: number): Promise<string> {
  const wanted = Math.min(bytes, Math.max(0, sizeOf(path) - offset))
  if (wanted === 0) return ''
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, offset)
  return buffer.toString('utf8', 0, bytesRead)
}

export type { KeptProcess }
export { watchCall }
