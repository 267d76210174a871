import type { Log } from '../kernel/log.ts'
import type { StoreBus } from '../../ports/store/store.ts'
import type { ChangeEvent } from '../operation/context.ts'
import type { EventHub } from './event-hub.ts'

const topic = 'event'

type Message = { readonly from: string; readonly event: ChangeEvent }

/** Joins the events of all servers of one store. A hint, as events are: what is lost on the way is seen by the next read. */
function joinServers(events: EventHub, bus: StoreBus, options: { server: string; log: Log }): () => void {
  events.forwardTo((event) => bus.publish(topic, JSON.stringify({ from: options.server, event } satisfies Message)))
  return bus.subscribe(topic, (text) => {
    try {
      const { from, event } = JSON.parse(text) as Message // written by a server of ours
      if (from !== options.server) events.receive(event)
    } catch (error) {
      options.log.warn('event.unreadable', { error })
    }
  })
}

export { joinServers }
