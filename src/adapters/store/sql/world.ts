import { isEnd, mayFollow, runStates } from '../../../core/kernel/run-state.ts'
import type { RunState, StepState } from '../../../core/kernel/run-state.ts'
import type { AuditRow, RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { AcceptAct, AcceptResult, AdvanceAct, AdvanceResult, IdempotencyRecord, Place, Refusal, StepStart } from '../../../ports/store/runs.ts'
import { heldPlaces, heldText, reasonOf } from './gauge.ts'
import { storable } from './sql.ts'

/*
 * A batch of acts on rows in memory: what the acts touch was read (and locked) beforehand, each act is carried out here in its turn, and what came of it is
 * written afterwards, table by table. So both engines have one set of rules, and an act costs a few rows instead of a dozen statements.
 */

/** What is known of a run that was there before, and what shall become of it. */
type KnownRun = Pick<RunRow, 'id' | 'owner' | 'fence' | 'state' | 'kind' | 'namespace' | 'name' | 'active' | 'listed' | 'version' | 'created_at'> & {
  patch: Partial<RunRow>
}
type KnownStep = Pick<StepRow, 'run_id' | 'key' | 'state' | 'reason' | 'attempt' | 'held'> & { patch: Partial<StepRow> }
type Named = Pick<RunRow, 'id' | 'created_at'>

type World = {
  readonly runs: Map<string, KnownRun>
  readonly steps: Map<string, KnownStep>
  readonly gauges: Map<string, { active: number; readonly before: number }>
  /** By name: the active runs, and the ended ones that are still listed. Only names that an act asks for. */
  readonly names: Map<string, { active: Named[]; ended: Named[] }>
  /** Queued and waiting runs by kind and namespace, where an act asks for them. */
  readonly queues: Map<string, number>
  readonly records: Map<string, IdempotencyRecord>
  readonly slots: Set<string>
  readonly made: {
    readonly runs: Map<string, { row: RunRow; exclusive: number }>
    readonly steps: Map<string, StepRow>
    readonly records: IdempotencyRecord[]
    readonly slots: { schedule_id: string; at: number; run_id: string }[]
    readonly unlisted: string[]
    readonly audit: AuditRow[]
  }
}

/** A row is there that was not when we looked, or goes in twice. `key` is what callers are told when the act is to blame for it alone. */
class Crossed extends Error {
  override readonly name = 'Crossed'
  readonly key: string

  constructor(key: string) {
    super(`A row with this ${key} was made meanwhile`)
    this.key = key
  }
}

/** States that may be left for `to`, or kept while other members change. An end is not entered twice: what follows from it would follow twice. */
const enterable = Object.fromEntries(
  runStates.map((to) => [to, runStates.filter((from) => mayFollow(from, to) || (from === to && !isEnd(to)))]),
) as Record<RunState, RunState[]> // one entry per state

function emptyWorld(): World {
  return {
    runs: new Map(),
    steps: new Map(),
    gauges: new Map(),
    names: new Map(),
    queues: new Map(),
    records: new Map(),
    slots: new Set(),
    made: { runs: new Map(), steps: new Map(), records: [], slots: [], unlisted: [], audit: [] },
  }
}

/** One text for several, for the keys of maps: as they will be kept, so that what was read and what was handed in are the same. */
function joined(...parts: readonly (string | number)[]): string {
  return parts.map(storable).join('\0')
}

const nameOf = (run: Pick<RunRow, 'kind' | 'namespace' | 'name'>) => joined(run.kind, run.namespace, run.name)
const queueOf = (run: Pick<RunRow, 'kind' | 'namespace'>) => joined(run.kind, run.namespace)
const recordOf = (record: IdempotencyRecord) => joined(record.identity, record.route, record.key)

const isQueued = (run: Pick<RunRow, 'state' | 'active'>) => run.active && (run.state === 'queued' || run.state === 'waiting')
const holding: readonly StepState[] = ['starting', 'running']

function acceptIn(world: World, act: AcceptAct): AcceptResult {
  const { run, slot, idempotency: record } = act
  const kept = record && world.records.get(recordOf(record))
  if (kept) return { outcome: 'replayed', record: kept }
  const slotKey = slot && joined(slot.schedule_id, slot.at)
  if (slotKey !== null && world.slots.has(slotKey)) return { outcome: 'slot_taken' }
  const names = world.names.get(nameOf(run))
  const taken = act.unique ? newestFirst(names?.active ?? [])[0] : undefined
  if (taken) {
    if (record) keep(world, { ...record, outcome: { conflict: taken.id } })
    return { outcome: 'name_taken', id: taken.id }
  }
  const queue = world.queues.get(queueOf(run)) ?? 0
  if (act.queueLimit !== null && queue >= act.queueLimit) return { outcome: 'queue_full' }
  if (world.made.runs.has(run.id)) throw new Crossed('runs.id')

  const replaced = act.unique && run.active ? unlist(world, names?.ended.splice(0) ?? []) : null
  if (slot && slotKey !== null) {
    world.slots.add(slotKey)
    world.made.slots.push({ ...slot, run_id: run.id })
  }
  if (record) keep(world, { ...record, outcome: { ...record.outcome, replaced } })
  const { started, refused } = placeSteps(world, act.steps, act.starts)
  // A run whose first step starts in the same commit never waits: it must not count as queued.
  const row: RunRow = started.length > 0 && run.state === 'queued' ? { ...run, state: 'running', started_at: run.created_at } : { ...run }
  world.made.runs.set(run.id, { row, exclusive: act.unique ? 1 : 0 })
  if (run.active) names?.active.push(run)
  else if (run.listed) names?.ended.push(run)
  if (isQueued(row)) world.queues.set(queueOf(run), queue + 1)
  world.made.audit.push(...act.audit)
  return { outcome: 'accepted', started, refused, replaced }
}

function advanceIn(world: World, act: AdvanceAct): AdvanceResult {
  const made = world.made.runs.get(act.run_id)?.row
  const run = made ?? world.runs.get(act.run_id)
  if (run === undefined || run.owner !== act.owner || run.fence !== act.fence) return { fenced: true, started: [], refused: [], children: [] }
  for (const { key, attempt, patch } of act.steps) changeStep(world, joined(act.run_id, key), attempt, patch)
  const created = new Set(act.create.map((row) => row.key))
  const { started, refused } = placeSteps(world, act.create, act.starts)
  for (const start of act.starts) {
    if (created.has(start.key)) continue
    const refusal = startStep(world, joined(act.run_id, start.key), start)
    if (refusal === 'started') started.push(start.key)
    else if (refusal !== null) refused.push(refusal)
  }
  if (act.run) changeRun(world, act.run_id, act.run)
  const children = act.children.map((child) => acceptIn(world, child))
  world.made.audit.push(...act.audit)
  return { fenced: false, started, refused, children }
}

function keep(world: World, record: IdempotencyRecord): void {
  world.records.set(recordOf(record), record)
  world.made.records.push(record)
}

function unlist(world: World, ended: Named[]): string | null {
  for (const { id } of ended) {
    const made = world.made.runs.get(id)
    if (made) made.row.listed = false
    else world.made.unlisted.push(id)
  }
  return newestFirst(ended)[0]?.id ?? null
}

function newestFirst(runs: readonly Named[]): Named[] {
  return [...runs].sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? 1 : -1))
}

