import type { StoreBus } from '../../../ports/store/store.ts'

/** A bus within this process: a SQLite store has one server. Listeners are called after the publisher has gone on. */
export function localBus(onError: (error: unknown) => void): StoreBus {
  const topics = new Map<string, Set<(message: string) => void>>()
  return {
    publish(topic, message) {
      queueMicrotask(() => {
        for (const listener of [...(topics.get(topic) ?? [])]) {
          try {
            listener(message)
          } catch (error) {
            onError(error)
          }
        }
      })
    },
    subscribe(topic, listener) {
      const listeners = topics.get(topic) ?? new Set()
      // One function may be subscribed twice and let go once: each subscription is a function of its own.
      const own = (message: string) => listener(message)
      topics.set(topic, listeners.add(own))
      return () => {
        listeners.delete(own)
        if (listeners.size === 0 && topics.get(topic) === listeners) topics.delete(topic)
      }
    },
  }
}
