import type { Json } from '../kernel/json.ts'
import { ExpressionError } from './expression-parser.ts'
import type { FlowNode } from './graph.ts'
import type { PlanNode } from './plan.ts'
import { endEdge, follows, keyOf, openFrames, phases, scopeOf, verdict } from './state.ts'
import type { EdgeEnd, Followed, Frame, SkipReason } from './state.ts'
import { condition } from './values.ts'

/** Where a step belongs. `scope` is the key of the enclosing loop or scope ('' at the top), `order` the place in its graph's definition. */
type Place = { readonly key: string; readonly node: FlowNode; readonly scope: string; readonly round: number; readonly order: number }

/**
 * One thing that the engine does, in the order given and together with what caused it (one transaction).
 *
 * - `create`: a row of the step. Kinds `loop` and `scope`: running, and nothing else to do. All others: queue it; `input` is its filled input, `due` a timer's moment.
 * - `end`: the step ends so, whether or not it has a row (a pass has none before; neither has a step whose input cannot be filled). A step that was created
 *   but not reported started is taken back, and so are questions and timers: what was queued for it goes with it, a child run too.
 * - `skip`: the same with the state `skipped`.
 * - `stop`: end what runs for this step, then report it with `ended`.
 * - `more`: there is more to do at once; call `more()` when the effects before it are recorded. Keeps loops without work from filling memory.
 * - `finish`: the run has ended. `failed` names the innermost step that made it fail.
 */
type Effect =
  | (Place & { readonly do: 'create'; readonly input: Json | null; readonly due: Due | null })
  | (Place & {
      readonly do: 'end'
      readonly state: 'succeeded' | 'failed' | 'cancelled'
      readonly output: Json | null
      readonly reason: EndReason | null
      readonly message: string | null
    })
  | (Place & { readonly do: 'skip'; readonly reason: SkipReason })
  | { readonly do: 'stop'; readonly key: string }
  | { readonly do: 'more' }
  | {
      readonly do: 'finish'
      readonly outcome: 'succeeded' | 'failed' | 'cancelled'
      readonly failed: string | null
      readonly reason: 'step_failed' | 'run_stopped' | null
    }

type Due = { readonly delay_ms: number } | { readonly until: number }
type EndReason = 'expression_failed' | 'condition_failed' | 'body_failed' | 'too_many_rounds' | 'too_many_steps' | 'output_too_large' | 'run_stopped'

/** What is left to decide. Edges first: nothing is handed out before all that is known has been told to everybody. */
type Task =
  | { readonly task: 'edges'; readonly frame: Frame; readonly at: number; readonly how: Followed; readonly cause: string }
  | { readonly task: 'sweep'; readonly frame: Frame }
  | { readonly task: 'closed'; readonly frame: Frame }
  | { readonly task: 'round'; readonly frame: Frame; readonly at: number }

/** An active run in memory. */
type Machine = {
  readonly root: Frame
  readonly read: (key: string) => Promise<Json | undefined>
  readonly limits: { readonly batch: number; readonly steps: number }
  input: Json
  effects: Effect[]
  /** Outputs of this call, which no row shows yet. */
  readonly fresh: Map<string, Json | undefined>
  readonly agenda: Task[]
  readonly dirty: Set<Frame>
  /** Steps that run on after a stop: clean-up waits for them. */
  holding: number
  /** Steps that have ended, in all rounds. */
  steps: number
  finished: boolean
}

function planned(frame: Frame, at: number): PlanNode {
  return frame.plan.nodes[at] as PlanNode // `at` always comes from this plan
}

function place(frame: Frame, at: number): Place {
  return { key: keyOf(frame, at), node: planned(frame, at).node, scope: scopeOf(frame), round: frame.round, order: at }
}

type EndEffect = Extract<Effect, { do: 'end' }>

/** Ends a step that the flow itself does, or takes back: the effect, and what follows from it. */
function end(
  machine: Machine,
  frame: Frame,
  at: number,
  result: Partial<Pick<EndEffect, 'output' | 'reason' | 'message'>> & Pick<EndEffect, 'state'>,
  cause?: string,
): void {
  const output = result.output ?? null
  const effect: EndEffect = {
    do: 'end',
    ...place(frame, at),
    state: result.state,
    output,
    reason: result.reason ?? null,
    message: result.message ?? null,
  }
  machine.effects.push(effect)
  machine.fresh.set(effect.key, output)
  const begun = frame.phase[at] === phases.started
  settle(machine, frame, at, result.state === 'succeeded' ? 'success' : result.state === 'cancelled' && !begun ? 'none' : 'failure', cause)
}

