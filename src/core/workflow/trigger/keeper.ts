import { principalOf } from '../../identity/principal.ts'
import { isFault } from '../../kernel/fault.ts'
import { sleep } from '../../kernel/clock.ts'
import { Lookout } from '../../kernel/lookout.ts'
import { pluginCallOf, triggerMeta } from './plugin-start.ts'
import { triggerOf } from './model.ts'
import { queuePluginEvent } from './plugin-event.ts'
import { activeOf } from './queue.ts'
import { syncTimes } from './times.ts'
import type { Services } from '../../operation/services.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'
import type { PluginEvent } from '../../../ports/plugin-host.ts'

const firstPauseMs = 1000
const longestPauseMs = 5 * 60_000
/** Whatever lived so long ended for a reason of its own: the next pause is short again. */
const healthyMs = 60_000
const leaseMs = 30_000
const renewMs = 10_000
// Where several servers share a store, one of them may have let go of a trigger without a word.
const lookAgainMs = 20_000

type KeeperOptions = { readonly services: () => Services; readonly server: { readonly id: string; readonly shared: boolean } }
type Kept = { readonly mark: string; readonly stop: AbortController; readonly done: Promise<void> }

/** What changes which triggers are to be kept, and how. */
const hints: ReadonlySet<string> = new Set(['workflow', 'trigger', 'connection', 'plugin'])

/**
 * Keeps triggers of plugins alive while an active workflow is bound to them, each on one server, and schedules in step with time triggers. What ends is
 * started again after a pause that grows from a second to five minutes.
 */
class TriggerKeeper {
  readonly #services: () => Services
  readonly #server: KeeperOptions['server']
  readonly #kept = new Map<string, Kept>()
  readonly #lookout: Lookout
  #unsubscribe: () => void = () => {}

