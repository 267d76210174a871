import type { Clock } from '../../src/core/kernel/clock.ts'

export type ManualClock = Clock & {
  /** Moves time on, and runs what was planned for the meantime in its order. */
  advance(ms: number): void
  /** How many plans wait. */
  readonly planned: number
}

export type MovedClock = Clock & {
  /** Sets it forward, or back, from here on. */
  move(ms: number): void
}

/** The real clock, set to another time: what was planned comes after as long as it was to come. */
export function movedClock(real: Clock): MovedClock {
  let offset = 0
  return {
    now: () => real.now() + offset,
    after: (ms, work) => real.after(ms, work),
    move(ms) {
      offset += ms
    },
  }
}

/** A clock that stands still until a test moves it. */
export function manualClock(start = Date.parse('2027-01-01T00:00:00Z')): ManualClock {
  let now = start
  const plans = new Set<{ at: number; work: () => void }>()
  return {
    now: () => now,
    after(ms, work) {
      const plan = { at: now + ms, work }
      plans.add(plan)
      return { cancel: () => void plans.delete(plan) }
    },
    advance(ms) {
      const until = now + ms
      for (;;) {
        const due = [...plans].filter((plan) => plan.at <= until).sort((a, b) => a.at - b.at)[0]
        if (!due) break
        plans.delete(due)
        now = Math.max(now, due.at)
        due.work()
      }
      now = until
    },
    get planned() {
      return plans.size
    },
  }
}
