import type { Clock } from '../../core/kernel/clock.ts'
import type { CodeBusy } from '../../ports/code-storage.ts'

/** Lets a bounded number of things run, and a bounded number wait. */
type Gate = {
  /** Resolves to what gives the place back, once there is one. The error `busy` when too many wait or it takes too long; the signal's reason when aborted. */
  enter(signal?: AbortSignal): Promise<() => void>
}

type GateOptions = { readonly places: number; readonly queue: number; readonly waitMs: number; readonly busy: new (why: string) => CodeBusy }

function createGate(clock: Clock, { places, queue, waitMs, busy: Busy }: GateOptions): Gate {
  let free = places
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
      if (waiting.size >= queue) return Promise.reject(new Busy('too many run already'))
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
        const timer = clock.after(waitMs, () => leave(new Busy('no place became free in time')))
        signal?.addEventListener('abort', aborted, { once: true })
        waiting.add(give)
      })
    },
  }
}

export type { Gate }
export { createGate }