  constructor({ services, server }: KeeperOptions) {
    this.#services = services
    this.#server = server
    this.#lookout = new Lookout({
      clock: () => services().clock,
      look: () => this.#look(),
      failed: (error) => services().log.error('trigger.not_kept', { error }),
      retryMs: lookAgainMs,
      longestMs: server.shared ? lookAgainMs : undefined,
    })
  }

  /** Brings up what is to be alive, and from now on whenever something changes. */
  async start(): Promise<void> {
    const { store, events } = this.#services()
    if (!this.#server.shared) await store.write(({ triggerKeepers }) => triggerKeepers.releaseOthers(this.#server.id))
    this.#unsubscribe = events.subscribe(({ kind, state }) => {
      if (hints.has(kind) && state !== 'fired') void this.look()
    })
    await this.look()
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#lookout.close()
    const kept = [...this.#kept.values()]
    for (const { stop } of kept) stop.abort(new Error('The server stops'))
    await Promise.all(kept.map(({ done }) => done))
  }

  /** Compares what is alive with what is to be. */
  look(): Promise<void> {
    return this.#lookout.look()
  }

  async #look(): Promise<null> {
    const services = this.#services()
    const bound = await services.store.reader.workflowTriggers.bound()
    await syncTimes(services, bound)
    const wanted = bound.filter((row) => triggerOf(row).type === 'plugin')
    const marks = new Map<string, string>()
    for (const row of wanted) marks.set(row.id, await this.#markOf(row))
    for (const [id, { mark, stop }] of this.#kept)
      if (marks.get(id) !== mark) stop.abort(new Error('The trigger has changed, or nothing is bound to it'))
    for (const row of wanted) if (!this.#kept.has(row.id) && (await this.#claim(row.id))) this.#keep(row, marks.get(row.id) ?? '')
    return null
  }

  /** What it runs with: when that changes, it is started anew. */
  async #markOf(row: WorkflowTriggerRow): Promise<string> {
    const call = await this.#callOf(row)
    return JSON.stringify([row.spec, 'problem' in call ? call.problem : call.start.connection?.key])
  }

  // It acts as the owner of a workflow that it starts: the first of them who may use its plugin and its connection.
  async #callOf(row: WorkflowTriggerRow): ReturnType<typeof pluginCallOf> {
    const services = this.#services()
    const trigger = triggerOf(row)
    let problem = 'Nobody who may act owns a workflow that it starts.'
    for (const workflow of trigger.type === 'plugin' ? await activeOf(services.store.reader, row.id) : []) {
      const owner = await services.store.reader.users.byId(workflow.owner_id ?? '')
      if (trigger.type !== 'plugin' || !owner?.active) continue
      const call = await pluginCallOf(services, principalOf(owner, 'run', null), trigger)
      if ('start' in call) return call
      problem = call.problem
    }
    return { problem }
  }

  #claim(id: string): Promise<boolean> {
    const { store, clock } = this.#services()
    const now = clock.now()
    return store.write(({ triggerKeepers }) => triggerKeepers.claim(id, this.#server.id, now, now + leaseMs))
  }

  #keep(row: WorkflowTriggerRow, mark: string): void {
    const stop = new AbortController()
    const done = this.#alive(row, stop)
      .catch((error: unknown) => {
        if (!stop.signal.aborted) this.#services().log.error('trigger.not_kept', { trigger: row.id, error })
      })
      .finally(async () => {
        this.#kept.delete(row.id)
        const { store } = this.#services()
        await store.write(({ triggerKeepers }) => triggerKeepers.release(row.id, this.#server.id)).catch(() => {})
        // It may be wanted with other settings.
        void this.look()
      })
    this.#kept.set(row.id, { mark, stop, done })
  }

  async #alive(row: WorkflowTriggerRow, stop: AbortController): Promise<void> {
    const { clock } = this.#services()
    const renewing = this.#renew(row.id, stop)
    try {
      for (let pause = firstPauseMs; !stop.signal.aborted; pause = Math.min(pause * 2, longestPauseMs)) {
        const begun = clock.now()
        const error = await this.#once(row, stop.signal)
        if (stop.signal.aborted) return
        if (clock.now() - begun >= healthyMs) pause = firstPauseMs
        await this.#note(row.id, error)
        await sleep(clock, pause, stop.signal)
      }
    } finally {
      stop.abort(new Error('The trigger is let go of'))
      await renewing
    }
  }

  /** Runs it until it ends, and gives why. */
  async #once(row: WorkflowTriggerRow, signal: AbortSignal): Promise<string> {
    const services = this.#services()
    try {
      const call = await this.#callOf(row)
      if ('problem' in call) return call.problem
      await this.#note(row.id, null)
      const onEvent = (event: PluginEvent) => this.#event(row, event)
      const start = { ...call.start, meta: await triggerMeta(services, row) }
      const answer = await services.plugins.trigger(start, { signal, onEvent })
      return call.masked(answer.error ?? 'The trigger ended by itself.')
    } catch (error) {
      if (signal.aborted) return ''
      if (!isFault(error)) services.log.warn('trigger.ended', { trigger: row.id, error })
      return isFault(error) || (error instanceof Error && error.name === 'PluginRefused')
        ? error.message
        : 'It could not be run; an operator finds the cause in the log.'
    }
  }

  // The plugin is answered when this resolves: the event is durable then.
  async #event(row: WorkflowTriggerRow, { output }: PluginEvent): Promise<void> {
    const { store, clock, ids, events } = this.#services()
    const event = { id: `plugin.${ids.record()}`, at: clock.now(), message: output, cause: null }
    const { full } = await store.write((db) => queuePluginEvent(db, row, event))
    events.publish({ kind: 'trigger', id: row.id, name: row.name, state: 'fired', resource_id: null })
    if (full > 0) throw new Error('Too many events of this trigger wait')
  }

  async #note(id: string, error: string | null): Promise<void> {
    const { store, log } = this.#services()
    await store
      .write(async ({ workflowTriggers }) => {
        const row = await workflowTriggers.byId(id)
        if (row && row.last_error !== error) await workflowTriggers.update(id, { last_error: error })
      })
      .catch((failed: unknown) => log.warn('trigger.not_noted', { trigger: id, error: failed }))
  }

  /** Holds on to it; when another server has it, because this one was away for too long, it is ended here. */
  async #renew(id: string, stop: AbortController): Promise<void> {
    const { clock, log } = this.#services()
    let last = clock.now()
    while (!stop.signal.aborted) {
      try {
        await sleep(clock, renewMs, stop.signal)
        if (!(await this.#claim(id))) return stop.abort(new Error('Another server keeps the trigger'))
        last = clock.now()
      } catch (error) {
        if (stop.signal.aborted) return
        log.warn('trigger.not_renewed', { trigger: id, error })
        if (clock.now() - last > leaseMs - renewMs) return stop.abort(new Error('The trigger could not be held on to'))
      }
    }
  }
}

export { TriggerKeeper }
