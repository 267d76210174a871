import { timestamp } from '../../kernel/clock.ts'
import { Lookout } from '../../kernel/lookout.ts'
import { triggerOf } from './model.ts'
import { causeOf, queueEvent } from './queue.ts'
import type { Timer } from '../../kernel/clock.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Services } from '../../operation/services.ts'
import type { AuditRow } from '../../../ports/store/rows.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'

const marker = 'trigger.audit'
const pageSize = 500
// Many things happen together: one look for all of them.
const gatherMs = 200
const lookAgainMs = 5_000
// The order of lines is not that of their commits: look back a little, what is queued already stays as it is.
const overlapMs = 60_000

/**
 * Starts workflows by lines of the audit trail. The lines are the durable record: they are read from where the last look ended, also after a restart, and
 * only while some active workflow wants to know.
 */
class AuditFollower {
  readonly #services: () => Services
  readonly #lookout: Lookout
  #unsubscribe: () => void = () => {}
  #soon: Timer | null = null
  #wanted = false
  /** Lines that were looked at, with their time. */
  readonly #seen = new Map<string, number>()

  constructor(services: () => Services) {
    this.#services = services
    this.#lookout = new Lookout({
      clock: () => services().clock,
      look: async () => {
        await this.#follow()
        // What does not tell followers leaves a line all the same.
        return this.#wanted ? lookAgainMs : null
      },
      failed: (error) => services().log.warn('trigger.audit_not_read', { error }),
      retryMs: lookAgainMs,
    })
  }

  async start(): Promise<void> {
    const { events, clock } = this.#services()
    this.#unsubscribe = events.subscribe(({ kind }) => {
      if (!this.#wanted && kind !== 'workflow') return
      this.#soon ??= clock.after(gatherMs, () => {
        this.#soon = null
        void this.look()
      })
    })
    await this.look()
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    this.#soon?.cancel()
    await this.#lookout.close()
  }

  look(): Promise<void> {
    return this.#lookout.look()
  }

  async #follow(): Promise<void> {
    const { store, clock } = this.#services()
    const rows = await store.reader.workflowTriggers.bound('audit')
    this.#wanted = rows.length > 0
    const known = await store.reader.settings.get(marker)
    if (rows.length === 0) return void (known && (await store.write(({ settings }) => settings.remove(marker))))
    const now = clock.now()
    if (typeof known?.at !== 'number') return void (await store.write(({ settings }) => settings.set(marker, { at: now, since: now })))
    const since = typeof known.since === 'number' ? known.since : 0
    for (const row of rows) await this.#linesFor(row, Math.max(known.at - overlapMs, since))
    for (const [id, at] of this.#seen) if (at < now - 2 * overlapMs) this.#seen.delete(id)
    await store.write(({ settings }) => settings.set(marker, { at: now, since }))
  }

  async #linesFor(row: WorkflowTriggerRow, since: number): Promise<void> {
    const { store, events } = this.#services()
    const trigger = triggerOf(row)
    if (trigger.type !== 'audit') return
    let fired = 0
    for (const operation of trigger.operations) {
      let after: readonly (string | number)[] | null = null
      do {
        const filter = { operation, since, ...(trigger.subject === '' ? {} : { subject: trigger.subject }) }
        const page = await store.reader.audit.page(filter, { limit: pageSize, after })
        for (const line of page.items) fired += await this.#line(row, line)
        const last = page.items.at(-1)
        after = page.next === null || !last ? null : [last.at, last.id]
      } while (after && !this.#lookout.signal.aborted)
    }
    if (fired > 0) events.publish({ kind: 'trigger', id: row.id, name: row.name, state: 'fired', resource_id: null })
  }

  async #line(row: WorkflowTriggerRow, line: AuditRow): Promise<number> {
    const seen = `${row.id}.${line.id}`
    if (line.outcome === 'intent' || line.at < row.created_at || this.#seen.has(seen)) return 0
    const event = { id: `audit.${line.id}`, at: line.at, message: messageOf(line), cause: causeOf(line) }
    // The whole trail is for administrators.
    const mayHear = (owner: { readonly administrator: boolean }) => Promise.resolve(owner.administrator)
    const { taken } = await this.#services().store.write((db) => queueEvent(db, row, event, { mayHear }))
    this.#seen.set(seen, line.at)
    return taken
  }
}

function messageOf(line: AuditRow): JsonObject {
  const { operation, actor, subject, outcome, via, detail } = line
  return { operation, actor, subject, outcome, via, detail, at: timestamp(line.at) }
}

export { AuditFollower }
