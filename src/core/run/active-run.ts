import { isFault } from '../kernel/fault.ts'
import { createFlow } from '../flow/flow.ts'
import { isEnd } from './state.ts'
import { newStep, policyOf } from './rows.ts'
import { performAttempt, recoverAttempt } from './attempt.ts'
import { defaultPolicy, retryDelay } from './retry.ts'
import { callOperation, childDraft } from './launch.ts'
import type { Effect } from '../flow/machine.ts'
import type { Flow } from '../flow/flow.ts'
import type { FlowGraph, FlowNode } from '../flow/graph.ts'
import type { Timer } from '../kernel/clock.ts'
import type { Json } from '../kernel/json.ts'
import type { Handle, Runtime } from '../../ports/runtime.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { AdvanceAct, AdvanceResult, StepChange, StepStart } from '../../ports/store/runs.ts'
import type { AttemptEnd } from './attempt.ts'
import type { EndState } from './state.ts'
import type { CancelOrder } from './engine.ts'
import type { RunHost } from './host.ts'

/** A step that has not ended: its row as last recorded, and what this server has in hand for it. */
type Live = {
  readonly row: StepRow
  readonly node: FlowNode
  runtime: Runtime | null
  handle: Handle | null
  /** Why it is being ended; decides its state when its work is gone. */
  stopping: { readonly state: 'cancelled' | 'timed_out'; readonly reason: string } | null
  timer: Timer | null
  deadline: Timer | null
}

type StepResult = {
  readonly state: EndState
  readonly reason: string | null
  readonly message?: string | null
  readonly exitCode?: number | null
  readonly output?: Json
}

/** Outputs that one run may keep. */
const contextLimit = 64 * 1024 * 1024

/**
 * A run that this server carries out. Everything that happens to it is handled one after the other, in its mailbox: a piece of news is given to the flow,
 * what follows is recorded in one commit, and only then is anything started. So a crash at any point leaves rows from which the same can be done again.
 */
export class ActiveRun {
  readonly row: RunRow
  readonly #host: RunHost
  readonly #flow: Flow
  readonly #live = new Map<string, Live>()
  readonly #abort = new AbortController()
  readonly #lone: boolean
  #tail: Promise<void> = Promise.resolve()
  #position = 0
  #context = 0
  #last: StepResult | null = null
  #dropped = false

  constructor(host: RunHost, row: RunRow) {
    this.row = row
    this.#host = host
    const graph = row.graph as unknown as FlowGraph // written by us from a checked graph
    this.#lone = graph.nodes.length === 1
    this.#flow = createFlow(graph, { read: (key) => this.#read(key) })
  }

