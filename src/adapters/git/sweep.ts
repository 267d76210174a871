import { readdir, rm, stat } from 'node:fs/promises'
import type { Clock } from '../../core/kernel/clock.ts'
import { endOrphans } from '../code/orphans.ts'
import { marker } from './environment.ts'
import type { GitLog } from './environment.ts'
import { unfinished } from './storage.ts'

type SweepOptions = {
  readonly root: string
  readonly log: GitLog
  readonly clock: Clock
  /**
   * `alone`: no other server uses this storage, so whatever is unfinished is left over from a crash. `shared`: only what is older than an hour is, because
   * another server may be at work on the rest.
   */
  readonly storage: 'alone' | 'shared'
}

const sharedAgeMs = 60 * 60 * 1000

/**
 * Puts storage in order after a crash, before anything is served: ends git processes that outlived the server (alone only), removes half-made
 * repositories, abandoned quarantines and stale locks. Call it before open pushes are resolved: afterwards nothing changes refs behind our back.
 */
async function sweep(options: SweepOptions): Promise<void> {
  const { root, log, clock } = options
  // One that had its whole pack already would go on and move refs after we looked.
  const found = (pids: readonly number[]) => log.warn('git.orphans_ended', { pids })
  if (options.storage === 'alone') await endOrphans({ marked: `${marker}=${root}`, program: 'git', clock, found })
  const olderThan = options.storage === 'alone' ? Number.POSITIVE_INFINITY : options.clock.now() - sharedAgeMs
  for (const name of await readdir(options.root).catch(() => [])) {
    const path = `${options.root}/${name}`
    if (name.startsWith(unfinished)) await removeOld(path, olderThan, options.log)
    else if (name.endsWith('.git') && !name.startsWith('.')) await sweepRepository(path, olderThan, options.log)
  }
}

/** Removes what a git that was killed left in one repository: locks, quarantines, unfinished packs. Only what was last written before `olderThan`. */
async function sweepRepository(directory: string, olderThan: number, log: GitLog): Promise<void> {
  const remove = (path: string) => removeOld(`${directory}/${path}`, olderThan, log)
  for (const name of await names(directory)) if (name.endsWith('.lock') || name === 'packed-refs.new') await remove(name)
  for (const name of await names(`${directory}/objects`)) if (/^(tmp_objdir-)?incoming-/.test(name)) await remove(`objects/${name}`)
  for (const name of await names(`${directory}/objects/pack`))
    if (name.startsWith('tmp_') || /\.(lock|keep)$/.test(name)) await remove(`objects/pack/${name}`)
  const folders = ['refs']
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const item of await readdir(`${directory}/${folder}`, { withFileTypes: true }).catch(() => [])) {
      if (item.isDirectory()) folders.push(`${folder}/${item.name}`)
      // No ref may end like this, so it is never one.
      else if (item.name.endsWith('.lock')) await remove(`${folder}/${item.name}`)
    }
  }
}

async function removeOld(path: string, olderThan: number, log: GitLog): Promise<void> {
  try {
    if ((await stat(path)).mtimeMs >= olderThan) return
    await rm(path, { recursive: true, force: true })
    log.warn('git.swept', { path })
  } catch {} // it went by itself
}

function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}

export type { SweepOptions }
export { sweep, sweepRepository }
