import type { Clock } from '../../core/kernel/clock.ts'
import { GitBusy } from '../../ports/git.ts'

/** Lets a bounded number of exchanges run, and a bounded number wait. */
type Gate = {
  /** Resolves to what gives the place back, once there is one. `GitBusy` when too many wait or it takes too long; the signal's reason when aborted. */
  enter(signal: AbortSignal): Promise<() => void>
}

function createGate(clock: Clock, options: { places: number; queue: number; waitMs: number }): Gate {
  let free = options.places
  const waiting: (() => void)[] = []

  function place(): () => void {
    let held = true
    return () => {
      if (!held) return
      held = false
      const next = waiting.shift()
      if (next) next()
      else free += 1
    }
  }

  return {
    enter(signal) {
      if (signal.aborted) return Promise.reject(signal.reason)
      if (free > 0) {
        free -= 1
        return Promise.resolve(place())
      }
      if (waiting.length >= options.queue) return Promise.reject(new GitBusy('too many git exchanges run already'))
      return new Promise((resolve, reject) => {
        const settle = () => {
          timer.cancel()
          signal.removeEventListener('abort', aborted)
        }
        const give = () => {
          settle()
          resolve(place())
        }
        const leave = (error: unknown) => {
          settle()
          waiting.splice(waiting.indexOf(give), 1)
          reject(error)
        }
        const aborted = () => leave(signal.reason)
        const timer = clock.after(options.waitMs, () => leave(new GitBusy('no place for a git exchange became free in time')))
        signal.addEventListener('abort', aborted, { once: true })
        waiting.push(give)
      })
    },
  }
}

export type { Gate }
export { createGate }
