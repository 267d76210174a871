import type { Json } from '../kernel/json.ts'
import { Heap } from './heap.ts'
import type { Plan, PlanEdge } from './plan.ts'

/**
 * Where a node of an open graph stands.
 *
 * - `pending`: waits for edges. Leaves as soon as `verdict` says something else than `wait`.
 * - `ready`: may run, and waits for a free place in its graph (or, after a stop, for everything that still runs).
 * - `created`: handed to the engine, which has not started it yet. A halt or a stop takes it back.
 * - `started`: runs, waits for an answer or a timer, or is a loop or scope with an open body.
 * - `ended`: for good; its edges end now or have ended.
 */
const phases = { pending: 0, ready: 1, created: 2, started: 3, ended: 4 } as const

/** How a node's end looks to its edges: `none` = skipped, or cancelled before it started. */
type Followed = 'success' | 'failure' | 'none'

/** How an edge ended. `broken`: its condition cannot be told; its target fails unless another way leads there, because a rule must not decide by its mistake. */
type EdgeEnd = 'taken' | 'dead' | { readonly broken: string }

/**
 * One open graph: the run's own, the body of a scope, or the current round of a loop. All that is kept of a round is here, and the next round takes its
 * place, so memory follows the open graphs and not the rounds.
 */
type Frame = {
  readonly plan: Plan
  /** What the keys of its steps begin with: '' at the top, else `<key of the loop or scope>/<round>/`. */
  readonly prefix: string
  readonly parent: { readonly frame: Frame; readonly index: number } | null
  readonly round: number
  /** What `loop` means in its expressions: the nearest loop, seen from inside. */
  readonly loop: LoopView | null
  readonly phase: Uint8Array
  /** Incoming edges that have not ended, by node. */
  readonly waiting: Int32Array
  /** Incoming edges that were taken, by node. */
  readonly taken: Int32Array
  /** Nodes with a broken incoming edge, and what is wrong with it. */
  readonly broken: Map<number, string>
  /** Ready nodes that need a place, and those that need none. */
  readonly ready: { readonly slot: Heap; readonly free: Heap }
  readonly children: Map<number, Frame>
  readonly loops: Map<number, LoopRun>
  /** Steps that a stop waits for. */
  readonly stopping: Set<number>
  /** Nodes whose edges have not ended. */
  open: number
  /** Places taken. */
  busy: number
  inError: boolean
  stopped: boolean
  closed: boolean
  /** The step that made this graph fail. */
  failed: string | null
}

type LoopView = { readonly index: number; readonly item: Json | undefined; readonly outer: LoopView | null }

/** A loop that is going on. */
type LoopRun = { readonly items: readonly Json[] | null; readonly times: number | null; round: number; last: Frame }

/** A graph in which nothing has happened yet. */
function newFrame(plan: Plan, place: Pick<Frame, 'prefix' | 'parent' | 'round' | 'loop'>): Frame {
  const count = plan.nodes.length
  return {
    ...place,
    plan,
    phase: new Uint8Array(count),
    waiting: Int32Array.from(plan.incoming),
    taken: new Int32Array(count),
    broken: new Map(),
    ready: { slot: new Heap(), free: new Heap() },
    children: new Map(),
    loops: new Map(),
    stopping: new Set(),
    open: count,
    busy: 0,
    inError: false,
    stopped: false,
    closed: false,
    failed: null,
  }
}

/** Whether an edge follows an end of its source; its condition is asked after that. */
function follows(edge: PlanEdge, how: Followed): boolean {
  return edge.on === 'finished' || edge.on === how
}

/** Counts the end of an edge at its target. */
function endEdge(frame: Frame, edge: PlanEdge, end: EdgeEnd): void {
  const { to } = edge
  frame.waiting[to] = (frame.waiting[to] ?? 0) - 1
  if (end === 'taken') frame.taken[to] = (frame.taken[to] ?? 0) + 1
  else if (end !== 'dead' && !frame.broken.has(to)) frame.broken.set(to, end.broken)
}

type Verdict =
  | { readonly now: 'wait' | 'run' }
  | { readonly now: 'skip'; readonly reason: SkipReason }
  | { readonly now: 'fail'; readonly message: string }
type SkipReason = 'run_in_error' | 'not_taken'

const wait: Verdict = { now: 'wait' }
const run: Verdict = { now: 'run' }
const inError: Verdict = { now: 'skip', reason: 'run_in_error' }
const notTaken: Verdict = { now: 'skip', reason: 'not_taken' }

/** What the ends of its edges so far mean for a node that has not begun. */
function verdict(frame: Frame, at: number): Verdict {
  const planned = frame.plan.nodes[at]
  const waiting = frame.waiting[at] ?? 0
  // Skipping waits for the dependencies too, so that a clean-up behind the skipped node never overtakes what still runs (deploy contract §7.3).
  if (frame.inError && !planned?.always) return waiting === 0 ? inError : wait
  const incoming = frame.plan.incoming[at] ?? 0
  if (incoming === 0) return run
  const taken = frame.taken[at] ?? 0
  const message = frame.broken.get(at)
  if (planned?.node.join === 'any') {
    if (taken > 0) return run
    if (waiting > 0) return wait
    return message === undefined ? notTaken : { now: 'fail', message }
  }
  if (waiting > 0) return wait
  if (message !== undefined) return { now: 'fail', message }
  return taken === incoming ? run : notTaken
}

/** The key of a node's step. */
function keyOf(frame: Frame, at: number): string {
  return frame.prefix + (frame.plan.nodes[at]?.node.id ?? '')
}

/** The key of the enclosing loop or scope, '' at the top. */
function scopeOf(frame: Frame): string {
  return frame.parent ? keyOf(frame.parent.frame, frame.parent.index) : ''
}

/** The open graph and the node that a key names; null when none does, or no longer. */
function locate(root: Frame, key: string): { frame: Frame; at: number } | null {
  const parts = key.split('/')
  let frame = root
  for (let part = 0; ; part += 2) {
    const at = frame.plan.index.get(parts[part] ?? '')
    if (at === undefined) return null
    if (part === parts.length - 1) return { frame, at }
    const child = frame.children.get(at)
    if (!child || parts[part + 1] !== String(child.round)) return null
    frame = child
  }
}

/** Every open graph, outer ones first. */
function* openFrames(root: Frame): Generator<Frame> {
  yield root
  for (const child of root.children.values()) yield* openFrames(child)
}

export type { Followed, EdgeEnd, Frame, LoopView, LoopRun, Verdict, SkipReason }
export { phases, newFrame, follows, endEdge, verdict, keyOf, scopeOf, locate, openFrames }
