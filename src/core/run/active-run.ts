import { CallWorker } from './call-worker.ts'
import { LetGo } from '../kernel/let-go.ts'
import { createFlow } from '../flow/flow.ts'
import { timeoutAnswer } from '../flow/graph.ts'
import { ContextBudget } from './context-budget.ts'
import { childDraft } from './launch.ts'
import { LateActs } from './late-acts.ts'
import { LiveSteps } from './live-steps.ts'
import { nodeOf } from './node.ts'
import { cancelReason, endOfRun, sizeOf } from './outcome.ts'
import { onlyWaits, progressOf } from './progress.ts'
import { isEnd } from '../kernel/run-state.ts'
import { StepWorker } from './step-worker.ts'
import { translate } from './translate.ts'
import { UnsavedRows } from './unsaved-rows.ts'
import type { Effect } from '../flow/machine.ts'
import type { FlowGraph, QuestionNode, RunNode } from '../flow/graph.ts'
import type { Flow } from '../flow/flow.ts'
import type { Json } from '../kernel/json.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { AcceptAct, AcceptResult, AdvanceAct, AdvanceResult, StepChange, StepStart } from '../../ports/store/runs.ts'
import type { CancelOrder } from './engine.ts'
import type { RunHost } from './host.ts'
import type { LiveStep } from './live-steps.ts'
import type { Finish, StepResult } from './outcome.ts'
import type { RunInside } from './step-worker.ts'
import type { Translation } from './translate.ts'

/** Writes that a run may have under way before it waits for one of them. */
const unsavedWrites = 4

/**
 * A run that this server carries out. Everything that happens to it is handled one after the other, in its mailbox: a piece of news is given to the flow,
 * what follows is recorded in one commit, and only then is anything started. So a crash at any point leaves rows from which the same can be done again.
 */
export class ActiveRun {
  readonly row: RunRow
  readonly #host: RunHost
  readonly #flow: Flow
  readonly #live: LiveSteps
  readonly #worker: StepWorker
  readonly #calls: CallWorker
  readonly #unsaved: UnsavedRows
  readonly #late: LateActs
  readonly #abort = new AbortController()
  readonly #lone: boolean
  #mailbox: Promise<void> = Promise.resolve()
  /** Effects of `begin` that can be recorded only after the run is stored. */
  #pending: Effect[] = []
  #position = 0
  readonly #budget = new ContextBudget()
  /** The step that decides how the run ends. */
  #last: StepResult | null = null
  #dropped = false
  readonly #stored = Promise.withResolvers<void>()

  constructor(host: RunHost, row: RunRow) {
    this.row = row
    this.#host = host
    const graph = row.graph as unknown as FlowGraph // written by us from a checked graph
    this.#lone = graph.nodes.length === 1
    this.#unsaved = new UnsavedRows(row.id, () => host.services.store.reader.steps)
    this.#late = new LateActs({
      clock: host.services.clock,
      persist: (act) => host.persist(act),
      written: (write) => {
        write.then(
          ({ fenced }) => (fenced ? this.post(async () => this.#lost()) : undefined),
          (error: unknown) => this.post(() => Promise.reject(error)),
        )
      },
    })
    this.#flow = createFlow(graph, { read: (key) => this.#read(key) })
    this.#live = new LiveSteps({
      clock: host.services.clock,
      onDue: (live) => this.post(() => this.#due(live)),
      onDeadline: (live) => this.post(() => this.#timedOut(live)),
    })
    const inside: RunInside = {
      host,
      row,
      live: this.#live,
      signal: this.#abort.signal,
      post: (work) => this.post(work),
      record: (changes, starts) => this.#record(changes, [], { starts }),
      end: (live, result) => this.#end(live, result),
    }
    this.#worker = new StepWorker(inside)
    this.#calls = new CallWorker({ ...inside, rows: this.#unsaved, started: (key) => this.#tellStarted(key) })
  }

