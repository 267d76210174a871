import type { StepRow } from '../../ports/store/rows.ts'
import type { StepTable } from '../../ports/store/runs.ts'

/** The rows of one run as they are now, also those that are only on their way to the store. */
type StepReader = {
  one(key: string): Promise<StepRow | null>
  /** In order of position. */
  all(): Promise<StepRow[]>
}

/**
 * Rows of a run whose write was begun and is not durable yet. Steps that take no time and change nothing outside go on without waiting for the disk: what
 * a crash takes from them is done again.
 */
class UnsavedRows implements StepReader {
  readonly #runId: string
  readonly #steps: () => StepTable
  readonly #rows = new Map<string, StepRow>()
  #writes = 0

  constructor(runId: string, steps: () => StepTable) {
    this.#runId = runId
    this.#steps = steps
  }

  /** Writes that are under way. */
  get writes(): number {
    return this.#writes
  }

  /** Keeps rows at hand until their write has ended, however it ends. */
  keep(rows: readonly StepRow[], write: Promise<unknown>): void {
    for (const row of rows) this.#rows.set(row.key, row)
    this.#writes++
    const done = () => {
      this.#writes--
      // A later write of the same row has put another object in its place.
      for (const row of rows) if (this.#rows.get(row.key) === row) this.#rows.delete(row.key)
    }
    write.then(done, done)
  }

  async one(key: string): Promise<StepRow | null> {
    return this.#rows.get(key) ?? this.#steps().one(this.#runId, key)
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
