import type { Json } from '../kernel/json.ts'
import { begin } from './begin.ts'
import { flowLimits, timeoutAnswer } from './graph.ts'
import type { FlowGraph } from './graph.ts'
import { planned, resolveEdges, settle, sweep } from './machine.ts'
import type { Effect, Machine, Task } from './machine.ts'
import { planOf } from './plan.ts'
import { addRow, applyRows, followTimeout } from './restore.ts'
import type { FlowEnd, FlowRow, RowTree } from './restore.ts'
import { bodyClosed, nextRound } from './rounds.ts'
import { locate, newFrame, phases } from './state.ts'
import type { Frame } from './state.ts'
import { stopFrame } from './stop.ts'

/**
 * One active run, in memory: it is told what happened and answers what happens next. It does nothing itself and keeps nothing but the state of the graphs
 * that are open, so 10,000 rounds of a loop need no more memory than one.
 *
 * Calls are carried out one after the other. What a call reported and the effects it gave must be visible to `read` before the next call; when a call
 * rejects, because `read` did, the flow is worthless and a new one is to be restored from the rows.
 * The same calls give the same effects.
 */
type Flow = {
  /** Begins the run. */
  start(input: Json): Promise<Effect[]>
  /** A step that was created is really starting now: from here on it is not taken back any more. */
  started(key: string): Promise<Effect[]>
  /** A created step has ended for good, its retries used up. Told twice, or about a step that was taken back, it changes nothing. */
  ended(key: string, result: { readonly state: FlowEnd; readonly output?: Json }): Promise<Effect[]>
  /** Orders the end of the run. Only the first order counts. */
  stop(order: { readonly cleanup: boolean }): Promise<Effect[]>
  /** Goes on after a `more` effect. */
  more(): Promise<Effect[]>
  /**
   * Instead of `start`, after a crash: takes the rows as they are and gives what had not been recorded yet. Rows may come in any order; in the order they
   * ended, `failed` names the same step as without the crash. A stop that was ordered is ordered again here, before anything can start.
   */
  restore(
    rows: Iterable<FlowRow> | AsyncIterable<FlowRow>,
    options: { readonly input: Json; readonly stop?: { readonly cleanup: boolean } | null },
  ): Promise<Effect[]>
}

type FlowOptions = {
  /** The output of a step from its row; undefined when it has none. Asked only for what an expression names. */
  readonly read: (key: string) => Promise<Json | undefined>
  /** About how many effects one call gives before it asks for `more`. */
  readonly batch?: number
  /** Steps that the run may make in all its rounds. */
  readonly steps?: number
}

/** A flow of a graph in which `graphProblems` finds nothing. Throws `ExpressionError` when an expression does not parse. */
function createFlow(graph: FlowGraph, options: FlowOptions): Flow {
  const machine: Machine = {
    root: newFrame(planOf(graph), { prefix: '', parent: null, round: 0, loop: null }),
    read: options.read,
    limits: { batch: options.batch ?? 1000, steps: options.steps ?? flowLimits.steps },
    input: null,
    effects: [],
    fresh: new Map(),
    agenda: [],
    dirty: new Set(),
    holding: 0,
    steps: 0,
    finished: false,
  }
  let turn: Promise<unknown> = Promise.resolve()
  let broken = false

  const call = (act: () => Promise<void> | void): Promise<Effect[]> => {
    const answer = turn.then(async () => {
      if (broken) throw new Error('This flow could not be carried on; restore a new one from the rows')
      broken = true
      machine.fresh.clear()
      if (!machine.finished) await act()
      await drain(machine)
      broken = false
      return machine.effects.splice(0)
    })
    turn = answer.catch(() => {})
    return answer
  }

  return {
    start: (input) =>
      call(() => {
        machine.input = input
        machine.agenda.push({ task: 'sweep', frame: machine.root })
      }),
    started: (key) =>
      call(() => {
        const found = locate(machine.root, key)
        if (found && found.frame.phase[found.at] === phases.created) found.frame.phase[found.at] = phases.started
      }),
    ended: (key, result) => call(() => ended(machine, key, result)),
    stop: (order) => call(() => stopFrame(machine, machine.root, order)),
    more: () => call(() => {}),
    restore: (rows, { input, stop }) =>
      call(async () => {
        machine.input = input
        const tree: RowTree = new Map()
        for await (const row of rows) {
          addRow(tree, row)
          machine.steps++
        }
        await applyRows(machine, machine.root, tree, { stopping: Boolean(stop) })
        if (stop) stopFrame(machine, machine.root, stop)
      }),
  }
}

function ended(machine: Machine, key: string, result: { readonly state: FlowEnd; readonly output?: Json }): void {
  const found = locate(machine.root, key)
  if (!found) return
  const { frame, at } = found
  const step = planned(frame, at)
  const phase = frame.phase[at]
  if (!step.engine || (phase !== phases.created && phase !== phases.started)) return
  const answer = result.state === 'timed_out' && step.node.kind === 'question' ? (timeoutAnswer(step.node) ?? undefined) : undefined
  machine.fresh.set(key, answer ?? result.output)
  settle(machine, frame, at, result.state === 'succeeded' ? 'success' : result.state === 'timed_out' ? followTimeout(step) : 'failure')
}

/** Decides until there is nothing left to decide, or a batch is full. */
async function drain(machine: Machine): Promise<void> {
  const { agenda, dirty, limits } = machine
  let done = 0
  while (machine.effects.length < limits.batch) {
    const task = agenda[done]
    if (task) {
      done++
      const work = perform(machine, task)
      if (work) await work
      continue
    }
    agenda.length = done = 0
    const [frame] = dirty
    if (!frame) return
    const at = nextReady(machine, frame)
    if (at === undefined) dirty.delete(frame)
    else await begin(machine, frame, at)
  }
  agenda.splice(0, done)
  if (agenda.length > 0 || dirty.size > 0) machine.effects.push({ do: 'more' })
}

function perform(machine: Machine, task: Task): Promise<void> | undefined {
  switch (task.task) {
    case 'edges':
      return resolveEdges(machine, task)
    case 'sweep':
      sweep(machine, task.frame)
      return undefined
    case 'round':
      return nextRound(machine, task.frame, task.at)
    case 'closed':
      if (task.frame.parent) return bodyClosed(machine, task.frame)
      finish(machine)
      return undefined
  }
}

function finish(machine: Machine): void {
  const { stopped, failed } = machine.root
  machine.finished = true
  if (stopped) machine.effects.push({ do: 'finish', outcome: 'cancelled', failed, reason: 'run_stopped' })
  else
    machine.effects.push({ do: 'finish', outcome: failed === null ? 'succeeded' : 'failed', failed, reason: failed === null ? null : 'step_failed' })
}

// In definition order. Places are counted for each graph on its own, so an inner graph never waits for a place that an outer one holds.
function nextReady(machine: Machine, frame: Frame): number | undefined {
  if (frame.stopped && machine.holding > 0) return undefined
  const { ready, plan } = frame
  const { free, slot } = ready
  for (let at = free.pop(); at !== undefined; at = free.pop()) if (frame.phase[at] === phases.ready) return at
  if (plan.graph.parallel !== null && frame.busy >= plan.graph.parallel) return undefined
  for (let at = slot.pop(); at !== undefined; at = slot.pop()) if (frame.phase[at] === phases.ready) return at
  return undefined
}

export type { Flow, FlowOptions }
export { createFlow }
