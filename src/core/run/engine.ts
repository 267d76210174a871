import { fault, problemsFault } from '../kernel/fault.ts'
import { sleep } from '../kernel/clock.ts'
import { graphProblems } from '../flow/check.ts'
import { auditLineOf } from '../operation/invoke.ts'
import { StoreUnavailable } from '../../ports/store/store.ts'
import { ActiveRun } from './active-run.ts'
import { Lease } from './lease.ts'
import { removeLeftovers } from './leftovers.ts'
import { notAccepted } from './not-accepted.ts'
import { rowsToKeep } from './repetition.ts'
import { workName } from './attempt.ts'
import { newRun } from './rows.ts'
import { isEnd } from '../kernel/run-state.ts'
import { WaitingRoom } from './waiting.ts'
import type { Ctx } from '../operation/context.ts'
import type { FlowGraph } from '../flow/graph.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { Principal } from '../identity/principal.ts'
import type { Services } from '../operation/services.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { AcceptAct, AdvanceAct, AdvanceResult } from '../../ports/store/runs.ts'
import type { Accepted, AcceptOptions, RunDraft } from './draft.ts'
import type { RunHost } from './host.ts'
import type { ServerIdentity } from './lease.ts'
import type { RunParent } from './rows.ts'
import type { RunSource } from './source.ts'

/** What operations ask of the run engine. */
type Engine = {
  /**
   * Makes a run durable and begins with it. Resolves after the commit; nothing has been started before.
   * Errors: `name_taken` (details.existing_id), `quota_exceeded`, `idempotency_key_reuse`, `store_unavailable`, `shutting_down`.
   */
  accept(ctx: Ctx, draft: RunDraft, options?: AcceptOptions): Promise<Accepted>
  /**
   * Orders a run to end: durable when it resolves, carried out afterwards by the server that owns the run. With `cleanup` the nodes that run in any case
   * still do. False when the run had ended already. Repeating the order changes nothing. `reason` becomes the reason of what is cancelled.
   */
  cancel(ctx: Ctx, runId: string, order: CancelOrder): Promise<boolean>
  /** A new run of the same graph and input that names the old one; from a step on when `from` is given: what is not downstream of it counts as done. */
  retry(ctx: Ctx, runId: string, options: RetryOptions): Promise<Accepted>
  /** Answers a question that a run waits for. */
  answer(ctx: Ctx, runId: string, key: string, answer: Json): Promise<void>
}

type RetryOptions = {
  /** Key of the step to begin with; what is not behind it counts as done. */
  readonly from?: string
  /** In place of those of the run before: a newer version of what it ran. */
  readonly graph?: FlowGraph
  readonly spec?: JsonObject
}

type CancelOrder = {
  readonly cleanup: boolean
  readonly reason: string
  /** Also marks it as deleted: it leaves the lists at once, also when it had ended. */
  readonly delete?: boolean
}

const retryStoreMs = 500
const lookAgainMs = 1000

/**
 * Carries out runs. It owns those that it accepted and those that it took over; each is an `ActiveRun` in memory whose truth is its rows.
 *
 * Life: made → `start` (announces the server, takes over what nobody owns, removes what no run owns) → accepting → `close` (lets go of everything; the work
 * itself goes on and is found again).
 */
class RunEngine implements Engine, RunHost {
  readonly waiting: WaitingRoom
  readonly #services: () => Services
  readonly #sources: ReadonlyMap<string, RunSource>
  readonly #server: ServerIdentity
  readonly #runs = new Map<string, ActiveRun>()
  /** Graphs in which nothing is wrong: many runs share the one of a version. */
  readonly #sound = new WeakSet<FlowGraph>()
  readonly #lease: Lease
  readonly #closing = new AbortController()
  readonly #freeing = new Set<Promise<void>>()
  #unsubscribe: (() => void)[] = []
  #lookAgain: { cancel(): void } | null = null

