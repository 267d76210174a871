import type { Services } from '../operation/services.ts'
import type { ApiKeyRow } from '../../ports/store/rows.ts'

const restMs = 60_000

// Keys whose use is being written: a burst of calls with one key writes it once.
const underWay = new WeakMap<Services, Set<string>>()

/** Notes that a key was used, at most once a minute, without making anybody wait. */
export function touchKey(services: Services, key: ApiKeyRow): void {
  const now = services.clock.now()
  if (key.last_used_at !== null && now - key.last_used_at < restMs) return
  const writing = underWay.get(services) ?? new Set<string>()
  underWay.set(services, writing)
  if (writing.has(key.id)) return
  writing.add(key.id)
  services.store
    .write((tables) => tables.apiKeys.touch(key.id, now))
    .catch((error: unknown) => services.log.debug('api_key.touch_lost', { key: key.id, error }))
    .finally(() => writing.delete(key.id))
}
