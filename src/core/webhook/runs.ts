import { isEnd } from '../kernel/run-state.ts'
import { runSummary } from '../run/view.ts'
import { queueFact } from './fact.ts'
import type { Timer } from '../kernel/clock.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Services } from '../operation/services.ts'
import type { RunRow } from '../../ports/store/rows.ts'

const marker = 'webhook.runs'
const batch = 500
const againMs = 5 * 60_000
// The store's order of ends is not that of commits: look back a little, what is queued already stays as it is.
const overlapMs = 60_000

/** Puts the end of a run into the queues of webhooks. Doing it again changes nothing. */
async function queueRun({ store }: Services, id: string): Promise<void> {
  const run = await store.reader.runs.byId(id)
  if (!run || !isEnd(run.state) || run.parent_id !== null || run.kind === 'replica') return
  const repository = await repositoryOf(store.reader, run)
  await store.write((db) =>
    queueFact(db, {
      id: run.id,
      event: 'run',
      at: run.finished_at ?? run.created_at,
      cause: run.id,
      repository,
      about: [repository?.id, run.resource_id].filter((about) => typeof about === 'string'),
      data: { by: run.started_by_name, run: runSummary(run) as unknown as JsonObject }, // times are texts there
    }),
  )
}

// A task says where it came from by the path that its manifest was asked for.
async function repositoryOf({ resources }: Services['store']['reader'], run: RunRow) {
  const { repository } = run.spec
  return typeof repository === 'string' && repository !== '' ? resources.byName('repository', repository) : null
}

/**
 * Finds ends of runs that nobody told of: the engine records them in its own commits, and a server can be killed before it has queued one. Looked for at
 * start and now and then, and only while some webhook or workflow wants to know.
 */
class RunFollower {
  readonly #services: () => Services
  readonly #queued: () => void
  #wanted = false
  #closed = false
  #timer: Timer | null = null
  #working: Promise<void> = Promise.resolve()

  /** `queued` is told when ends that were missed are in the queues. */
  constructor(services: () => Services, queued: () => void = () => {}) {
    this.#services = services
    this.#queued = queued
  }

  /** Whether some webhook or workflow hears of runs. */
  get wanted(): boolean {
    return this.#wanted
  }

  /** Looks again whether anybody wants to know. */
  refresh(): void {
    this.#working = this.#working.then(() => this.#refresh())
  }

  /** Queues what was missed. */
  catchUp(): Promise<void> {
    this.#working = this.#working.then(() => this.#catchUp())
    return this.#working
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#working
  }

  async #refresh(): Promise<void> {
    const { store, log } = this.#services()
    const anybody = async () => (await store.reader.webhooks.any('run')) || (await store.reader.workflowTriggers.bound('run')).length > 0
    await anybody().then(
      (found) => {
        this.#wanted = found
      },
      (error: unknown) => log.warn('webhook.not_read', { error }),
    )
  }

  async #catchUp(): Promise<void> {
    if (this.#closed) return
    const services = this.#services()
    try {
      await this.#refresh()
      if (this.#wanted) await missed(services)
      this.#queued()
    } catch (error) {
      services.log.warn('webhook.runs_not_read', { error })
    }
    if (!this.#closed) this.#timer = services.clock.after(againMs, () => void this.catchUp())
  }
}

async function missed(services: Services): Promise<void> {
  const { store, clock, stopping } = services
  const known = await store.reader.settings.get(marker)
  const now = clock.now()
  let after = typeof known?.at === 'number' ? known.at - overlapMs : now
  for (;;) {
    const ended = await store.reader.deliveries.endedRuns(after, batch)
    for (const { id } of ended) await queueRun(services, id)
    after = ended.at(-1)?.finished_at ?? after
    if (ended.length < batch || stopping.aborted) break
  }
  await store.write(({ settings }) => settings.set(marker, { at: stopping.aborted ? after : now }))
}

export { marker, queueRun, RunFollower }