  /** The first steps of a run that is not stored yet, for the act that accepts it. `opened` goes on after its commit. */
  async begin(earlier: readonly StepRow[]): Promise<{ steps: StepRow[]; starts: StepStart[] }> {
    const effects = await (earlier.length > 0 ? this.#restoreFlow(earlier) : this.#flow.start(this.row.input))
    this.#position = earlier.length
    for (const step of earlier) if (!isEnd(step.state)) this.#relive(step)
    this.#pending = effects.filter((effect) => effect.do === 'finish' || effect.do === 'more')
    const { create, starts } = this.#translate(effects)
    return { steps: [...earlier, ...create], starts }
  }
  #pending: Effect[] = []

  /** The run is stored: begins with what was started in that commit. */
  opened(started: readonly string[]): void {
    this.post(async () => {
      await this.#settleStarts(started)
      if (this.#pending.length > 0) await this.#record([], this.#pending.splice(0))
    })
  }

  /** Goes on with a run found in the store, from its rows. */
  recover(steps: readonly StepRow[]): void {
    this.#position = steps.reduce((highest, step) => Math.max(highest, step.position + 1), 0)
    this.post(async () => {
      const effects = await this.#restoreFlow(steps)
      for (const step of steps) if (!isEnd(step.state)) this.#relive(step)
      await this.#record([], effects)
      for (const live of [...this.#live.values()]) await this.#resume(live)
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
      const { state, reason, message } = child
      // A child that somebody else ended has failed, as far as this run is concerned; one that we ended was cancelled.
      const end = state === 'cancelled' && !live.stopping ? 'failed' : isEnd(state) ? state : 'lost'
      await this.#end(live, { state: end, reason, message, exitCode, output: child.output })
    })
  }

  /** Gives a waiting question its answer. */
  answer(key: string, answer: Json): void {
    this.post(async () => {
      const live = this.#live.get(key)
      if (live?.node.kind === 'question') await this.#end(live, { state: 'succeeded', reason: 'answered', output: answer })
    })
  }

  /** Lets go of everything: the work goes on, this server does not follow it any more. */
  async drop(): Promise<void> {
    this.#dropped = true
    this.#abort.abort(new Error('This server lets go of the run'))
    for (const live of this.#live.values()) this.#disarm(live)
    await this.#tail
  }

  /** Handles a piece of news after those before it. */
  post(work: () => Promise<void>): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#dropped) return
      try {
        await work()
      } catch (error) {
        if (!this.#dropped) await this.#broken(error)
      }
    })
  }

  #restoreFlow(steps: readonly StepRow[]): Promise<Effect[]> {
    for (const step of steps) this.#context += sizeOf(step.output)
    const rows = steps.map((step) => ({
      key: step.key,
      state: step.state,
      output: step.output,
      reason: step.reason,
      started: step.attempt > 1 || step.started_at !== null || step.child_id !== null || !['queued'].includes(step.state),
    }))
    return this.#flow.restore(rows, { input: this.row.input, stop: this.row.cancel ? { cleanup: this.row.cancel.cleanup === true } : null })
  }

  async #read(key: string): Promise<Json | undefined> {
    const step = await this.#host.services.store.reader.steps.one(this.row.id, key)
    return step?.output ?? undefined
  }

  // From effects to rows. Nothing is done here: what has to be started is started after the commit.
  #translate(effects: readonly Effect[]): {
    create: StepRow[]
    changes: StepChange[]
    starts: StepStart[]
    stops: string[]
    finish: Finish | null
    more: boolean
  } {
    const now = this.#host.services.clock.now()
    const create = new Map<string, StepRow>()
    const changes: StepChange[] = []
    const starts: StepStart[] = []
    const stops: string[] = []
    let finish: Finish | null = null
    let more = false
    for (const effect of effects) {
      if (effect.do === 'finish') finish = effect
      else if (effect.do === 'more') more = true
      else if (effect.do === 'stop') stops.push(effect.key)
      else if (effect.do === 'create') {
        const row = newStep(this.row, effect, this.#position++, now)
        const live = this.#keep(row, effect.node)
        create.set(row.key, row)
        if (effect.node.kind === 'work') {
          const placement = this.#host.source(this.row.kind).place(this.#host.services, this.row, effect.node)
          row.runtime = placement.runtime
          live.runtime = this.#host.services.runtimes.get(placement.runtime) ?? null
          // Who waits already in this namespace comes first.
          if (!this.#host.waiting.has(this.row.namespace)) starts.push({ key: row.key, places: placement.places })
        }
      } else {
        const state: EndState = effect.do === 'skip' ? 'skipped' : effect.state
        const reason = state === 'cancelled' ? this.#cancelReason() : effect.reason
        const made = create.get(effect.key)
        const live = this.#live.get(effect.key)
        const patch = {
          state,
          reason,
          message: effect.do === 'end' ? effect.message : null,
          output: effect.do === 'end' ? effect.output : null,
          finished_at: now,
        }
        if (made) Object.assign(made, patch)
        else if (live) changes.push({ key: effect.key, attempt: live.row.attempt, patch })
        else create.set(effect.key, { ...newStep(this.row, effect, this.#position++, now), reason })
        if (live) this.#forget(live)
        if (state !== 'succeeded') this.#last = { state, reason, message: patch.message }
        this.#context += sizeOf(patch.output)
      }
    }
    return { create: [...create.values()], changes, starts: starts.filter((start) => create.get(start.key)?.state === 'queued'), stops, finish, more }
  }

  /** Records changes and what follows from them in one commit, then does what it says. */
  async #record(changes: StepChange[], effects: Effect[], extra: Partial<AdvanceAct> = {}): Promise<AdvanceResult | null> {
    const next = this.#translate(effects)
    const run = this.#runPatch(next.finish)
    const act: AdvanceAct = {
      run_id: this.row.id,
      owner: this.row.owner,
      fence: this.row.fence,
      steps: [...changes, ...next.changes],
      create: next.create,
      starts: [...(extra.starts ?? []), ...next.starts],
      run,
      children: extra.children ?? [],
      audit: [],
    }
    if (act.steps.length + act.create.length + act.starts.length === 0 && !run && act.children.length === 0 && next.stops.length === 0) {
      return next.more ? this.#record([], await this.#flow.more()) : null
    }
    const result = await this.#host.persist(act)
    if (result.fenced) {
      this.#dropped = true
      this.#abort.abort(new Error('Another server carries this run out'))
      this.#host.forget(this)
      return null
    }
    if (run) Object.assign(this.row, run)
    for (const change of act.steps) {
      const live = this.#live.get(change.key)
      if (live) Object.assign(live.row, change.patch)
    }
    if (run?.state) this.#host.changed(this.row)
    if (act.steps.length > 0) this.#host.waiting.freed()
    for (const key of next.stops) await this.#stop(key)
    await this.#settleStarts(result.started)
    if (next.finish) this.#finished()
    else if (next.more) await this.#record([], await this.#flow.more())
    return result
  }

  // After a commit: begins with what got its places, lines up what did not, and launches what needs none.
  async #settleStarts(started: readonly string[]): Promise<void> {
    for (const key of started) {
      const live = this.#live.get(key)
      if (!live) continue
      const now = this.#host.services.clock.now()
      Object.assign(live.row, { state: 'starting', reason: null, started_at: live.row.started_at ?? now })
      await this.#follow(await this.#flow.started(key))
      this.#attempt(live)
    }
    for (const live of this.#live.values()) if (!live.row.handle && live.row.state === 'queued' && !this.#queued.has(live)) await this.#launch(live)
  }
  readonly #queued = new WeakSet<Live>()

  async #launch(live: Live): Promise<void> {
    this.#queued.add(live)
    if (live.node.kind === 'work') this.#lineUp(live)
    else if (live.node.kind === 'run') await this.#startChild(live, live.node)
    else if (live.node.kind === 'call') await this.#call(live, live.node)
  }

  async #follow(effects: Effect[]): Promise<void> {
    if (effects.length > 0) await this.#record([], effects)
  }

  #lineUp(live: Live): void {
    if (live.node.kind !== 'work') return
    const { places } = this.#host.source(this.row.kind).place(this.#host.services, this.row, live.node)
    const waiter = {
      namespace: this.row.namespace,
      places,
      start: () =>
        new Promise<string | null>((resolve) => {
          if (this.#dropped) return resolve(null)
          this.post(async () => {
            if (this.#live.get(live.row.key) !== live || live.row.state !== 'queued') return resolve(null)
            try {
              const result = await this.#record([], [], { starts: [{ key: live.row.key, places }] })
              const refused = result?.refused.find((refusal) => refusal.key === live.row.key)
              resolve(refused ? refused.gauge : null)
            } catch (error) {
              resolve(null)
              throw error
            }
          })
        }),
    }
    this.#host.waiting.add(waiter)
    this.#host.waiting.freed()
  }

  #attempt(live: Live): void {
    const { node, row, runtime } = live
    if (node.kind !== 'work') return
    this.#armDeadline(live)
    if (!runtime) {
      const message = `There is no runtime "${row.runtime}" here`
      const end: AttemptEnd = {
        state: 'failed',
        reason: 'start_failed',
        message,
        exitCode: null,
        finishedAt: this.#host.services.clock.now(),
        final: true,
      }
      this.post(() => this.#attemptEnded(live, end))
      return
    }
    this.#watch(live, performAttempt(this.#attemptOptions(live, node, runtime)))
  }

  #attemptOptions(live: Live, node: Extract<FlowNode, { kind: 'work' }>, runtime: Runtime) {
    const { services } = this.#host
    // The attempt sees the row as it is now: a later attempt has another number.
    const step = { ...live.row }
    return {
      services,
      runtime,
      step,
      prepare: () => this.#host.source(this.row.kind).work(services, this.row, step, node, step.input),
      onStarted: (handle: Handle, warning: string | null) => {
        // Known at once, not after the mailbox: an order to stop must find it.
        live.handle = handle
        this.post(() => this.#running(live, handle, warning))
      },
      signal: this.#abort.signal,
    }
  }

  #watch(live: Live, attempt: Promise<AttemptEnd>): void {
    attempt.then(
      (end) => this.post(() => this.#attemptEnded(live, end)),
      (error) => {
        if (!this.#abort.signal.aborted) this.post(() => Promise.reject(error))
      },
    )
  }

  async #running(live: Live, handle: Handle, warning: string | null): Promise<void> {
    if (this.#live.get(live.row.key) !== live || live.row.state === 'running') return
    live.handle = handle
    const patch = {
      state: 'running' as const,
      reason: null,
      message: warning,
      started_at: live.row.started_at,
      handle: { ...handle, data: { ...handle.data } },
    }
    await this.#record([{ key: live.row.key, attempt: live.row.attempt, patch }], [])
    if (live.stopping) this.#stopWork(live)
  }

  async #attemptEnded(live: Live, end: AttemptEnd): Promise<void> {
    if (this.#live.get(live.row.key) !== live) return
    const { row } = live
    const { services } = this.#host
    const name = { run: row.run_id, step: row.key, attempt: row.attempt }
    void services.runLog.finish(name).catch(() => {})
    const finished = { attempt: row.attempt, state: live.stopping?.state ?? end.state, reason: live.stopping?.reason ?? end.reason }
    row.attempts = [...row.attempts, { ...finished, exit_code: end.exitCode, started_at: row.started_at, finished_at: end.finishedAt }]
    this.#host.workEnded(row)
    if (live.stopping) return this.#end(live, { ...live.stopping, exitCode: end.exitCode, message: end.message })
    const output = { exit_code: end.exitCode }
    if (end.state === 'succeeded') return this.#end(live, { state: 'succeeded', reason: null, exitCode: end.exitCode, output })
    const again = row.attempt < row.max_attempts && !end.final && !this.row.cancel
    if (!again) return this.#end(live, { state: end.state, reason: end.reason, message: end.message, exitCode: end.exitCode, output })
    const policy = policyOf(live.node) ?? defaultPolicy
    const due = services.clock.now() + retryDelay(policy, row.attempt + 1, services.ids.fraction())
    live.handle = null
    const patch = {
      state: 'waiting' as const,
      reason: 'retry_wait',
      message: end.message,
      exit_code: end.exitCode,
      due_at: due,
      attempts: row.attempts,
      handle: null,
    }
    await this.#record([{ key: row.key, attempt: row.attempt, patch }], [])
    this.#arm(live)
  }

  async #retry(live: Live): Promise<void> {
    if (this.#live.get(live.row.key) !== live || live.row.state !== 'waiting') return
    const attempt = live.row.attempt
    await this.#record([{ key: live.row.key, attempt, patch: { attempt: attempt + 1, state: 'queued', reason: null, due_at: null } }], [])
    this.#lineUp(live)
  }

  /** A step has ended for good: recorded together with what the flow makes of it. */
  async #end(live: Live, result: StepResult): Promise<void> {
    const { row } = live
    let { state, reason, message = null, output = null } = result
    this.#context += sizeOf(output)
    if (this.#context > contextLimit) {
      state = 'failed'
      reason = 'context_too_large'
      message = `The step "${row.key}" would make the outputs of this run larger than ${contextLimit / 1024 / 1024} MiB.`
      output = null
    }
    const now = this.#host.services.clock.now()
    const patch = {
      state,
      reason,
      message,
      exit_code: result.exitCode ?? null,
      output,
      due_at: null,
      attempts: row.attempts,
      started_at: row.started_at,
      finished_at: now,
    }
    this.#forget(live)
    if (state !== 'succeeded' || this.#lone) this.#last = { ...result, state, reason, message, output }
    // A step that is skipped cannot come here: only what was created ends.
    const effects = await this.#flow.ended(row.key, { state: state === 'skipped' ? 'cancelled' : state, output })
    await this.#record([{ key: row.key, attempt: row.attempt, patch }], effects)
  }

  async #startChild(live: Live, node: Extract<FlowNode, { kind: 'run' }>): Promise<void> {
    const child = await childDraft(this.#host, this.row, node, live.row).catch((error: unknown) => this.#refused(live, error))
    if (!child) return
    const { run, act } = child
    const change = {
      key: live.row.key,
      attempt: live.row.attempt,
      patch: { state: 'running' as const, child_id: run.row.id, started_at: this.#host.services.clock.now() },
    }
    const result = await this.#record([change], [], { children: [act] })
    const accepted = result?.children[0]
    if (accepted?.outcome === 'accepted') {
      this.#host.adopt(run)
      run.opened(accepted.started)
      await this.#follow(await this.#flow.started(live.row.key))
    } else if (result)
      await this.#end(live, { state: 'failed', reason: 'start_failed', message: `The name "${run.row.name}" is in use by another run` })
  }

  async #call(live: Live, node: Extract<FlowNode, { kind: 'call' }>): Promise<void> {
    await this.#record(
      [{ key: live.row.key, attempt: live.row.attempt, patch: { state: 'running', started_at: this.#host.services.clock.now() } }],
      [],
    )
    await this.#follow(await this.#flow.started(live.row.key))
    callOperation(this.#host, this.row, live.row, node, this.#abort.signal).then(
      (output) => this.post(() => this.#callEnded(live, { state: 'succeeded', reason: null, output })),
      (error: unknown) => this.post(() => this.#refused(live, error).then(() => {})),
    )
  }

  async #callEnded(live: Live, result: StepResult): Promise<void> {
    if (this.#live.get(live.row.key) === live) await this.#end(live, live.stopping ? { ...result, ...live.stopping } : result)
  }

  async #refused(live: Live, error: unknown): Promise<null> {
    if (this.#abort.signal.aborted) return null
    if (!isFault(error)) throw error
    await this.#callEnded(live, { state: 'failed', reason: error.code, message: error.message })
    return null
  }

  async #stop(key: string): Promise<void> {
    const live = this.#live.get(key)
    if (!live || live.stopping) return
    live.stopping = { state: 'cancelled', reason: this.#cancelReason() ?? 'cancelled' }
    if (live.node.kind === 'run' && live.row.child_id) this.#host.cancelChild(live.row.child_id, live.stopping.reason)
    else if (live.row.state === 'starting' || live.row.state === 'running') this.#stopWork(live)
    else await this.#end(live, { ...live.stopping })
  }

  // Without a handle it is being started just now: `#running` comes back here.
  #stopWork(live: Live): void {
    const { handle, runtime } = live
    if (!handle || !runtime) return
    const graceMs = policyOf(live.node)?.grace_ms ?? defaultPolicy.grace_ms
    runtime
      .stop(handle, { graceMs })
      .catch((error: unknown) => this.#host.services.log.error('run.stop_failed', { run: this.row.id, step: live.row.key, error }))
  }

  async #timedOut(live: Live): Promise<void> {
    if (this.#live.get(live.row.key) !== live || live.stopping) return
    live.stopping = { state: 'timed_out', reason: 'timeout' }
    if (live.row.state === 'starting' || live.row.state === 'running') this.#stopWork(live)
    else await this.#end(live, { ...live.stopping })
  }

  async #due(live: Live): Promise<void> {
    if (this.#live.get(live.row.key) !== live) return
    if (live.node.kind === 'timer') await this.#end(live, { state: 'succeeded', reason: null })
    else if (live.node.kind === 'question') await this.#end(live, { state: 'timed_out', reason: 'timeout' })
    else await this.#retry(live)
  }

  #keep(row: StepRow, node: FlowNode): Live {
    const live: Live = { row, node, runtime: null, handle: null, stopping: null, timer: null, deadline: null }
    this.#live.set(row.key, live)
    if (row.state === 'waiting') this.#arm(live)
    return live
  }

  #forget(live: Live): void {
    this.#live.delete(live.row.key)
    this.#disarm(live)
  }

  #disarm(live: Live): void {
    live.timer?.cancel()
    live.deadline?.cancel()
  }

  #arm(live: Live): void {
    if (live.row.due_at === null) return
    const { clock } = this.#host.services
    live.timer?.cancel()
    live.timer = clock.after(Math.max(live.row.due_at - clock.now(), 0), () => this.post(() => this.#due(live)))
  }

  // The limit counts over all attempts, from the first start on.
  #armDeadline(live: Live): void {
    const limit = policyOf(live.node)?.timeout_ms ?? null
    if (limit === null || live.deadline) return
    const { clock } = this.#host.services
    const began = live.row.attempts[0]?.started_at ?? live.row.started_at ?? clock.now()
    live.deadline = clock.after(Math.max(began + limit - clock.now(), 0), () => this.post(() => this.#timedOut(live)))
  }

  #relive(step: StepRow): void {
    const node = this.#host.nodeOf(this.row, step.key)
    if (!node) return
    const live = this.#keep(step, node)
    live.runtime = this.#host.services.runtimes.get(step.runtime) ?? null
    if (step.handle) live.handle = step.handle as unknown as Handle // written by us from a handle
  }

  async #resume(live: Live): Promise<void> {
    const { row, node } = live
    if (this.#live.get(row.key) !== live || this.#queued.has(live)) return
    if (node.kind === 'work' && (row.state === 'starting' || row.state === 'running')) {
      this.#armDeadline(live)
      if (!live.runtime) return this.#attempt(live)
      this.#watch(live, recoverAttempt(this.#attemptOptions(live, node, live.runtime)))
    } else if (node.kind === 'run' && row.child_id) this.#host.watchChild(row.child_id)
    else if (node.kind === 'call' && row.state === 'running')
      await this.#end(live, { state: 'lost', reason: 'lost', message: 'The server stopped while the operation ran' })
    else if (row.state === 'queued') await this.#launch(live)
  }

  #cancelReason(): string | null {
    return typeof this.row.cancel?.reason === 'string' ? this.row.cancel.reason : null
  }

  #runPatch(finish: Finish | null): AdvanceAct['run'] {
    const now = this.#host.services.clock.now()
    const begun =
      this.row.state === 'queued' && [...this.#live.values()].some((live) => live.row.state === 'starting' || live.row.state === 'running')
    if (!finish) return begun ? { state: 'running', started_at: now } : null
    const ended = {
      active: false,
      finished_at: now,
      started_at: this.row.started_at ?? now,
      ...(this.#context > 0 && this.#last?.output !== undefined && { output: this.#last.output }),
    }
    if (finish.outcome === 'cancelled') return { ...ended, state: 'cancelled', reason: this.#cancelReason() }
    if (finish.outcome === 'succeeded') return { ...ended, state: 'succeeded', reason: null }
    const { state = 'failed', reason = 'step_failed', message = null } = this.#last ?? {}
    if (this.#lone && state !== 'succeeded' && state !== 'skipped') return { ...ended, state, reason, message }
    return { ...ended, state: 'failed', reason: 'step_failed', message: finish.failed === null ? null : `The step "${finish.failed}" failed.` }
  }

  #finished(): void {
    for (const live of this.#live.values()) this.#disarm(live)
    this.#live.clear()
    this.#host.finished(this, this.#last?.exitCode ?? null)
  }

  // A defect, not an answer of the store: the run must not hang for ever, and must not take others with it.
  async #broken(error: unknown): Promise<void> {
    const { services } = this.#host
    services.log.error('run.broken', { run: this.row.id, error })
    this.#dropped = true
    this.#abort.abort(error)
    const run = {
      state: 'failed' as const,
      reason: 'internal',
      message: 'The run could not be carried on. An operator finds the cause in the log',
      active: false,
      finished_at: services.clock.now(),
    }
    const steps = [...this.#live.values()].map((live) => ({
      key: live.row.key,
      attempt: live.row.attempt,
      patch: { state: 'failed' as const, reason: 'internal', finished_at: run.finished_at },
    }))
    await this.#host.persist({
      run_id: this.row.id,
      owner: this.row.owner,
      fence: this.row.fence,
      steps,
      create: [],
      starts: [],
      run,
      children: [],
      audit: [],
    })
    Object.assign(this.row, run)
    this.#host.changed(this.row)
    this.#host.finished(this, null)
  }
}

type Finish = Extract<Effect, { do: 'finish' }>

function sizeOf(output: Json): number {
  return output === null ? 0 : JSON.stringify(output).length
}
