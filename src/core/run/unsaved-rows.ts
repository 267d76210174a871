import { isEnd } from '../kernel/run-state.ts'
import { sizeOf } from './outcome.ts'
import type { StepRow } from '../../ports/store/rows.ts'
import type { StepTable } from '../../ports/store/runs.ts'

/** The rows of one run as they are now, also those that are only on their way to the store. */
type StepReader = {
  one(key: string): Promise<StepRow | null>
  /** In order of position. */
  all(): Promise<StepRow[]>
}

/** What is remembered of rows that were read: so many, with outputs of at most so many characters. */
const mostRecent = 16
const smallOutput = 4096

/**
 * Rows of a run whose write was begun and is not durable yet. Steps that take no time and change nothing outside go on without waiting for the disk: what
 * a crash takes from them is done again.
 */
class UnsavedRows implements StepReader {
  readonly #runId: string
  readonly #steps: () => StepTable
  readonly #rows = new Map<string, StepRow>()
  readonly #recent = new Map<string, StepRow>()

  constructor(runId: string, steps: () => StepTable) {
    this.#runId = runId
    this.#steps = steps
  }

  /** Keeps rows at hand until their write has ended, however it ends. */
  keep(rows: readonly StepRow[], write: Promise<unknown>): void {
    for (const row of rows) this.#rows.set(row.key, row)
    const done = () => {
      // A later write of the same row has put another object in its place.
      for (const row of rows) if (this.#rows.get(row.key) === row) this.#rows.delete(row.key)
    }
    write.then(done, done)
  }

  /** The run waits for something now: whatever it read is read anew after that. */
  forget(): void {
    this.#recent.clear()
  }

  async one(key: string): Promise<StepRow | null> {
    const known = this.#rows.get(key) ?? this.#recent.get(key)
    if (known) return known
    const row = await this.#steps().one(this.#runId, key)
    // Steps that take no time often name the same few that ended before them, and what has ended never changes.
    if (row && isEnd(row.state) && this.#recent.size < mostRecent && sizeOf(row.output) <= smallOutput) this.#recent.set(key, row)
    return row
  }

  async all(): Promise<StepRow[]> {
    const unsaved = new Map(this.#rows)
    const stored = await this.#steps().ofRun(this.#runId)
    if (unsaved.size === 0) return stored
    const rows = stored.map((row) => {
      const newer = unsaved.get(row.key)
      unsaved.delete(row.key)
      return newer ?? row
    })
    return [...rows, ...unsaved.values()].sort((a, b) => a.position - b.position)
  }
}

export type { StepReader }
export { UnsavedRows }
