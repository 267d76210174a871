import { AuditFollower } from './audit-follower.ts'
import { TriggerDispatch } from './dispatch.ts'
import { TriggerKeeper } from './keeper.ts'
import type { Services } from '../../operation/services.ts'

/** Everything that waits for events and starts the jobs of workflows, as one thing with one life. */
class Triggers {
  readonly #dispatch: TriggerDispatch
  readonly #keeper: TriggerKeeper
  readonly #audit: AuditFollower

  constructor(options: { readonly services: () => Services; readonly server: { readonly id: string; readonly shared: boolean } }) {
    this.#dispatch = new TriggerDispatch(options)
    this.#keeper = new TriggerKeeper(options)
    this.#audit = new AuditFollower(options.services)
  }

  /** Takes up what an earlier start left. After the engine, which the jobs are given to. */
  async start(): Promise<void> {
    await this.#dispatch.start()
    await this.#keeper.start()
    await this.#audit.start()
  }

  /** Events were queued by somebody who tells nobody else. */
  look(): void {
    void this.#dispatch.look()
  }

  async close(): Promise<void> {
    await this.#audit.close()
    await this.#keeper.close()
    await this.#dispatch.close()
  }
}

export { Triggers }
