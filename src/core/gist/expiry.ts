import { Type } from '../kernel/schema.ts'
import type { Services } from '../operation/services.ts'

const minuteMs = 60_000
const chunk = 200

/** How long a gist stays. A thousand years at most, so that its end is a moment that can be written down. */
const LifetimeMember = Type.Integer({ minimum: 0, maximum: 525_600_000, description: 'Minutes until it is gone; for ever when left out.' })

/** When something ends that begins now and stays for so many minutes. */
function expiryOf(now: number, minutes: number): number {
  return now + minutes * minuteMs
}

/** Removes what has expired, in small pieces that hold up nobody. It was not found since then anyway. */
async function pruneGists({ store, clock, stopping }: Services): Promise<number> {
  let removed = 0
  for (let more = true; more; ) {
    const ids = await store.write(async (tables) => {
      const expired = await tables.gists.expired(clock.now(), chunk)
      for (const id of expired) {
        await tables.gists.remove(id)
        await tables.resources.remove(id)
      }
      return expired
    })
    removed += ids.length
    more = ids.length === chunk && !stopping.aborted
  }
  return removed
}

export { LifetimeMember, expiryOf, pruneGists }
