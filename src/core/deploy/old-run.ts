import { sleep } from '../kernel/clock.ts'
import { StartError } from '../../ports/runtime.ts'
import type { Services } from '../operation/services.ts'

/** How often to look by itself whether a run has ended, because another server may be the one that ends it. */
const lookAgainMs = 1000

/**
 * Resolves once the run `before` has ended; a start waits for it. Throws `StartError` when the run that waits was cancelled meanwhile. When the server stops
 * it never settles: the wait is no failure, and whoever recovers the run waits again.
 */
async function awaitEnd(services: Services, before: string, waiting: string): Promise<void> {
  const { reader } = services.store
  for (;;) {
    const change = nextChange(services, before)
    try {
      const old = await reader.runs.byId(before)
      if (!old?.active) break
      await change.heard
    } finally {
      change.close()
    }
  }
  const now = await reader.runs.byId(waiting)
  if (now?.cancel) throw new StartError('It was ordered to end before the task of its name that it waited for had ended', { retry: false })
}

// Listens before the look at the store, so that no end falls between the two.
function nextChange({ events, clock, stopping }: Services, id: string) {
  const done = new AbortController()
  const unsubscribe: (() => void)[] = []
  const event = new Promise<void>((resolve) => {
    unsubscribe.push(events.subscribe((it) => it.kind === 'run' && it.id === id && resolve()))
  })
  const timer = sleep(clock, lookAgainMs, AbortSignal.any([done.signal, stopping])).catch(() => new Promise<void>(() => {}))
  return {
    heard: Promise.race([event, timer]),
    close() {
      for (const one of unsubscribe) one()
      done.abort()
    },
  }
}

export { awaitEnd }
