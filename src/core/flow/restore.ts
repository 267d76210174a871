import type { Json } from '../kernel/json.ts'
import { enter } from './begin.ts'
import { timeoutAnswer } from './graph.ts'
import { planned } from './machine.ts'
import type { Machine } from './machine.ts'
import type { Plan, PlanNode } from './plan.ts'
import { guarded, loopRun, openScope, roundFrame } from './rounds.ts'
import { keyOf, phases } from './state.ts'
import type { Followed, Frame } from './state.ts'

/** A step as it was recorded. States are those of design §5. */
type FlowRow = {
  readonly key: string
  readonly state: 'queued' | 'starting' | 'running' | 'waiting' | FlowEnd | 'skipped'
  readonly output?: Json
  /** Whether an attempt was ever started; left out, every state but `queued` means so. A step between two attempts is started. */
  readonly started?: boolean
  /** Why it was skipped or cancelled, as the effect said. */
  readonly reason?: string | null
}
type FlowEnd = 'succeeded' | 'failed' | 'cancelled' | 'timed_out' | 'lost'

/** Rows by their place: only what open graphs need is kept, of a loop the latest round, so rows may be streamed in any order. */
type RowTree = Map<string, RowEntry>
type RowEntry = { row: FlowRow | null; round: number; children: RowTree }

/** Puts a row where it belongs; rows of rounds that a later one has replaced fall away. */
function addRow(tree: RowTree, row: FlowRow): void {
  const parts = row.key.split('/')
  let level = tree
  for (let part = 0; ; part += 2) {
    const id = parts[part] ?? ''
    const entry = level.get(id) ?? { row: null, round: 0, children: new Map() }
    level.set(id, entry)
    if (part >= parts.length - 1) {
      entry.row = row
      return
    }
    const round = Number(parts[part + 1])
    if (!(round >= entry.round)) return
    if (round > entry.round) {
      entry.round = round
      entry.children = new Map()
    }
    level = entry.children
  }
}

/** Sets an open graph, and the open ones inside, to what the rows say. What follows from it is planned, not done. */
async function applyRows(machine: Machine, frame: Frame, tree: RowTree, options: { readonly stopping: boolean }): Promise<void> {
  const open: [number, RowEntry][] = []
  for (const [id, entry] of tree) {
    const at = frame.plan.index.get(id)
    if (at === undefined) continue
    const step = planned(frame, at)
    const how = entry.row && howEnded(step, entry.row, options)
    if (how === null) {
      // A pass has no row before its end: one that is not there yet is simply done again. Steps without a body have only their own row.
      if (step.body || (entry.row && step.node.kind !== 'pass')) open.push([at, entry])
      continue
    }
    frame.phase[at] = phases.ended
    machine.agenda.push({ task: 'edges', frame, at, how, cause: innermost(step, entry, keyOf(frame, at)) })
  }
  // After the ended ones, because a loop asks for their outputs.
  for (const [at, entry] of open) await reopen(machine, frame, at, entry, options)
  machine.agenda.push({ task: 'sweep', frame })
}

async function reopen(machine: Machine, frame: Frame, at: number, entry: RowEntry, options: { readonly stopping: boolean }): Promise<void> {
  const step = planned(frame, at)
  enter(frame, at, step, entry.row?.started ?? entry.row?.state !== 'queued')
  if (step.node.kind === 'scope') return applyRows(machine, openScope(machine, frame, at), entry.children, options)
  if (step.node.kind !== 'loop') return
  await guarded(machine, frame, at, async () => {
    const run = await loopRun(machine, frame, at)
    frame.loops.set(at, run)
    if (entry.round === 0) {
      machine.agenda.push({ task: 'round', frame, at })
      return
    }
    run.round = entry.round
    run.last = roundFrame(frame, at, entry.round, run)
    frame.children.set(at, run.last)
    await applyRows(machine, run.last, entry.children, options)
  })
}

function howEnded(step: PlanNode, row: FlowRow, options: { readonly stopping: boolean }): Followed | null {
  switch (row.state) {
    case 'succeeded':
      return 'success'
    case 'skipped':
      return 'none'
    case 'cancelled':
      return (row.started ?? !options.stopping) ? 'failure' : 'none'
    case 'timed_out':
      return followTimeout(step)
    case 'failed':
    case 'lost':
      return 'failure'
    default:
      return null
  }
}

/** How a time-out is followed: a question may go on with its default answer, everything else failed. */
function followTimeout(step: PlanNode): Followed {
  return step.node.kind === 'question' && timeoutAnswer(step.node) ? 'success' : 'failure'
}

// The step inside that made a loop or scope fail, as it was named when it happened.
function innermost(step: PlanNode, entry: RowEntry, key: string): string {
  const body: Plan | null = step.body
  for (const [id, inner] of body && entry.row?.state === 'failed' ? entry.children : []) {
    const at = body?.index.get(id)
    const below = at === undefined ? undefined : body?.nodes[at]
    const failed = inner.row && ['failed', 'lost', 'timed_out', 'cancelled'].includes(inner.row.state)
    if (!below || !failed || below.node.continue_on_failure || isHandled(body, at)) continue
    return innermost(below, inner, `${key}/${entry.round}/${id}`)
  }
  return key
}

function isHandled(body: Plan | null, at: number | undefined): boolean {
  return body?.graph.on_error === 'edges' && at !== undefined && (body.out[at] ?? []).some((edge) => edge.on !== 'success')
}

export type { FlowRow, FlowEnd, RowTree, RowEntry }
export { addRow, applyRows, followTimeout }
