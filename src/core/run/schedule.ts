import { systemActorId } from '../kernel/builtin.ts'
import { Lookout } from '../kernel/lookout.ts'
import { parseCron } from './cron.ts'
import { StoreUnavailable } from '../../ports/store/store.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Log } from '../kernel/log.ts'
import type { ChangeEvent } from '../operation/context.ts'
import type { Schedule } from './cron.ts'
import type { Services } from '../operation/services.ts'
import type { ScheduleRow } from '../../ports/store/rows.ts'
import type { Store } from '../../ports/store/store.ts'

/** What a kind of schedule does when it is due. One per kind. */
type ScheduleSource = {
  readonly kind: string
  /**
   * Starts the occurrence `slot`, or decides that it starts none. Called again for the same slot after a crash: the slot's own row keeps it from starting
   * twice. It may take its time (another run ends first); it is not called for this schedule again meanwhile. When it throws, it is called again later.
   */
  fire(schedule: ScheduleRow, slot: number): Promise<void>
  /** When it is due, where its expression is no cron expression; null: it is one after all. */
  times?(schedule: ScheduleRow): Schedule | null
}

// A clock that was set is noticed at the latest after this; nothing else happens then.
const longestSleepMs = 60_000
// How many occurrences are under way at once: enough to share commits, and few enough to leave the store to others.
const together = 100
// While something that is due cannot go on yet, how soon others that become due are looked for.
const behindMs = 200
const storeRetryMs = 1000
const brokenRetryMs = 60_000

const topic = 'schedule.changed'

/** Tells the schedulers of all servers that a schedule was made or changed. After its commit. */
function scheduleChanged(store: Store): void {
  store.bus.publish(topic, '')
}

/** What followers hear of a schedule that was made or changed: those who may read what it belongs to. */
function scheduleEvent(row: Pick<ScheduleRow, 'id' | 'name' | 'namespace' | 'resource_id'>, state: ScheduleChange): ChangeEvent {
  return { kind: 'schedule', id: row.id, name: row.name, state, resource_id: row.resource_id, data: { namespace: row.namespace } }
}

type ScheduleChange = 'created' | 'updated' | 'suspended' | 'resumed' | 'deleted'

/**
 * Fires schedules by one timer for the next one due: no polling. Of the occurrences that were missed (downtime, a clock that jumped) only the latest is
 * made up; a slot that any server has fired is never fired again, also when the clock goes back: then nothing starts until the time of the latest slot has
 * passed once more.
 */
class Scheduler {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #sources: ReadonlyMap<string, ScheduleSource>
  /** The schedules whose occurrence is under way, or that must wait after a failure; the latter are held as well, and leave their place to others. */
  readonly #firing = new Map<string, Promise<void>>()
  readonly #held = new Set<string>()
  readonly #lookout: Lookout
  #unsubscribe: () => void = () => {}

  constructor(options: { store: Store; clock: Clock; log: Log; sources: readonly ScheduleSource[] }) {
    this.#store = options.store
    this.#clock = options.clock
    this.#log = options.log
    this.#sources = new Map(options.sources.map((source) => [source.kind, source]))
    this.#lookout = new Lookout({
      clock: () => options.clock,
      look: () => this.#look(),
      failed: (error) => options.log.error('schedule.not_read', { actor: systemActorId, error }),
      retryMs: storeRetryMs,
    })
  }

  /** Begins: looks for what is due, and from now on whenever a schedule was changed. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#store.bus.subscribe(topic, () => void this.look())
    await this.look()
  }

  /** Looks for what is due now and plans the next look. */
  look(): Promise<void> {
    return this.#lookout.look()
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#lookout.close()
    await Promise.all(this.#firing.values())
  }

  async #look(): Promise<number | null> {
    const room = together - (this.#firing.size - this.#held.size)
    const due = await this.#store.reader.schedules.due(this.#clock.now(), together + this.#firing.size)
    for (const schedule of due.filter(({ id }) => !this.#firing.has(id)).slice(0, Math.max(room, 0))) this.#begin(schedule)
    const next = await this.#store.reader.schedules.nextAt()
    if (next === null) return null
    const wait = next - this.#clock.now()
    return wait > 0 ? Math.min(wait, longestSleepMs) : behindMs
  }

  #begin(schedule: ScheduleRow): void {
    const firing = this.#fire(schedule)
      .catch((error: unknown) => this.#hold(schedule, error))
      .finally(() => {
        this.#firing.delete(schedule.id)
        this.#held.delete(schedule.id)
        // Many begin together, so that each look finds many.
        if (this.#firing.size < together / 2) void this.look()
      })
    this.#firing.set(schedule.id, firing)
  }

  // One that cannot be fired must neither keep the others from it nor be tried without pause.
  #hold(schedule: ScheduleRow, error: unknown): Promise<void> {
    const { signal } = this.#lookout
    if (signal.aborted) return Promise.resolve()
    const ms = error instanceof StoreUnavailable ? storeRetryMs : brokenRetryMs
    this.#log.error('schedule.not_fired', { schedule: schedule.id, retry_in_ms: ms, error })
    this.#held.add(schedule.id)
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, resolve)
      signal.addEventListener('abort', () => {
        timer.cancel()
        resolve()
      })
    })
  }

  async #fire(schedule: ScheduleRow): Promise<void> {
    const now = this.#clock.now()
    const source = this.#sources.get(schedule.kind)
    const cron = source?.times?.(schedule) ?? parseCron(schedule.expression, schedule.zone)
    const first = schedule.next_at ?? now
    const slot = cron.latest(first, now) ?? first
    const next = cron.next(Math.max(now, slot))
    // First the run with its slot, then the step forward: a crash between fires the same slot again, which its row refuses.
    if (source && (schedule.last_slot === null || slot > schedule.last_slot)) await source.fire(schedule, slot)
    await this.#store.write((tables) => tables.schedules.advance(schedule.id, first, { last_slot: slot, next_at: next }))
  }
}

const dayMs = 24 * 3_600_000
const pruneAtOnce = 1000

/** Forgets deleted schedules, and slots, when the runs that they became are forgotten too. */
async function pruneSchedules({ store, clock, settings, stopping }: Services): Promise<void> {
  const before = clock.now() - settings.retention.deployDays * dayMs
  while (!stopping.aborted && (await store.write(({ schedules }) => schedules.prune(before, pruneAtOnce))) >= pruneAtOnce);
}

export type { ScheduleSource }
export { Scheduler, scheduleChanged, scheduleEvent, pruneSchedules }
