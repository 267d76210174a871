import { existsSync, watch } from 'node:fs'
import type { Clock } from '../../../core/kernel/clock.ts'
import type { Exit } from '../../../ports/runtime.ts'
import { endLeftovers } from './end.ts'
import type { Folder } from './folder.ts'
import { identityOf, readExit, readWork, unknownExit } from './folder.ts'
import { isAlive, readBoot } from './proc.ts'
import type { Supervisor } from './supervisors.ts'

// How long a supervisor that died without a word can go unnoticed by a server that is not its parent.
const safetyMs = 5_000

export type Watching = {
  /** The supervisor, when this server started it and it has not ended. */
  readonly supervisor: Pick<Supervisor, 'ended'> | null
  readonly clock: Clock
  /** Lets go of what is watched; the answer then never comes. */
  readonly closing: AbortSignal
}

/** How the work in a folder ended, when nothing of it is left. Work whose supervisor was killed gets neither code nor signal. */
export async function endOf(folder: Folder, { supervisor, clock, closing }: Watching): Promise<Exit> {
  const work = readWork(folder)
  const who = identityOf(folder)
  if (!work || !who) return unknownExit(folder, clock.now())
  const told = supervisor ? await supervisor.ended : 'lost'
  if (told === 'lost') await watchFolder(folder, () => !isAlive(who) || readExit(folder, work) !== null, clock, closing)
  const exit = readExit(folder, work)
  if (exit) return exit
  if (who.bootId === readBoot()) await endLeftovers(work, clock)
  return unknownExit(folder, clock.now())
}

// For work whose parent was an earlier server: the exit file comes by a rename, which the folder's watcher hears.
function watchFolder(folder: Folder, isOver: () => boolean, clock: Clock, closing: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (!existsSync(folder.path)) return Promise.resolve()
  let timer = { cancel: () => {} }
  const watcher = watch(folder.path, { persistent: false }, () => look())
  const release = () => {
    timer.cancel()
    watcher.close()
  }
  const look = () => {
    timer.cancel()
    if (!isOver()) {
      timer = clock.after(safetyMs, look)
      return
    }
    release()
    closing.removeEventListener('abort', release)
    resolve()
  }
  watcher.on('error', () => watcher.close())
  closing.addEventListener('abort', release, { once: true })
  look()
  return promise
}
