import { sleep } from '../kernel/clock.ts'
import type { Ctx } from '../operation/context.ts'
import type { RunRow } from '../../ports/store/rows.ts'

/** How long a new deploy waits for the end of a deleted one, and how often it looks by itself, because another server may be the one that ends it. */
const longestWaitMs = 20_000
const lookAgainMs = 1000

/**
 * Waits until a deleted task of this name that still ends is gone: its name is free as soon as the delete has answered, but two of one name never run
 * at once (Deploy API §12.4).
 */
async function awaitDeleted(ctx: Ctx, namespace: string, name: string): Promise<void> {
  if (!(await stillEnding(ctx, namespace, name))) return
  const until = ctx.clock.now() + longestWaitMs
  while (ctx.clock.now() < until) {
    const change = nextChange(ctx)
    try {
      const old = await stillEnding(ctx, namespace, name)
      if (!old) return
      await change.of(old.id)
    } finally {
      change.close()
    }
  }
}

async function stillEnding(ctx: Ctx, namespace: string, name: string): Promise<RunRow | null> {
  const old = await ctx.db.runs.activeNamed('task', namespace, name)
  return old && old.deleted_at !== null ? old : null
}

// Listens before the look at the store, so that no end falls between the two.
function nextChange(ctx: Ctx) {
  const done = new AbortController()
  const seen = new Set<string>()
  let wanted: string | null = null
  let wake = () => {}
  const unsubscribe = ctx.services.events.subscribe((event) => {
    if (event.kind !== 'run') return
    seen.add(event.id)
    if (event.id === wanted) wake()
  })
  return {
    of(id: string): Promise<void> {
      wanted = id
      if (seen.has(id)) return Promise.resolve()
      const heard = new Promise<void>((resolve) => {
        wake = resolve
      })
      const timer = sleep(ctx.clock, lookAgainMs, AbortSignal.any([ctx.signal, done.signal])).catch((error: unknown) => {
        if (ctx.signal.aborted) throw error
      })
      return Promise.race([heard, timer])
    },
    close() {
      unsubscribe()
      done.abort()
    },
  }
}

export { awaitDeleted }
