import { createHmac } from 'node:crypto'
import { timestamp } from '../kernel/clock.ts'
import { isFault } from '../kernel/fault.ts'
import { Lookout } from '../kernel/lookout.ts'
import { isEnd } from '../kernel/run-state.ts'
import { OutboundFailed } from '../../ports/egress.ts'
import { queueRun, RunFollower } from './runs.ts'
import { webhookContext } from './view.ts'
import type { RunState } from '../kernel/run-state.ts'
import type { Services } from '../operation/services.ts'
import type { DeliveryRow, WebhookRow } from '../../ports/store/webhooks.ts'

/** How long after each try the next one comes; after the last the delivery has failed. */
const retryMs = [2_000, 15_000, 60_000, 5 * 60_000, 30 * 60_000, 2 * 3_600_000, 6 * 3_600_000]
const timeoutMs = 10_000
// Longer than a try: whoever lost it by then is gone.
const leaseMs = 30_000
const excerptBytes = 2048
/** To how many webhooks something is sent at once, and how many deliveries one gets in a row before it makes room. */
const together = 64
const inARow = 20
const shortestWaitMs = 50
// Where several servers share a store, a hint of another one may be lost.
const lookAgainMs = 20_000

type DispatchOptions = {
  readonly services: () => Services
  readonly server: { readonly id: string; readonly shared: boolean }
  /** The end of a run was queued for whoever wants to know: webhooks, and workflows that it starts. */
  readonly queued?: () => void
}

/**
 * Sends what is queued: to each webhook one after the other, to different ones at the same time. A delivery is taken for a while before it is sent, so
 * that of several servers one sends it; a server that is killed in between leaves it to be sent again, under the same id.
 */
class WebhookDispatch {
  readonly #services: () => Services
  readonly #server: DispatchOptions['server']
  readonly #queued: () => void
  readonly #busy = new Map<string, Promise<void>>()
  readonly #lookout: Lookout
  readonly #runs: RunFollower
  #unsubscribe: () => void = () => {}