/** Marks a node as ended, frees its place, and plans the end of its edges. */
function settle(machine: Machine, frame: Frame, at: number, how: Followed, cause = keyOf(frame, at)): void {
  const phase = frame.phase[at]
  if (planned(frame, at).slot && (phase === phases.created || phase === phases.started)) frame.busy--
  frame.phase[at] = phases.ended
  frame.children.delete(at)
  frame.loops.delete(at)
  machine.steps++
  if (frame.ready.slot.size > 0) machine.dirty.add(frame)
  if (frame.stopping.delete(at) && --machine.holding === 0) for (const open of openFrames(machine.root)) machine.dirty.add(open)
  machine.agenda.push({ task: 'edges', frame, at, how, cause })
}

/** Ends the edges of an ended node, and everything in this graph that follows at once. A promise only when a condition has to be asked. */
function resolveEdges(machine: Machine, task: Extract<Task, { task: 'edges' }>): Promise<void> | undefined {
  const { frame, at } = task
  const followed = task.how === 'failure' && planned(frame, at).node.continue_on_failure ? 'success' : task.how
  const edges = frame.plan.out[at] ?? []
  const ends: EdgeEnd[] = []
  if (!edges.some((edge) => edge.if !== null && follows(edge, followed))) {
    for (const edge of edges) ends.push(follows(edge, followed) ? 'taken' : 'dead')
    applyEdges(machine, task, followed, ends)
    return undefined
  }
  return askEdges(machine, task, followed, ends)
}

async function askEdges(machine: Machine, task: Extract<Task, { task: 'edges' }>, followed: Followed, ends: EdgeEnd[]): Promise<void> {
  const { frame, at } = task
  for (const edge of frame.plan.out[at] ?? []) {
    try {
      const taken = follows(edge, followed) && (edge.if === null || (await condition(machine, frame, edge.if)))
      ends.push(taken ? 'taken' : 'dead')
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      ends.push({ broken: `The condition of the way from "${planned(frame, at).node.id}" cannot be told. ${error.message}` })
    }
  }
  applyEdges(machine, task, followed, ends)
}

function applyEdges(machine: Machine, task: Extract<Task, { task: 'edges' }>, followed: Followed, ends: readonly EdgeEnd[]): void {
  const { frame, at, cause } = task
  const edges = frame.plan.out[at] ?? []
  const halts = followed === 'failure' && frame.plan.graph.on_error === 'halt'
  // Known before anybody is told: nothing may start on the news of a failure but what starts in any case.
  if (halts) {
    frame.inError = true
    frame.failed ??= cause
  }
  let handled = false
  for (const [index, edge] of edges.entries()) {
    const ended = ends[index] ?? 'dead'
    endEdge(frame, edge, ended)
    if (ended === 'taken' && edge.on !== 'success') handled = true
    consider(machine, frame, edge.to)
  }
  if (halts) halt(machine, frame)
  else if (followed === 'failure' && !handled) frame.failed ??= cause
  if (--frame.open === 0) close(machine, frame)
}

/** Looks at every node of a graph that was just opened or restored. */
function sweep(machine: Machine, frame: Frame): void {
  for (let at = 0; at < frame.phase.length; at++) consider(machine, frame, at)
  if (frame.inError) halt(machine, frame)
  if (frame.open === 0) close(machine, frame)
}

// Takes back what was created and not started, and skips what waits for nothing any more.
function halt(machine: Machine, frame: Frame): void {
  for (let at = 0; at < frame.phase.length; at++) {
    if (frame.phase[at] === phases.created && !planned(frame, at).always) skip(machine, frame, at, 'run_in_error')
    else consider(machine, frame, at)
  }
}

function consider(machine: Machine, frame: Frame, at: number): void {
  const phase = frame.phase[at]
  if (phase !== phases.pending && phase !== phases.ready) return
  const decided = verdict(frame, at)
  if (decided.now === 'skip') skip(machine, frame, at, decided.reason)
  else if (decided.now === 'fail') end(machine, frame, at, { state: 'failed', reason: 'condition_failed', message: decided.message })
  else if (decided.now === 'run' && phase === phases.pending) {
    frame.phase[at] = phases.ready
    frame.ready[planned(frame, at).slot ? 'slot' : 'free'].push(at)
    machine.dirty.add(frame)
  }
}

function skip(machine: Machine, frame: Frame, at: number, reason: SkipReason): void {
  machine.effects.push({ do: 'skip', ...place(frame, at), reason })
  settle(machine, frame, at, 'none')
}

function close(machine: Machine, frame: Frame): void {
  if (frame.closed) return
  frame.closed = true
  machine.agenda.push({ task: 'closed', frame })
}

export type { Place, Effect, Due, EndReason, Task, Machine }
export { planned, place, end, settle, resolveEdges, sweep }
