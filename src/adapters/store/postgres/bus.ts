import type { Client } from 'pg'
import type { Clock } from '../../../core/kernel/clock.ts'
import type { Log } from '../../../core/kernel/log.ts'
import type { StoreBus } from '../../../ports/store/store.ts'
import { localBus } from '../sqlite/bus.ts'

const channel = 'capstan'
// PostgreSQL refuses a notification of 8,000 bytes.
const longestMessage = 7900
const mostUntold = 10_000

type PostgresBus = StoreBus & { close(): Promise<void> }

/**
 * A bus over LISTEN and NOTIFY, on a connection of its own that comes back by itself. What is said while it is away is lost to others, as the port
 * allows; own messages are delivered without the database.
 */
function postgresBus(makeClient: () => Client, options: { id: string; clock: Clock; log: Log }): PostgresBus {
  const { id, clock, log } = options
  const local = localBus((error) => log.error('store.listener_failed', { error }))
  let client: Client | null = null
  let connecting: Promise<void> | null = null
  let closed = false
  let delay = 100

  const connect = async () => {
    const next = makeClient()
    const lost = () => {
      if (client !== next && connecting === null) return
      if (client === next) client = null
      next.removeAllListeners('notification')
      again()
    }
    next.on('error', lost)
    next.on('end', lost)
    next.on('notification', ({ payload }) => deliver(payload))
    try {
      await next.connect()
      await next.query(`listen ${channel}`)
      client = next
      delay = 100
      if (closed) await next.end()
    } catch (error) {
      log.warn('store.bus_unreachable', { error })
      next.end().catch(() => {})
    }
  }

  const begin = () => {
    connecting = connect().finally(() => {
      connecting = null
      if (client === null) again()
    })
  }

  let waiting = false
  const again = () => {
    if (closed || waiting || connecting !== null || client !== null) return
    waiting = true
    clock.after(delay, () => {
      waiting = false
      delay = Math.min(delay * 2, 5000)
      if (!closed) begin()
    })
  }

  const deliver = (payload: string | undefined) => {
    const parts: unknown = payload === undefined ? null : JSON.parse(payload)
    if (!Array.isArray(parts) || parts.length !== 3 || parts[0] === id) return
    local.publish(String(parts[1]), String(parts[2]))
  }

  // One after the other: a connection carries out one statement at a time. Of a backlog that long nobody would hear in time.
  let telling: Promise<unknown> = Promise.resolve()
  let untold = 0
  const say = (topic: string, payload: string) => {
    if (client === null || untold >= mostUntold) return
    untold++
    telling = telling
      .then(() => client?.query({ text: 'select pg_notify($1, $2)', name: 'capstan_notify', values: [channel, payload] }))
      .catch((error: unknown) => log.warn('store.message_lost', { topic, error }))
      .finally(() => untold--)
  }

  begin()
  return {
    publish(topic, message) {
      local.publish(topic, message)
      const payload = JSON.stringify([id, topic, message])
      if (Buffer.byteLength(payload) > longestMessage) {
        log.warn('store.message_too_long', { topic })
        return
      }
      say(topic, payload)
    },
    subscribe: (topic, listener) => local.subscribe(topic, listener),
    async close() {
      closed = true
      await connecting
      await telling
      await client?.end().catch(() => {})
      client = null
    },
  }
}

export type { PostgresBus }
export { postgresBus }
