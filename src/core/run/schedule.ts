import { systemActorId } from '../kernel/builtin.ts'
import { parseCron } from './cron.ts'
import type { Clock, Timer } from '../kernel/clock.ts'
import type { Log } from '../kernel/log.ts'
import type { ScheduleRow } from '../../ports/store/rows.ts'
import type { Store } from '../../ports/store/store.ts'

/** What a kind of schedule does when it is due. One per kind. */
type ScheduleSource = {
  readonly kind: string
  /** Starts the occurrence `slot`. Called again for the same slot after a crash: the slot's own row keeps it from starting twice. */
  fire(schedule: ScheduleRow, slot: number): Promise<void>
}

// A clock that was set is noticed at the latest after this; nothing else happens then.
const longestSleepMs = 60_000

/**
 * Fires schedules by one timer for the next one due: no polling. Of the occurrences that were missed (downtime, a clock that jumped) only the latest is
 * made up; a slot that any server has fired is never fired again, also when the clock goes back.
 */
class Scheduler {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #sources: ReadonlyMap<string, ScheduleSource>
  #timer: Timer | null = null
  #closed = false
  #looking: Promise<void> = Promise.resolve()

  constructor(options: { store: Store; clock: Clock; log: Log; sources: readonly ScheduleSource[] }) {
    this.#store = options.store
    this.#clock = options.clock
    this.#log = options.log
    this.#sources = new Map(options.sources.map((source) => [source.kind, source]))
  }

  /** Looks for what is due now and plans the next look. Call it after a schedule was made or changed. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look()).catch((error) => this.#log.error('schedule.failed', { actor: systemActorId, error }))
    return this.#looking
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#looking
  }

  async #look(): Promise<void> {
    if (this.#closed) return
    this.#timer?.cancel()
    const due = await this.#store.reader.schedules.due(this.#clock.now(), 100)
    for (const schedule of due) await this.#fire(schedule)
    if (due.length === 100) return void this.look()
    const next = await this.#store.reader.schedules.nextAt()
    if (next === null || this.#closed) return
    const wait = Math.min(Math.max(next - this.#clock.now(), 5), longestSleepMs)
    this.#timer = this.#clock.after(wait, () => void this.look())
  }

  async #fire(schedule: ScheduleRow): Promise<void> {
    const now = this.#clock.now()
    const cron = parseCron(schedule.expression, schedule.zone)
    const first = schedule.next_at ?? now
    const slot = cron.latest(first, now) ?? first
    const next = cron.next(Math.max(now, slot))
    const source = this.#sources.get(schedule.kind)
    // First the run with its slot, then the step forward: a crash between fires the same slot again, which its row refuses.
    if (source && (schedule.last_slot === null || slot > schedule.last_slot)) await source.fire(schedule, slot)
    await this.#store.write((tables) => tables.schedules.advance(schedule.id, first, { last_slot: slot, next_at: next }))
  }
}

export type { ScheduleSource }
export { Scheduler }
