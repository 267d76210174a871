import type { Clock, Timer } from '../kernel/clock.ts'
import type { StepRow } from '../../ports/store/rows.ts'
import type { AdvanceAct, AdvanceResult, StepChange } from '../../ports/store/runs.ts'

/** How much is held back before it is written: acts, characters of outputs, milliseconds. */
const most = { acts: 100, characters: 1024 * 1024, ms: 20 } as const

type Options = {
  readonly clock: Clock
  readonly persist: (act: AdvanceAct) => Promise<AdvanceResult>
  /** What came of a write that nobody waits for. */
  readonly written: (write: Promise<AdvanceResult>) => void
}

/**
 * Acts of one run that need not be durable before the run goes on: they are held back and become one with those after them, so that a step which began and
 * ended meanwhile costs one row and no change of it. Whatever is written goes through in the order in which it was handed in.
 */
class LateActs {
  readonly #options: Options
  #held: Held | null = null
  #writes = 0
  /** Characters of outputs that were kept when the last write was begun for their sake. */
  #written = 0

  constructor(options: Options) {
    this.#options = options
  }

  /** Writes that are under way. */
  get writes(): number {
    return this.#writes
  }

  /** Holds an act back; resolves when it is durable, with the result of the write that it went with. `outputs`: characters that the run keeps with it. */
  hold(act: AdvanceAct, outputs: number): Promise<AdvanceResult> {
    const held = (this.#held ??= this.#begin())
    held.join(act)
    if (held.acts >= most.acts || outputs - this.#written >= most.characters) {
      this.#written = outputs
      this.#options.written(this.#write(held))
    }
    return held.done.promise
  }

  /** Writes an act together with those that were held back before it. */
  write(act: AdvanceAct): Promise<AdvanceResult> {
    const held = this.#held
    if (!held) return this.#options.persist(act)
    held.join(act)
    return this.#write(held)
  }

  /** Forgets what is held back. */
  drop(): void {
    this.#held?.timer.cancel()
    this.#held = null
  }

  #begin(): Held {
    const held: Held = new Held(this.#options.clock.after(most.ms, () => this.#options.written(this.#write(held))))
    return held
  }

  #write(held: Held): Promise<AdvanceResult> {
    this.drop()
    this.#writes++
    const write = this.#options.persist(held.act()).finally(() => this.#writes--)
    held.done.resolve(write)
    return write
  }
}

/** Acts that have become one. */
class Held {
  readonly timer: Timer
  readonly done = Promise.withResolvers<AdvanceResult>()
  acts = 0
  #last: AdvanceAct | null = null
  #run: AdvanceAct['run'] = null
  readonly #steps: StepChange[] = []
  readonly #create = new Map<string, StepRow>()

  constructor(timer: Timer) {
    this.timer = timer
    // Who handed something in may be gone before it is written.
    this.done.promise.catch(() => {})
  }

  join(act: AdvanceAct): void {
    this.acts++
    for (const change of act.steps) {
      const made = this.#create.get(change.key)
      if (made?.attempt === change.attempt) Object.assign(made, change.patch)
      else this.#steps.push(change)
    }
    for (const row of act.create) this.#create.set(row.key, { ...row })
    if (act.run) this.#run = { ...this.#run, ...act.run }
    this.#last = act
  }

  /** The one act. Places, child runs and lines of the audit trail come with the last one only: such an act is not held back. */
  act(): AdvanceAct {
    if (!this.#last) throw new Error('Nothing is held back')
    return { ...this.#last, steps: this.#steps, create: [...this.#create.values()], run: this.#run }
  }
}

export { LateActs }
