import type { Clock } from '../../core/kernel/clock.ts'
import { HgBusy } from '../../ports/hg.ts'

/** Lets a bounded number of things run, and a bounded number wait. */
type Gate = {
  /** Resolves to what gives the place back, once there is one. `HgBusy` when too many wait or it takes too long; the signal's reason when aborted. */
  enter(signal?: AbortSignal): Promise<() => void>
}

function createGate(clock: Clock, options: { places: number; queue: number; waitMs: number }): Gate {
  let free = options.places
  const waiting = new Set<() => void>()

  function place(): () => void {
    let held = true
    return () => {
      if (!held) return
      held = false
      const [next] = waiting
      if (next) next()
      else free += 1
    }
  }

  return {
    enter(signal) {
      if (signal?.aborted) return Promise.reject(signal.reason)
      if (free > 0) {
        free -= 1
        return Promise.resolve(place())
      }
      if (waiting.size >= options.queue) return Promise.reject(new HgBusy('too many run already'))
      return new Promise((resolve, reject) => {
        const settle = () => {
          timer.cancel()
          signal?.removeEventListener('abort', aborted)
          waiting.delete(give)
        }
        const give = () => {
          settle()
          resolve(place())
        }
        const leave = (error: unknown) => {
          settle()
          reject(error)
        }
        const aborted = () => leave(signal?.reason)
        const timer = clock.after(options.waitMs, () => leave(new HgBusy('no place became free in time')))
        signal?.addEventListener('abort', aborted, { once: true })
        waiting.add(give)
      })
    },
  }
}

export type { Gate }
export { createGate }
