/** Something that was planned and can be called off. */
export type Timer = { cancel(): void }

/** The only source of time in core. Tests hand in one that they move by hand. */
export type Clock = {
  /** Milliseconds since 1970, UTC. */
  now(): number
  /** Calls `work` once after `ms` milliseconds. Does not keep the process alive. */
  after(ms: number, work: () => void): Timer
}

// setTimeout takes 31 bits; a plan for next month is made of several.
const longest = 2_000_000_000

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, work) {
    let timer: NodeJS.Timeout
    const arm = (left: number) => {
      timer = setTimeout(() => (left > longest ? arm(left - longest) : work()), Math.min(Math.max(left, 0), longest))
      timer.unref()
    }
    arm(ms)
    return { cancel: () => clearTimeout(timer) }
  },
}

/** RFC 3339 in UTC with milliseconds; null for no moment. */
export function timestamp(ms: number): string
export function timestamp(ms: number | null | undefined): string | null
export function timestamp(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString()
}

/** Resolves after `ms`, or rejects with the signal's reason when it is aborted first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stop = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    signal?.addEventListener('abort', stop, { once: true })
  })
}