function placeSteps(world: World, rows: readonly StepRow[], starts: readonly StepStart[]): { started: string[]; refused: Refusal[] } {
  const wanted = new Map(starts.map((start) => [start.key, start.places]))
  const started: string[] = []
  const refused: Refusal[] = []
  for (const row of rows) {
    const id = joined(row.run_id, row.key)
    if (world.made.steps.has(id)) throw new Crossed('steps.key')
    const step = { ...row }
    world.made.steps.set(id, step)
    const places = wanted.get(row.key)
    if (places === undefined) continue
    const gauge = take(world, places)
    if (gauge === null) {
      started.push(row.key)
      Object.assign(step, { state: 'starting', reason: null, held: heldText(places) } satisfies Partial<StepRow>)
    } else {
      refused.push({ key: row.key, gauge })
      step.reason = reasonOf(gauge)
    }
  }
  return { started, refused }
}

// A step that was made in this batch is changed in place; one that was there before collects a patch.
function assign(world: World, id: string, patch: Partial<StepRow>): void {
  const made = world.made.steps.get(id)
  if (made) Object.assign(made, patch)
  const known = made ? undefined : world.steps.get(id)
  if (known) Object.assign(known, patch, { patch: { ...known.patch, ...patch } })
}

function changeStep(world: World, id: string, attempt: number, given: Partial<StepRow>): void {
  const before = world.made.steps.get(id) ?? world.steps.get(id)
  if (before === undefined || before.attempt !== attempt) return
  const { held: _, ...own } = given
  const patch: Partial<StepRow> = own
  if (patch.state !== undefined) {
    if (!enterable[patch.state].includes(before.state)) return
    if (!holding.includes(patch.state) && holding.includes(before.state)) {
      give(world, heldPlaces(before.held))
      patch.held = []
    }
  }
  assign(world, id, patch)
}

