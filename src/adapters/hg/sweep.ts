import { lstat, readdir, readlink, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { Clock } from '../../core/kernel/clock.ts'
import { endOrphans } from '../code/orphans.ts'
import { marker } from './environment.ts'
import type { HgLog } from './environment.ts'
import { beside } from './storage.ts'

type SweepOptions = {
  readonly root: string
  readonly log: HgLog
  readonly clock: Clock
  /** `alone`: no other server uses this storage, so whatever is unfinished is left over from a crash. `shared`: only what is older than an hour is. */
  readonly storage: 'alone' | 'shared'
}

const sharedAgeMs = 60 * 60 * 1000

/**
 * Puts storage in order after a crash, before anything is served: ends hg processes that outlived the server (alone only) and removes what was half made.
 * A change that was cut off is rolled back when its repository is first asked for its refs. Call it before open pushes are resolved.
 */
async function sweepHg({ root, log, clock, storage }: SweepOptions): Promise<void> {
  // They hear of it by their input, but one in the middle of a change may be slower than the next start.
  const found = (pids: readonly number[]) => log.warn('hg.orphans_ended', { pids })
  if (storage === 'alone') await endOrphans({ marked: `${marker}=${root}`, program: 'python', clock, found })
  const olderThan = storage === 'alone' ? Number.POSITIVE_INFINITY : clock.now() - sharedAgeMs
  for (const name of await readdir(root).catch(() => [])) {
    // The folder of a server that runs is as old as its start.
    if (!name.startsWith(beside.unfinished) && !(storage === 'alone' && name.startsWith(beside.running))) continue
    const path = `${root}/${name}`
    try {
      if ((await stat(path)).mtimeMs >= olderThan) continue
      await rm(path, { recursive: true, force: true })
      log.warn('hg.swept', { path })
    } catch {} // it went by itself
  }
}

/** Whether a change was begun in a repository and is neither finished nor, as far as can be told, at work. */
async function isCutOff(directory: string): Promise<boolean> {
  if (!(await exists(`${directory}/.hg/store/journal`))) return false
  const holder = await readlink(`${directory}/.hg/store/lock`).catch(() => null)
  if (holder === null) return exists(`${directory}/.hg/store/journal`)
  const { host, pid } = /^(?<host>.*):(?<pid>\d+)$/.exec(holder)?.groups ?? {}
  // Of another machine's processes nobody here can tell.
  return host?.split('/')[0] === hostname() && !(await exists(`/proc/${pid}`))
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

export type { SweepOptions }
export { sweepHg, isCutOff, exists }
