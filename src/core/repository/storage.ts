import { everyStorage, storageOf } from './code.ts'
import type { Ctx } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { CodeStorage } from '../../ports/code-storage.ts'

const batch = 200

/**
 * Brings storage and rows together after a crash, at start: storage that no row stands for (a creation that did not come to its end) is removed, that of
 * deleted repositories is set aside. With several servers over one storage give an age: another one may be in the middle of a creation.
 */
async function sweepRepositories(services: Services, options: { olderThanMs?: number } = {}): Promise<{ removed: number; setAside: number }> {
  const count = { removed: 0, setAside: 0 }
  for (const storage of everyStorage(services)) await sweepStorage(services, storage, options, count)
  if (count.removed + count.setAside > 0) services.log.info('repository.swept', count)
  return count
}

async function sweepStorage(
  services: Services,
  storage: CodeStorage,
  options: { olderThanMs?: number },
  count: { removed: number; setAside: number },
): Promise<void> {
  const { store, log } = services
  const newest = services.clock.now() - (options.olderThanMs ?? 0)
  const ids = await storage.list()
  for (let at = 0; at < ids.length; at += batch) {
    const some = ids.slice(at, at + batch)
    const rows = new Map((await store.reader.resources.byIds(some)).map((row) => [row.id, row]))
    for (const id of some) {
      const row = rows.get(id)
      if (row?.deleted_at === null) continue
      if (row) {
        await storage.setAside(id)
        count.setAside++
      } else if (madeAt(id) <= newest) {
        await discardStorage({ services, log }, id)
        count.removed++
      }
    }
  }
}

/** Erases for good what was deleted before a moment: the storage that was kept aside, and then the row. Gives how many; to be called now and then. */
async function purgeKeptAside(services: Services, before: number): Promise<number> {
  const { store } = services
  let purged = 0
  for (;;) {
    const rows = await store.reader.resources.deletedBefore('repository', before, batch)
    let left = 0
    for (const row of rows) {
      try {
        await storageOf(services, row).setAside(row.id)
        await storageOf(services, row).purge(row.id)
        await store.write((tables) => tables.resources.remove(row.id))
        purged++
      } catch (error) {
        left++
        services.log.warn('repository.not_purged', { repository: row.id, error })
      }
    }
    if (rows.length < batch || left > 0) return purged
  }
}

// The first 48 bits of an id are the time of its making. Storage of another form of name is as old as can be.
function madeAt(id: string): number {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(id) ? Number.parseInt(id.replace('-', '').slice(0, 12), 16) : 0
}

/** Removes storage that no row stands for. What cannot be removed now is found by the sweep of the next start. */
async function discardStorage(ctx: Pick<Ctx, 'services' | 'log'>, id: string): Promise<void> {
  try {
    for (const storage of everyStorage(ctx.services)) {
      await storage.setAside(id)
      await storage.purge(id)
    }
  } catch (error) {
    ctx.log.warn('repository.storage_left', { repository: id, error })
  }
}

export { sweepRepositories, purgeKeptAside, discardStorage }