  constructor(options: { services: () => Services; sources: readonly RunSource[]; server: ServerIdentity }) {
    this.#services = options.services
    this.#sources = new Map(options.sources.map((source) => [source.kind, source]))
    this.#server = options.server
    this.waiting = new WaitingRoom({ onError: (error) => this.services.log.error('run.waiting_failed', { error }) })
    const { store, clock, log } = options.services()
    this.#lease = new Lease({ store, clock, log, server: options.server, adopt: (runs) => this.#takeOver(runs) })
  }

  get services(): Services {
    return this.#services()
  }

  /** Runs that this server carries out now. */
  get size(): number {
    return this.#runs.size
  }

  async start(): Promise<void> {
    const { bus } = this.services.store
    this.#unsubscribe = [bus.subscribe('run.order', (id) => void this.#order(id)), bus.subscribe('run.capacity', () => this.waiting.freed())]
    await this.#lease.start()
    await removeLeftovers(this.services)
    if (this.#server.shared) this.#lookForPlaces()
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The server stops'))
    this.#lookAgain?.cancel()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await Promise.all([...this.#runs.values()].map((run) => run.drop()))
    this.#runs.clear()
    await Promise.all(this.#freeing)
    await this.#lease.close()
  }

  async accept(ctx: Ctx, draft: RunDraft, options: AcceptOptions = {}): Promise<Accepted> {
    return this.#accept(ctx, draft, options, [])
  }

  async cancel(ctx: Ctx, runId: string, order: CancelOrder): Promise<boolean> {
    const { delete: remove = false, ...stop } = order
    const active = await ctx.write(async ({ db, clock }) => {
      const row = await db.runs.byId(runId)
      if (!row) throw fault('not_found', { kind: 'run', reference: runId }, { private: { kind: 'run', absence: 'missing' } })
      const gone = remove ? { listed: false, deleted_at: clock.now() } : {}
      const stopping = row.active && !row.cancel ? { cancel: stop } : {}
      await db.runs.patch(runId, { ...gone, ...stopping })
      return row.active
    })
    if (active) await this.#order(runId)
    if (active && !this.#runs.has(runId)) ctx.services.store.bus.publish('run.order', runId)
    return active
  }

  async retry(ctx: Ctx, runId: string, { from, graph: other, spec: changed }: RetryOptions): Promise<Accepted> {
    const old = await ctx.db.runs.byId(runId)
    if (!old?.graph) throw fault('not_found', { kind: 'run', reference: runId }, { private: { kind: 'run', absence: 'missing' } })
    if (this.source(old.kind).ownsRepetition) {
      throw fault('state_conflict', { what: `The run ${runId}`, state: `a ${old.kind}`, next: 'What it belongs to starts it again by itself.' })
    }
    const graph = other ?? (old.graph as unknown as FlowGraph) // written by us from a checked graph
    const id = ctx.ids.opaque()
    const steps = from === undefined ? [] : await ctx.db.steps.ofRun(runId)
    const earlier = from === undefined ? [] : rowsToKeep(graph, steps, from, id)
    const { kind, name, namespace, resource_id: resourceId, input } = old
    const spec = changed ?? old.spec
    const unique = old.parent_id === null && (kind === 'task' || kind === 'pipeline')
    const draft = { id, kind, name, namespace, resourceId, spec, graph, input, unique }
    return this.#accept(ctx, draft, { retryOf: runId, audit: [auditLineOf(ctx, { id })] }, earlier)
  }

  async answer(ctx: Ctx, runId: string, key: string, answer: Json): Promise<void> {
    await ctx.write(async ({ db }) => {
      if (await db.steps.answer(runId, key, answer)) return
      const step = await db.steps.one(runId, key)
      if (step?.kind !== 'question') throw fault('not_found', { kind: 'question', reference: key }, { private: { kind: 'step', absence: 'missing' } })
      const state = step.state === 'waiting' ? 'answered already' : step.state
      throw fault('state_conflict', { what: `The question "${key}"`, state, next: 'It takes one answer, while it waits.' })
    })
    if (this.#runs.has(runId)) this.#runs.get(runId)?.answered(key)
    else ctx.services.store.bus.publish('run.order', runId)
  }

  // RunHost ------------------------------------------------------------------------------------------------------------

  source(kind: string): RunSource {
    const source = this.#sources.get(kind)
    if (!source) throw fault('unsupported', { what: `A run of kind ${kind}`, why: 'this server knows no such kind' })
    return source
  }

  async prepare(
    draft: RunDraft,
    starter: Principal,
    options: { parent: RunParent | null; retryOf: string | null; earlier: readonly StepRow[] },
  ): Promise<{ run: ActiveRun; act: AcceptAct }> {
    const { clock, ids } = this.services
    const row = newRun({ clock, ids }, draft, starter, { owner: this.#server.id, parent: options.parent, retryOf: options.retryOf })
    const run = new ActiveRun(this, row)
    const { steps, starts } = await run.begin(options.earlier)
    // A copy: the live rows change as soon as the act is on its way.
    const act = {
      run: { ...row },
      steps: steps.map((step) => ({ ...step })),
      starts,
      unique: draft.unique,
      queueLimit: null,
      idempotency: null,
      slot: null,
      audit: [],
    }
    return { run, act }
  }

  persist(act: AdvanceAct): Promise<AdvanceResult> {
    return this.#recorded(act.run_id, () => this.services.store.engine.advance(act))
  }

  adopt(run: ActiveRun): void {
    this.#runs.set(run.row.id, run)
    this.changed(run.row)
  }

  forget(run: ActiveRun): void {
    this.#runs.delete(run.row.id)
  }

  ending(row: RunRow, exitCode: number | null): void {
    if (row.parent_id && row.parent_step) this.#runs.get(row.parent_id)?.childEnded(row.parent_step, row, exitCode)
  }

  finished(run: ActiveRun): void {
    this.forget(run)
    this.waiting.freed()
    if (this.#server.shared) this.services.store.bus.publish('run.capacity', '')
  }

  changed(row: RunRow): void {
    this.services.events.publish({
      kind: 'run',
      id: row.id,
      name: row.name,
      state: row.state,
      resource_id: row.resource_id,
      user_id: row.started_by,
      data: { kind: row.kind },
    })
    if (!isEnd(row.state)) this.#tellWaiting(row)
  }

  #tellWaiting({ parent_id, parent_step, state }: RunRow): void {
    if (parent_id && parent_step) this.#runs.get(parent_id)?.childWaits(parent_step, state === 'waiting')
  }

  workEnded(runId: string, position: number, attempt: number, runtimeName: string): void {
    const runtime = this.services.runtimes.get(runtimeName)
    if (!runtime) return
    const freeing = runtime
      .remove(workName(runId, position, attempt))
      .catch((error: unknown) => this.services.log.warn('run.not_removed', { run: runId, error }))
    this.#freeing.add(freeing)
    void freeing.finally(() => this.#freeing.delete(freeing))
  }

  cancelChild(id: string, reason: string): void {
    const order = () =>
      this.services.store.write(async ({ runs }) => {
        const row = await runs.byId(id)
        if (row?.active && !row.cancel) await runs.patch(id, { cancel: { cleanup: false, reason } })
      })
    void this.#recorded(id, order)
      .then(() => this.#order(id))
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.services.log.error('run.child_not_cancelled', { run: id, error })
      })
  }

  watchChild(id: string): void {
    const here = this.#runs.get(id)?.row
    if (here) {
      this.#tellWaiting(here)
      return
    }
    void (async () => {
      const row = await this.services.store.reader.runs.byId(id)
      if (!row?.parent_id || !row.parent_step) return
      if (!isEnd(row.state)) return this.#tellWaiting(row)
      const last = (await this.services.store.reader.steps.ofRun(id)).at(-1)
      this.#runs.get(row.parent_id)?.childEnded(row.parent_step, row, last?.exit_code ?? null)
    })()
  }

  // --------------------------------------------------------------------------------------------------------------------

  async #accept(ctx: Ctx, draft: RunDraft, options: AcceptOptions, earlier: readonly StepRow[]): Promise<Accepted> {
    if (this.#closing.signal.aborted) throw fault('shutting_down', {}, { retryAfterMs: 5000 })
    this.#checkGraph(draft)
    const parent = options.parentId === undefined ? null : { id: options.parentId, step: null }
    const prepared = await this.prepare(draft, ctx.principal, { parent, retryOf: options.retryOf ?? null, earlier })
    const { run } = prepared
    const { idempotency, slot } = options
    const act: AcceptAct = {
      ...prepared.act,
      queueLimit: options.queueLimit ?? null,
      idempotency: idempotency
        ? { ...idempotency, identity: ctx.principal.id, outcome: { run: run.row.id, replaced: false }, at: ctx.clock.now() }
        : null,
      slot: slot ? { schedule_id: slot.scheduleId, at: slot.at } : null,
      audit: options.audit ?? [],
    }
    const result = await this.services.store.engine.accept(act)
    if (result.outcome !== 'accepted') return notAccepted(ctx, draft, options, result)
    run.opened(result.started)
    this.adopt(run)
    return { run: { ...run.row }, replaced: result.replaced !== null, replayed: false }
  }

  #checkGraph({ name, graph }: RunDraft): void {
    if (this.#sound.has(graph)) return
    const problems = graphProblems(graph).filter((problem) => problem.severity !== 'warning')
    if (problems.length > 0) throw problemsFault('content_invalid', `The graph of "${name}"`, problems)
    this.#sound.add(graph)
  }

  // What has happened, and orders that were accepted, wait until the store can take them.
  async #recorded<T>(run: string, write: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await write()
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        this.services.log.error('run.not_recorded', { run, error })
        await sleep(this.services.clock, retryStoreMs, this.#closing.signal)
      }
    }
  }

  // Hands a stored order to the run, if this server carries it out.
  async #order(id: string): Promise<void> {
    const run = this.#runs.get(id)
    const stored = run && (await this.services.store.reader.runs.byId(id))
    run?.lookForAnswers()
    if (!stored?.cancel) return
    const { cleanup, reason } = stored.cancel
    run?.cancel({ cleanup: cleanup === true, reason: typeof reason === 'string' ? reason : 'cancelled' })
  }

  async #takeOver(rows: readonly RunRow[]): Promise<void> {
    const { reader } = this.services.store
    const steps = new Map<string, StepRow[]>(rows.map((row) => [row.id, []]))
    for (let at = 0; at < rows.length; at += 500) {
      for (const step of await reader.steps.ofRuns(rows.slice(at, at + 500).map((row) => row.id))) steps.get(step.run_id)?.push(step)
    }
    const taken: [ActiveRun, StepRow[]][] = []
    for (const row of rows) {
      // One record that cannot be read must not keep the others from going on: it is put aside and named.
      try {
        const run = new ActiveRun(this, row)
        this.#runs.set(row.id, run)
        taken.push([run, steps.get(row.id) ?? []])
      } catch (error) {
        this.services.log.error('run.quarantined', { run: row.id, error })
      }
    }
    // All are known before the first goes on: a parent finds its children.
    for (const [run, rowsOfRun] of taken) run.recover(rowsOfRun)
  }

  #lookForPlaces(): void {
    this.#lookAgain = this.services.clock.after(lookAgainMs, () => {
      this.waiting.freed()
      this.#lookForPlaces()
    })
  }
}

export type { Engine, CancelOrder }
export { RunEngine }
