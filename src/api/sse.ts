import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Clock, Timer } from '../core/kernel/clock.ts'

/** One message of a stream of server-sent events. */
type ServerSentEvent = { readonly id?: string; readonly event?: string; readonly data: unknown }

const pingAfterMs = 15_000

/**
 * Answers with server-sent events: headers at once, a comment every 15 s so that proxies and clients see it is alive, and an end when `items` end.
 * `items` must end when the reply's signal (`signalOf`) is aborted.
 */
function sendEvents(reply: FastifyReply, items: AsyncIterable<ServerSentEvent>, clock: Clock): FastifyReply {
  reply.header('content-type', 'text/event-stream; charset=utf-8')
  reply.header('x-accel-buffering', 'no')
  return reply.send(Readable.from(lines(items, clock), { objectMode: false, highWaterMark: 64 * 1024 }))
}

/** Aborted when the client has gone before the answer was complete, or the server stops. */
function signalOf(reply: FastifyReply, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController()
  const stop = () => gone.abort(stopping.reason)
  if (stopping.aborted) stop()
  stopping.addEventListener('abort', stop, { once: true })
  reply.raw.once('close', () => {
    stopping.removeEventListener('abort', stop)
    gone.abort(new Error('The client has gone'))
  })
  return gone.signal
}

async function* lines(items: AsyncIterable<ServerSentEvent>, clock: Clock): AsyncGenerator<string> {
  const iterator = items[Symbol.asyncIterator]()
  try {
    yield 'retry: 2000\n\n'
    let next = iterator.next()
    for (;;) {
      const item = await orPing(next, clock)
      if (item === 'ping') {
        yield ': ping\n\n'
        continue
      }
      if (item.done) return
      yield textOf(item.value)
      next = iterator.next()
    }
  } finally {
    await iterator.return?.()
  }
}

async function orPing<T>(next: Promise<T>, clock: Clock): Promise<T | 'ping'> {
  let timer: Timer | undefined
  const ping = new Promise<'ping'>((resolve) => {
    timer = clock.after(pingAfterMs, () => resolve('ping'))
  })
  try {
    return await Promise.race([next, ping])
  } finally {
    timer?.cancel()
  }
}

// JSON has no line ends of its own, so one `data:` line holds all of it.
function textOf({ id, event, data }: ServerSentEvent): string {
  return `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`
}

export type { ServerSentEvent }
export { sendEvents, signalOf }
