import type { GitHost } from './environment.ts'
import { sweepRepository } from './sweep.ts'

/** Knows which repositories are being written by this server. */
type Writers = {
  /** Begins a write; what it gives ends it, and says whether git ended in order. */
  enter(directory: string): Promise<(end: 'in-order' | 'killed') => Promise<void>>
}

type State = { running: number; killed: boolean; sweeping: Promise<void> | null }

// With several servers on one storage a lock may be somebody else's. None is ever held this long by a git that lives.
const lockAgeMs = 10 * 60 * 1000

/**
 * A git that was killed hard leaves its locks behind, and they would refuse every later push. They are removed when the last write of that repository
 * has ended, because until then they may belong to another one of ours; the next write waits for that.
 */
function createWriters(host: GitHost, storage: 'alone' | 'shared'): Writers {
  const states = new Map<string, State>()
  return {
    async enter(directory) {
      let state = states.get(directory)
      for (; state?.sweeping; state = states.get(directory)) await state.sweeping
      if (!state) {
        state = { running: 0, killed: false, sweeping: null }
        states.set(directory, state)
      }
      const mine = state
      mine.running += 1
      return async (end) => {
        mine.running -= 1
        mine.killed ||= end === 'killed'
        if (mine.running > 0) return
        if (mine.killed) {
          const olderThan = storage === 'alone' ? Number.POSITIVE_INFINITY : host.clock.now() - lockAgeMs
          mine.sweeping = sweepRepository(directory, olderThan, host.log).catch((error: unknown) =>
            host.log.warn('git.sweep_failed', { directory, error: String(error) }),
          )
          await mine.sweeping
        }
        states.delete(directory)
      }
    },
  }
}

export type { Writers }
export { createWriters }
