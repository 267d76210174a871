import type { Clock, Timer } from '../kernel/clock.ts'
import type { Log } from '../kernel/log.ts'
import type { RunRow } from '../../ports/store/rows.ts'
import type { Store } from '../../ports/store/store.ts'

type ServerIdentity = {
  readonly id: string
  /** The machine, and what names the boot and this very process there. */
  readonly host: string
  readonly boot: string
  /** Whether the server of this `boot` is certainly gone, as far as can be told from here: then nobody waits for its lease. */
  readonly hasEnded?: (boot: string) => boolean
  /** Whether other servers may share the store. Alone, the lease never ends and nothing is renewed: an idle server writes nothing. */
  readonly shared: boolean
}

// Others look once in `renewMs`: what a killed server had is in other hands after both together, which is to be less than 10 s.
const leaseMs = 7000
const renewMs = 2000

/**
 * Says that this server is alive, and takes over the runs of servers that no longer are. A server that could not renew its lease in time has lost its
 * runs: their new owner's fence makes every late write of the old one a no-op.
 */
class Lease {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #server: ServerIdentity
  readonly #adopt: (runs: RunRow[], from: string) => Promise<void>
  #timer: Timer | null = null
  /** When it renewed the last time, and until when it takes nothing over. */
  #renewedAt = 0
  #patientUntil = 0
  #closed = false

  constructor(options: { store: Store; clock: Clock; log: Log; server: ServerIdentity; adopt: (runs: RunRow[], from: string) => Promise<void> }) {
    this.#store = options.store
    this.#clock = options.clock
    this.#log = options.log
    this.#server = options.server
    this.#adopt = options.adopt
  }

  /** Announces the server and takes over what nobody owns. Alone in its store it owns everything. */
  async start(): Promise<void> {
    if (!this.#server.shared) {
      await this.#store.write(async (tables) => {
        for (const other of await tables.servers.all()) await tables.servers.remove(other.id)
        await tables.servers.recount()
      })
    }
    await this.#beat()
    await this.#takeOver()
    if (this.#server.shared) this.#plan()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#store.write((tables) => tables.servers.remove(this.#server.id)).catch(() => {})
  }

  async #beat(): Promise<void> {
    const { id, host, boot, shared } = this.#server
    const now = this.#clock.now()
    // The clock was set forward, or the machine slept: every lease looks ended now, and whoever is alive needs a moment to say so.
    if (this.#renewedAt > 0 && now - this.#renewedAt > leaseMs) this.#patientUntil = now + 2 * renewMs
    this.#renewedAt = now
    const leaseUntil = shared ? now + leaseMs : Number.MAX_SAFE_INTEGER
    await this.#store.write((tables) => tables.servers.beat({ id, host, boot, started_at: now, lease_until: leaseUntil }))
  }

  async #takeOver(): Promise<void> {
    const { id, shared, hasEnded } = this.#server
    if (shared && hasEnded) {
      const gone = (await this.#store.reader.servers.all()).filter((other) => other.id !== id && hasEnded(other.boot))
      for (const other of gone) await this.#store.write((tables) => tables.servers.remove(other.id))
    }
    if (this.#clock.now() < this.#patientUntil) return
    for (const from of await this.#store.reader.servers.orphans(this.#clock.now())) {
      const runs = await this.#store.write((tables) => tables.servers.takeOver(from, this.#server.id))
      if (runs.length > 0) this.#log.info('runs.taken_over', { from, count: runs.length })
      await this.#adopt(runs, from)
    }
  }

  #plan(): void {
    this.#timer = this.#clock.after(renewMs, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    try {
      await this.#beat()
      await this.#takeOver()
    } catch (error) {
      this.#log.warn('lease.not_renewed', { error })
    }
    if (!this.#closed) this.#plan()
  }
}

export type { ServerIdentity }
export { Lease }