function startStep(world: World, id: string, { key, places }: StepStart): 'started' | Refusal | null {
  const before = world.made.steps.get(id) ?? world.steps.get(id)
  if (before === undefined || holding.includes(before.state) || !enterable.starting.includes(before.state)) return null
  const gauge = take(world, places)
  if (gauge === null) {
    assign(world, id, { state: 'starting', reason: null, held: heldText(places) })
    return 'started'
  }
  const reason = reasonOf(gauge)
  if (before.state !== 'queued' || before.reason !== reason) assign(world, id, { state: 'queued', reason })
  return { key, gauge }
}

function changeRun(world: World, id: string, patch: NonNullable<AdvanceAct['run']>): void {
  const made = world.made.runs.get(id)?.row
  const known = made ? undefined : world.runs.get(id)
  const run = made ?? known
  if (run === undefined || (patch.state !== undefined && !enterable[patch.state].includes(run.state))) return
  if (Object.keys(patch).length === 0) return
  const before = { state: run.state, active: run.active }
  Object.assign(run, patch, { version: run.version + 1 })
  if (known) known.patch = { ...known.patch, ...patch, version: run.version }
  const queue = queueOf(run)
  world.queues.set(queue, (world.queues.get(queue) ?? 0) + Number(isQueued(run)) - Number(isQueued(before)))
  if (before.active === run.active) return
  const names = world.names.get(nameOf(run))
  if (names === undefined) return
  names.active = names.active.filter((other) => other.id !== id)
  names.ended = names.ended.filter((other) => other.id !== id)
  if (run.active) names.active.push(run)
  else if (run.listed) names.ended.push(run)
}

function take(world: World, places: readonly Place[]): string | null {
  for (const [index, { gauge, amount, limit }] of places.entries()) {
    const state = world.gauges.get(gauge)
    if (state === undefined) throw new Error(`The gauge ${gauge} was not read`)
    if (state.active + amount > limit) {
      give(world, places.slice(0, index))
      return gauge
    }
    state.active += amount
  }
  return null
}

function give(world: World, places: readonly { gauge: string; amount: number }[]): void {
  for (const { gauge, amount } of places) {
    const state = world.gauges.get(gauge)
    if (state === undefined) throw new Error(`The gauge ${gauge} was not read`)
    state.active = Math.max(state.active - amount, 0)
  }
}

export type { KnownRun, KnownStep, World }
export { Crossed, emptyWorld, joined, nameOf, queueOf, recordOf, acceptIn, advanceIn }
