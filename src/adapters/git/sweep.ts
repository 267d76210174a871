import { readFile, readdir, readlink, rm, stat } from 'node:fs/promises'
import type { Clock } from '../../core/kernel/clock.ts'
import { sleep } from '../../core/kernel/clock.ts'
import { marker } from './environment.ts'
import type { GitLog } from './environment.ts'
import { beside } from './storage.ts'

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
  if (options.storage === 'alone') await endOrphans(options)
  const olderThan = options.storage === 'alone' ? Number.POSITIVE_INFINITY : options.clock.now() - sharedAgeMs
  for (const name of await readdir(options.root).catch(() => [])) {
    const path = `${options.root}/${name}`
    if (name.startsWith(beside.unfinished)) await removeOld(path, olderThan, options.log)
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

// A server that is killed cannot end its children. One that had its whole pack already would go on and move refs after we looked. They are known by a
// variable that only our children have; where /proc does not exist, their input has ended and they end by themselves.
async function endOrphans(options: SweepOptions): Promise<void> {
  const ours = `${marker}=${options.root}`
  for (let round = 0; round < 500; round++) {
    const orphans: number[] = []
    for (const name of await names('/proc')) {
      if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
      const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '')
      if (environment.split('\0').includes(ours) && (await readlink(`/proc/${name}/exe`).catch(() => '')).includes('git')) orphans.push(Number(name))
    }
    if (orphans.length === 0) return
    if (round === 0) options.log.warn('git.orphans_ended', { pids: orphans })
    for (const pid of orphans) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {} // it ended by itself
    }
    await sleep(options.clock, 10)
  }
}

export type { SweepOptions }
export { sweep, sweepRepository }
