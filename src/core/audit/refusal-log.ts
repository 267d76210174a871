import type { Timer, Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/id.ts'
import type { Log } from '../kernel/log.ts'
import type { Principal } from '../identity/principal.ts'
import type { Origin } from '../operation/context.ts'
import type { Store } from '../../ports/store/store.ts'
import type { AuditRow } from '../../ports/store/rows.ts'

export type Refusal = { principal: Principal; origin: Origin; operation: string; reference: string; code: string }

const flushAfterMs = 500
const mostWaiting = 1000

/**
 * Notes refused calls for the audit trail without making anybody wait: they are written in batches. A flood is bounded: beyond a thousand in half a
 * second the rest is counted in one line.
 */
export class RefusalLog {
  readonly #store: Store
  readonly #clock: Clock
  readonly #ids: Ids
  readonly #log: Log
  #waiting: AuditRow[] = []
  #dropped = 0
  #timer: Timer | null = null

  constructor(options: { store: Store; clock: Clock; ids: Ids; log: Log }) {
    this.#store = options.store
    this.#clock = options.clock
    this.#ids = options.ids
    this.#log = options.log
  }

  note(refusal: Refusal): void {
    if (this.#waiting.length >= mostWaiting) this.#dropped++
    else this.#waiting.push(this.#row(refusal))
    this.#timer ??= this.#clock.after(flushAfterMs, () => void this.flush())
  }

  /** Writes what waits. A store that cannot take it loses these lines: they are about nothing that happened. */
  async flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    const rows = this.#waiting
    this.#waiting = []
    const last = rows.at(-1)
    if (!last) return
    if (this.#dropped > 0) rows.push({ ...last, id: this.#ids.record(), subject: '', detail: { not_recorded: this.#dropped } })
    this.#dropped = 0
    try {
      await this.#store.write((tables) => tables.audit.append(rows))
    } catch (error) {
      this.#log.warn('audit.refusals_lost', { count: rows.length, error })
    }
  }

  #row({ principal, origin, operation, reference, code }: Refusal): AuditRow {
    return {
      id: this.#ids.record(),
      at: this.#clock.now(),
      actor_id: principal.id,
      actor: principal.name,
      operation,
      subject: reference.slice(0, 300),
      subject_id: null,
      outcome: 'refused',
      via: origin.via,
      peer: origin.peer,
      credential: principal.credential,
      request_id: origin.requestId,
      intent_id: null,
      detail: { code },
    }
  }
}
