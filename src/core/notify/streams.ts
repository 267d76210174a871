import { Closed, Type } from '../kernel/schema.ts'
import { defineStream } from '../operation/stream.ts'
import { isSignedIn, viewerOf } from '../identity/principal.ts'
import { isKind } from '../resource/kind.ts'
import { heldOn } from '../access/held.ts'
import type { Ctx } from '../operation/context.ts'
import type { NumberedEvent } from './event-hub.ts'

/** A change, or the word that some were missed and everything should be read anew. */
export type FollowedEvent = { readonly id: string; readonly event: NumberedEvent | null }

const mostBehind = 5000

/** Changes of everything that the caller may read, as they happen. */
export const eventStream = defineStream({
  name: 'event.follow',
  summary: 'What changes, as it changes.',
  input: Closed({ since: Type.Optional(Type.String({ maxLength: 100, description: 'Id of the last event seen.' })) }),
  access: 'signed-in',
  subjects: {},
  run: (ctx, input) => followEvents(ctx, input.since),
})

async function* followEvents(ctx: Ctx, since: string | undefined): AsyncGenerator<FollowedEvent> {
  const { events } = ctx.services
  const queue: NumberedEvent[] = []
  let missed = false
  let wake: () => void = () => {}
  const unsubscribe = events.subscribe((event) => {
    // Who reads more slowly than things change is told to begin anew, and does not fill the memory.
    if (queue.length >= mostBehind) missed = true
    else queue.push(event)
    wake()
  })
  const stop = () => wake()
  ctx.signal.addEventListener('abort', stop, { once: true })
  try {
    if (since !== undefined) {
      const [epoch = '', sequence = ''] = since.split(/-(?=\d+$)/)
      const earlier = events.since(epoch, Number(sequence))
      if (earlier) queue.unshift(...earlier)
      else missed = true
    }
    while (!ctx.signal.aborted) {
      if (missed) {
        missed = false
        queue.length = 0
        yield { id: `${events.epoch}-0`, event: null }
      }
      const event = queue.shift()
      if (event) {
        if (await mayHear(ctx, event)) yield { id: `${events.epoch}-${event.sequence}`, event }
        continue
      }
      await new Promise<void>((resolve) => {
        wake = resolve
        if (ctx.signal.aborted || queue.length > 0 || missed) resolve()
      })
    }
  } finally {
    ctx.signal.removeEventListener('abort', stop)
    unsubscribe()
  }
}

async function mayHear(ctx: Ctx, event: NumberedEvent): Promise<boolean> {
  const { principal } = ctx
  if (principal.administrator || (event.user_id && event.user_id === principal.id && isSignedIn(principal))) return true
  if (!event.resource_id) return false
  const row = await ctx.db.resources.byId(event.resource_id)
  if (!row || !isKind(row.kind)) return false
  const { level } = await heldOn(ctx.db, row, viewerOf(principal))
  return level !== 'none'
}