  constructor({ services, server, queued }: DispatchOptions) {
    this.#services = services
    this.#server = server
    this.#queued = queued ?? (() => {})
    this.#runs = new RunFollower(services, () => this.#queued())
    this.#lookout = new Lookout({
      clock: () => services().clock,
      look: () => this.#look(),
      failed: (error) => services().log.error('webhook.not_read', { error }),
      retryMs: lookAgainMs,
      longestMs: server.shared ? lookAgainMs : undefined,
    })
  }

  /** Takes up what an earlier start left, and sends from now on. */
  async start(): Promise<void> {
    const { store, events } = this.#services()
    if (!this.#server.shared) await store.write(({ deliveries }) => deliveries.release(this.#server.id))
    this.#unsubscribe = events.subscribe(({ kind, state, id }) => {
      if (kind === 'webhook' || kind === 'workflow') this.#runs.refresh()
      // Events of runs carry a state of runs.
      if (kind === 'run') return void (isEnd(state as RunState) && this.#runs.wanted && this.#runEnded(id))
      if (kind === 'webhook' || kind === 'pull-request' || (kind === 'repository' && state === 'pushed')) void this.look()
    })
    await this.#runs.catchUp()
    await this.look()
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#lookout.close()
    await Promise.all([this.#runs.close(), ...this.#busy.values()])
  }

  /** Looks for what is due now, and plans the next look. */
  look(): Promise<void> {
    return this.#lookout.look()
  }

  async #look(): Promise<number | null> {
    const { store, clock } = this.#services()
    const { deliveries } = store.reader
    const due = await deliveries.due(clock.now(), together + this.#busy.size)
    for (const hook of due) if (!this.#busy.has(hook) && this.#busy.size < together) this.#begin(hook)
    const next = await deliveries.nextAt()
    return next === null ? null : Math.max(next - clock.now(), shortestWaitMs)
  }

  #begin(hook: string): void {
    const sending = this.#sendDue(hook)
      .catch((error: unknown) => this.#services().log.error('webhook.not_sent', { webhook: hook, error }))
      .finally(() => {
        this.#busy.delete(hook)
        void this.look()
      })
    this.#busy.set(hook, sending)
  }

  async #sendDue(hook: string): Promise<void> {
    const { store, clock } = this.#services()
    for (let sent = 0; sent < inARow && !this.#lookout.signal.aborted; sent++) {
      const now = clock.now()
      const row = await store.write(({ deliveries }) => deliveries.take(hook, this.#server.id, now, now + leaseMs))
      const webhook = row && (await store.reader.webhooks.byId(hook))
      if (!row || !webhook) return
      await this.#try(webhook, row)
    }
  }

  async #try(webhook: WebhookRow, row: DeliveryRow): Promise<void> {
    const { store, clock } = this.#services()
    const before = clock.now()
    const answer = await this.#post(webhook, row)
    const now = clock.now()
    const settle = (patch: Parameters<typeof store.reader.deliveries.settle>[2]) =>
      store.write(({ deliveries }) => deliveries.settle(row.id, this.#server.id, patch))
    const seen = { status: answer.status, excerpt: answer.excerpt, error: answer.error, duration_ms: now - before }
    // Cut short by our own stop: it was no try.
    if (this.#lookout.signal.aborted && answer.status === null) {
      const { state, attempt, status, excerpt, error, duration_ms } = row
      return void (await settle({ state, attempt, next_at: now, status, excerpt, error, duration_ms, finished_at: null }))
    }
    const attempt = row.attempt + 1
    const delay = retryMs[row.attempt]
    const good = answer.status !== null && answer.status >= 200 && answer.status < 300
    if (good || delay === undefined) await settle({ ...seen, state: good ? 'delivered' : 'failed', attempt, next_at: null, finished_at: now })
    else await settle({ ...seen, state: 'waiting', attempt, next_at: now + delay, finished_at: null })
  }

  async #post(webhook: WebhookRow, row: DeliveryRow): Promise<{ status: number | null; excerpt: string | null; error: string | null }> {
    const { outbound, secretBox, settings, log } = this.#services()
    const body = JSON.stringify({
      event: row.event,
      delivery: row.id,
      ...(row.redelivery_of === null ? {} : { redelivery_of: row.redelivery_of }),
      at: timestamp(row.created_at),
      server: settings.publicUrl,
      ...row.body,
    })
    try {
      const secret = secretBox.open(webhook.sealed, webhookContext(webhook.id)).reveal()
      const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
      const { status, excerpt } = await outbound.post({
        url: webhook.url,
        purpose: 'webhook',
        headers: {
          'content-type': 'application/json',
          'x-capstan-event': row.event,
          'x-capstan-delivery': row.id,
          'x-capstan-signature': signature,
          // The name that receivers of other systems know; it is made in the same way.
          'x-hub-signature-256': signature,
        },
        body,
        timeoutMs,
        keepBytes: excerptBytes,
        signal: this.#lookout.signal,
      })
      return { status, excerpt, error: null }
    } catch (error) {
      if (error instanceof OutboundFailed || isFault(error, 'egress_refused')) return { status: null, excerpt: null, error: error.message }
      log.error('webhook.not_posted', { webhook: webhook.id, error })
      return { status: null, excerpt: null, error: 'It could not be sent; an operator finds the cause in the log' }
    }
  }

  #runEnded(id: string): void {
    void queueRun(this.#services(), id)
      .then(() => {
        this.#queued()
        return this.look()
      })
      .catch((error: unknown) => this.#services().log.warn('webhook.run_not_queued', { run: id, error }))
  }
}

const keptMs = 7 * 24 * 3_600_000
const pruneAtOnce = 1000

/** Forgets deliveries that ended a week ago. */
async function pruneDeliveries({ store, clock, stopping }: Services): Promise<void> {
  while (!stopping.aborted && (await store.write(({ deliveries }) => deliveries.prune(clock.now() - keptMs, pruneAtOnce))) >= pruneAtOnce);
}

export { retryMs, WebhookDispatch, pruneDeliveries }
