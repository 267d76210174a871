import { isFault } from '../../kernel/fault.ts'
import { Lookout } from '../../kernel/lookout.ts'
import { startJobOf } from './start-job.ts'
import type { Services } from '../../operation/services.ts'
import type { TriggerEventRow } from '../../../ports/store/workflows.ts'

/** How long after each failed start the next one comes; after the last the event is refused. */
const retryMs = [500, 2_000, 10_000, 60_000, 5 * 60_000, 30 * 60_000]
// Whoever took it and has not settled it by then is gone, or slow: to start it twice gives the same job, and to wait longer makes an event of a server that
// was killed come late.
const leaseMs = 5_000
const together = 100
const shortestWaitMs = 20
// Where several servers share a store, a hint of another one may be lost, and what one took that was killed is looked for by nobody else. Both together are
// less than ten seconds.
const lookAgainMs = 4_000
const storeRetryMs = 1000

type DispatchOptions = { readonly services: () => Services; readonly server: { readonly id: string; readonly shared: boolean } }

/** What tells that events may wait: those that queue some in their own transaction. */
const hints: ReadonlySet<string> = new Set(['trigger', 'pull-request'])

/**
 * Starts the jobs of events that wait. An event is taken for a while before its job is started, so that of several servers one starts it; a server that is
 * killed in between leaves it to be taken again, and then the job that it may have started is found by the event.
 */
class TriggerDispatch {
  readonly #services: () => Services
  readonly #server: DispatchOptions['server']
  readonly #lookout: Lookout
  #unsubscribe: () => void = () => {}

  constructor({ services, server }: DispatchOptions) {
    this.#services = services
    this.#server = server
    this.#lookout = new Lookout({
      clock: () => services().clock,
      look: () => this.#look(),
      failed: (error) => services().log.error('trigger.not_read', { error }),
      retryMs: storeRetryMs,
      longestMs: server.shared ? lookAgainMs : undefined,
    })
  }

  /** Takes up what an earlier start left, and starts jobs from now on. */
  async start(): Promise<void> {
    const { store, events } = this.#services()
    if (!this.#server.shared) await store.write(({ triggerEvents }) => triggerEvents.release(this.#server.id))
    this.#unsubscribe = events.subscribe(({ kind, state }) => {
      if (hints.has(kind) || (kind === 'repository' && state === 'pushed')) void this.look()
    })
    await this.look()
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#lookout.close()
  }

  /** Looks for what waits now, starts it, and plans the next look. */
  look(): Promise<void> {
    return this.#lookout.look()
  }

  async #look(): Promise<number | null> {
    const { store, clock } = this.#services()
    while (!this.#lookout.signal.aborted) {
      // A look that finds nothing writes nothing.
      const next = await store.reader.triggerEvents.nextAt()
      if (next === null || next > clock.now()) break
      const now = clock.now()
      const taken = await store.write(({ triggerEvents }) => triggerEvents.take(this.#server.id, now, now + leaseMs, together))
      if (taken.length === 0) break
      await Promise.all(taken.map((event) => this.#start(event)))
    }
    const next = await store.reader.triggerEvents.nextAt()
    return next === null ? null : Math.max(next - clock.now(), shortestWaitMs)
  }

  async #start(event: TriggerEventRow): Promise<void> {
    const { store, clock, log } = this.#services()
    const settle = (patch: Parameters<typeof store.reader.triggerEvents.settle>[2]) =>
      store.write(({ triggerEvents }) => triggerEvents.settle(event.id, this.#server.id, patch))
    const { attempt, next_at } = event
    try {
      const outcome = await startJobOf(this.#services(), event)
      if ('job' in outcome) {
        await settle({ state: 'started', attempt: attempt + 1, next_at, job_id: outcome.job, error: null, finished_at: clock.now() })
      } else await this.#refuse(event, outcome.refused)
    } catch (error) {
      if (this.#lookout.signal.aborted || isFault(error, 'shutting_down')) {
        return void (await settle({ state: 'waiting', attempt, next_at: clock.now(), job_id: null, error: null, finished_at: null }).catch(() => {}))
      }
      const delay = retryMs[attempt]
      log.warn('trigger.not_started', { trigger: event.trigger_id, event: event.id, attempt: attempt + 1, retry_in_ms: delay ?? null, error })
      const message = isFault(error) ? error.message : 'It could not be started; an operator finds the cause in the log.'
      if (delay === undefined) await this.#refuse(event, message)
      // Where the store itself is gone, the event is free again when its time is over.
      else
        await settle({ state: 'waiting', attempt: attempt + 1, next_at: clock.now() + delay, job_id: null, error: message, finished_at: null }).catch(
          () => {},
        )
    }
  }

  async #refuse({ id, trigger_id, attempt, next_at }: TriggerEventRow, error: string): Promise<void> {
    const { store, clock } = this.#services()
    await store.write(async ({ triggerEvents, workflowTriggers }) => {
      const patch = { state: 'refused', attempt: attempt + 1, next_at, job_id: null, error, finished_at: clock.now() } as const
      if (await triggerEvents.settle(id, this.#server.id, patch)) await workflowTriggers.update(trigger_id, { last_error: error })
    })
  }
}

const keptMs = 7 * 24 * 3_600_000
const pruneAtOnce = 1000

/** Forgets events that ended a week ago. */
async function pruneEvents({ store, clock, stopping }: Services): Promise<void> {
  while (!stopping.aborted && (await store.write(({ triggerEvents }) => triggerEvents.prune(clock.now() - keptMs, pruneAtOnce))) >= pruneAtOnce);
}

export { TriggerDispatch, pruneEvents }