  /** The first steps of a run that is not stored yet, for the act that accepts it. `opened` goes on after its commit. */
  async begin(earlier: readonly StepRow[]): Promise<{ steps: StepRow[]; starts: StepStart[] }> {
    // What is kept of an earlier run is read before it is stored with this one.
    if (earlier.length > 0) this.#unsaved.keep(earlier, this.#stored.promise)
    const effects = await (earlier.length > 0 ? this.#restore(earlier) : this.#flow.start(this.row.input))
    this.#position = earlier.length
    this.#pending = effects.filter((effect) => effect.do === 'finish' || effect.do === 'more')
    const { create, starts } = this.#translate(effects)
    if (onlyWaits(this.#live.all())) Object.assign(this.row, { state: 'waiting', started_at: this.row.created_at })
    return { steps: [...earlier, ...create], starts }
  }

  /** The run is stored: begins with what was started in that commit. */
  opened(started: readonly string[]): void {
    this.#stored.resolve()
    if (started.length > 0) Object.assign(this.row, { state: 'running', started_at: this.row.created_at })
    this.post(async () => {
      await this.#afterCommit(started)
      if (this.#pending.length > 0) await this.#record([], this.#pending.splice(0))
    })
  }

  /** Goes on with a run found in the store, from its rows. */
  recover(steps: readonly StepRow[]): void {
    this.#position = steps.reduce((highest, step) => Math.max(highest, step.position + 1), 0)
    this.post(async () => {
      await this.#record([], await this.#restore(steps))
      for (const live of this.#live.all()) if (this.#live.has(live) && !live.launched) await this.#resume(live)
    })
  }

  /** Carries out an order to end the run. */
  cancel(order: CancelOrder): void {
    this.post(async () => {
      if (isEnd(this.row.state)) return
      this.row.cancel = { ...order }
      await this.#record([], await this.#flow.stop({ cleanup: order.cleanup }))
    })
  }

  /** The run that a step waited for has ended. */
  childEnded(key: string, child: RunRow, exitCode: number | null): void {
    this.post(async () => {
      const live = this.#live.get(key)
      if (!live) return
      const { state, reason, message, output } = child
      // A child that somebody else ended has failed, as far as this run is concerned; one that we ended was cancelled.
      const end = state === 'cancelled' && !live.stopping ? 'failed' : isEnd(state) ? state : 'lost'
      await this.#end(live, { state: end, reason, message, exitCode, output })
    })
  }

  /** The run that a step waits for does nothing but wait from now on, or does something again. */
  childWaits(key: string, waits: boolean): void {
    const live = this.#live.get(key)
    if (!live || live.childWaits === waits) return
    live.childWaits = waits
    this.post(async () => void (await this.#record([], [])))
  }

  /** The answer of a waiting question is stored. */
  answered(key: string): void {
    this.post(async () => {
      const live = this.#live.get(key)
      if (live?.node.kind === 'question') await this.#takeAnswer(live)
    })
  }

  /** Some question may have been answered by way of another server. */
  lookForAnswers(): void {
    for (const { node, row } of this.#live.all()) if (node.kind === 'question') this.answered(row.key)
  }

  /** Lets go of everything: the work goes on, this server does not follow it any more. */
  async drop(): Promise<void> {
    this.#letGo(new LetGo('This server lets go of the run'))
    await this.#mailbox
  }

  /** Handles a piece of news after those before it. */
  post(work: () => Promise<void>): void {
    this.#mailbox = this.#mailbox.then(async () => {
      if (this.#dropped) return
      try {
        await work()
      } catch (error) {
        if (!this.#dropped) await this.#broken(error)
      }
    })
  }

  #restore(steps: readonly StepRow[]): Promise<Effect[]> {
    for (const step of steps) {
      this.#budget.keep([step], sizeOf(step.output))
      const node = isEnd(step.state) ? null : nodeOf(this.row, step.key)
      const live = node && this.#live.add(step, node, this.#host.services.runtimes.get(step.runtime) ?? null)
      // Until it is looked at (`watchChild`), so that a restart does not tell everybody that the run goes on and waits again.
      if (live && step.child_id !== null) live.childWaits = this.row.state === 'waiting'
    }
    const rows = steps.map(({ key, state, output, reason, attempts, attempt, started_at }) => {
      // What was cancelled while it was queued had never begun, and its edges end otherwise than those of what had.
      const unbegun = state === 'queued' || state === 'cancelled' || state === 'skipped'
      return { key, state, output, reason, started: !unbegun || attempt > 1 || attempts.length > 0 || started_at !== null }
    })
    const { cancel, input } = this.row
    return this.#flow.restore(rows, { input, stop: cancel ? { cleanup: cancel.cleanup === true } : null })
  }

  async #read(key: string): Promise<Json | undefined> {
    return (await this.#unsaved.one(key))?.output ?? undefined
  }

  #translate(effects: readonly Effect[]) {
    const next = translate(this.#host, this.row, this.#live, effects, () => this.#position++)
    this.#budget.keep(next.create, next.size)
    this.#last = next.last ?? this.#last
    return next
  }

  /** Records changes and what follows from them in one commit, then does what it says. */
  async #record(
    changes: readonly StepChange[],
    effects: readonly Effect[],
    extra: { starts?: readonly StepStart[]; children?: readonly AcceptAct[]; ended?: StepRow } = {},
  ): Promise<AdvanceResult | null> {
    const next = this.#translate(effects)
    const born = await this.#bear(next.create)
    const run = this.#runPatch(next.finish, changes)
    const given = extra.children ?? []
    const act: AdvanceAct = {
      run_id: this.row.id,
      owner: this.row.owner,
      fence: this.row.fence,
      steps: [...changes, ...next.changes],
      create: next.create,
      starts: [...(extra.starts ?? []), ...next.starts],
      run,
      children: [...given, ...born.map((child) => child.act)],
      audit: [],
    }
    const empty = act.steps.length + act.create.length + act.starts.length + act.children.length === 0 && !run
    const late = extra.ended && this.#goesOnUnsaved(act, next) ? [extra.ended, ...next.changed] : null
    const recorded = late ? this.#saveLater(late, act) : empty ? nothing : this.#save(act)
    // After its own act and before that is durable: what the parent makes of the end goes through in the same commit, and never in an earlier one.
    if (next.finish) this.#host.ending({ ...this.row, ...run }, this.#last?.exitCode ?? null)
    const result = await recorded
    if (result.fenced) {
      this.#lost()
      return null
    }
    this.#apply(act)
    if (!late) this.#tell(act)
    for (const key of next.stops) await this.#stop(key)
    for (const [at, child] of born.entries()) await this.#born(child, result.children[given.length + at])
    await this.#afterCommit(result.started)
    if (next.finish) this.#finished()
    else if (next.more) await this.#record([], await this.#flow.more())
    return result
  }

  #save(act: AdvanceAct): Promise<AdvanceResult> {
    this.#unsaved.forget()
    return this.#late.write(act)
  }

  /** Whether nothing but steps that take no time follows, so that a crash takes nothing that could not be done again. */
  #goesOnUnsaved({ run, starts, children, create }: AdvanceAct, { stops }: Translation): boolean {
    const begins = run === null || run.state === 'running'
    if (this.#late.writes >= unsavedWrites || !begins || starts.length + children.length + stops.length > 0) return false
    return create.every(({ key }) => {
      const node = this.#live.get(key)?.node
      return !node || node.kind === 'loop' || node.kind === 'scope' || (node.kind === 'call' && node.instant === true)
    })
  }

  #saveLater(changed: readonly StepRow[], act: AdvanceAct): AdvanceResult {
    const durable = this.#late.hold(act, this.#budget.outputs)
    this.#unsaved.keep([...changed, ...act.create.map((row) => ({ ...row }))], durable)
    const tell = () => (isEnd(this.row.state) ? undefined : this.#host.changed(this.row))
    if (act.run?.state) durable.then(tell, () => {})
    return nothing
  }

  #lost(): void {
    this.#letGo(new LetGo('Another server carries this run out'))
    this.#host.forget(this)
  }

  #apply(act: AdvanceAct): void {
    for (const change of act.steps) Object.assign(this.#live.get(change.key)?.row ?? {}, change.patch)
    if (act.run) Object.assign(this.row, act.run)
  }

  // For whoever waits for news or a place.
  #tell(act: AdvanceAct): void {
    if (act.run?.state) this.#host.changed(this.row)
    if (act.steps.length > 0) this.#host.waiting.freed()
  }

  // Begins with what got its places, lines up what did not, and launches what needs none.
  async #afterCommit(started: readonly string[]): Promise<void> {
    for (const key of started) {
      const live = this.#live.get(key)
      if (!live) continue
      Object.assign(live.row, { state: 'starting', reason: null, started_at: live.row.started_at ?? this.#host.services.clock.now() })
      live.launched = true
      await this.#tellStarted(key)
      this.#worker.begin(live)
    }
    for (const live of this.#live.all()) if (live.row.state === 'queued' && !live.launched) await this.#launch(live)
  }

  async #launch(live: LiveStep): Promise<void> {
    live.launched = true
    if (live.node.kind === 'work') this.#worker.lineUp(live)
    else if (live.node.kind === 'run') await this.#startChild(live, live.node)
    else if (live.node.kind === 'call') await this.#calls.begin(live, live.node)
  }

  async #resume(live: LiveStep): Promise<void> {
    const { row, node } = live
    const begun = row.state === 'starting' || row.state === 'running'
    if (node.kind === 'work' && begun) this.#worker.resume(live)
    else if (node.kind === 'question' && row.handle) await this.#takeAnswer(live)
    else if (node.kind === 'run' && row.child_id) this.#host.watchChild(row.child_id)
    else if (node.kind === 'call' && (begun || live.stopping)) await this.#calls.resume(live, node)
    else if (row.state === 'queued') await this.#launch(live)
  }

  /** The child runs of steps that are made just now, for the same commit. One that cannot be made is left to `#startChild`, which tells why. */
  async #bear(create: readonly StepRow[]): Promise<Born[]> {
    const born: Born[] = []
    for (const row of create) {
      const live = row.state === 'queued' ? this.#live.get(row.key) : undefined
      if (live?.node.kind !== 'run') continue
      const child = await childDraft(this.#host, this.row, live.node, row).catch(() => null)
      if (!child) continue
      live.launched = true
      Object.assign(row, { state: 'running', child_id: child.run.row.id, started_at: this.#host.services.clock.now() } satisfies Partial<StepRow>)
      born.push({ ...child, live })
    }
    return born
  }

  async #startChild(live: LiveStep, node: RunNode): Promise<void> {
    const child = await childDraft(this.#host, this.row, node, live.row).catch((error: unknown) => this.#calls.refused(live, error))
    if (!child) return
    const { run, act } = child
    const { key, attempt } = live.row
    const change = { key, attempt, patch: { state: 'running' as const, child_id: run.row.id, started_at: this.#host.services.clock.now() } }
    const result = await this.#record([change], [], { children: [act] })
    if (result) await this.#born({ ...child, live }, result.children[0])
  }

  async #born({ run, live }: Born, result: AcceptResult | undefined): Promise<void> {
    if (result?.outcome === 'accepted') {
      this.#host.adopt(run)
      run.opened(result.started)
      await this.#tellStarted(live.row.key)
    } else {
      await this.#end(live, { state: 'failed', reason: 'start_failed', message: `The name "${run.row.name}" is in use by another run` })
    }
  }

  /** A step has ended for good: recorded together with what the flow makes of it. */
  async #end(live: LiveStep, given: StepResult): Promise<void> {
    const result = this.#budget.admit(live.row.key, given)
    const { row } = live
    const { state, reason, message = null, output = null, exitCode = null } = result
    const { attempts, started_at } = row
    const patch = {
      state,
      reason,
      message,
      output,
      exit_code: exitCode,
      attempts,
      started_at,
      due_at: null,
      finished_at: this.#host.services.clock.now(),
    }
    this.#live.remove(live)
    if (state !== 'succeeded' || this.#lone) this.#last = result
    // Only what was created ends here, and that is never skipped.
    const effects = await this.#flow.ended(row.key, { state: state === 'skipped' ? 'cancelled' : state, output })
    const instant = live.node.kind === 'call' && live.node.instant === true
    const recorded = await this.#record([{ key: row.key, attempt: row.attempt, patch }], effects, instant ? { ended: { ...row, ...patch } } : {})
    if (recorded && !instant && live.node.kind === 'call') this.#host.source(this.row.kind).settled?.(this.#host.services, this.row, row)
  }

  async #stop(key: string): Promise<void> {
    const live = this.#live.get(key)
    if (!live) return
    const stopping = { state: 'cancelled' as const, reason: cancelReason(this.row) ?? 'cancelled' }
    if (live.node.kind === 'work') return this.#worker.stop(live, stopping)
    live.stopping = stopping
    live.ending?.abort(cancelled)
    if (live.node.kind === 'run' && live.row.child_id) this.#host.cancelChild(live.row.child_id, stopping.reason)
  }

  /** Ends a question with the answer that was stored for it; false when there is none. */
  async #takeAnswer(live: LiveStep): Promise<boolean> {
    const stored = (await this.#host.services.store.reader.steps.one(this.row.id, live.row.key))?.handle
    if (!stored || !Object.hasOwn(stored, 'answer') || !this.#live.has(live)) return false
    await this.#end(live, { state: 'succeeded', reason: 'answered', output: stored.answer ?? null })
    return true
  }

  async #due(live: LiveStep): Promise<void> {
    if (!this.#live.has(live)) return
    // Who answered in time is heard even if the news of it comes later than the clock; who comes after this is told that it is too late.
    if (live.node.kind === 'question' && !(await this.#expire(live)) && (await this.#takeAnswer(live))) return
    if (live.node.kind === 'timer') await this.#end(live, { state: 'succeeded', reason: null })
    else if (live.node.kind === 'question')
      await this.#end(live, { state: 'timed_out', reason: 'timeout', message: lateMessage(live.node), output: timeoutAnswer(live.node) })
    else await this.#worker.retry(live)
  }

  #expire({ row: { key } }: LiveStep): Promise<boolean> {
    return this.#host.services.store.write(({ steps }) => steps.expire(this.row.id, key))
  }

  async #timedOut(live: LiveStep): Promise<void> {
    if (this.#live.has(live)) await this.#worker.stop(live, { state: 'timed_out', reason: 'timeout' })
  }

  async #tellStarted(key: string): Promise<void> {
    const effects = await this.#flow.started(key)
    if (effects.length > 0) await this.#record([], effects)
  }

  #runPatch(finish: Finish | null, changes: readonly StepChange[]): AdvanceAct['run'] {
    const now = this.#host.services.clock.now()
    if (finish) return endOfRun(this.row, finish, this.#last, { lone: this.#lone, now })
    return progressOf(this.row, { live: this.#live.all(), changes, now })
  }

  #finished(): void {
    this.#live.clear()
    this.#host.finished(this)
  }

  #letGo(why: unknown): void {
    this.#dropped = true
    this.#abort.abort(why)
    for (const live of this.#live.all()) live.ending?.abort(why)
    this.#live.disarm()
    this.#late.drop()
  }

  // A defect, not an answer of the store: the run must not hang for ever, and must not take others with it.
  async #broken(error: unknown): Promise<void> {
    const { log, clock } = this.#host.services
    log.error('run.broken', { run: this.row.id, error })
    const failed = { state: 'failed' as const, reason: 'internal', finished_at: clock.now() }
    const run = { ...failed, message: 'The run could not be carried on. An operator finds the cause in the log', active: false }
    const steps = this.#live.all().map(({ row }) => ({ key: row.key, attempt: row.attempt, patch: failed }))
    this.#letGo(error)
    const { id, owner, fence } = this.row
    await this.#host.persist({ run_id: id, owner, fence, steps, create: [], starts: [], run, children: [], audit: [] })
    Object.assign(this.row, run)
    this.#host.changed(this.row)
    this.#host.ending(this.row, null)
    this.#host.finished(this)
  }
}

type Born = { readonly run: ActiveRun; readonly act: AcceptAct; readonly live: LiveStep }

const lateMessage = (node: QuestionNode) => (node.on_timeout === 'fail' ? 'Nobody decided in time' : null)
const cancelled = new Error('The run was ended')
const nothing: AdvanceResult = { fenced: false, started: [], refused: [], children: [] }
