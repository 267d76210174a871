import { isEnd } from '../../kernel/run-state.ts'
import { isJsonObject, memberOf, objectMember } from '../document/members.ts'
import { approvalEntry, isApproval } from './approval.ts'
import { loopsOf, nodesOf } from './nodes.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { RunState } from '../../kernel/run-state.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowDocument, WorkflowStep } from '../document/model.ts'
import type { Nodes, Part } from './nodes.ts'

/** What a node keeps as its output: what others see of the step (`entry`), and what only the engine and views of the step need. */
type StepOutput = {
  readonly entry?: JsonObject
  /** The input as it was filled. */
  readonly input?: Json
  readonly log?: string
  readonly exception?: Json
  /** The path that a decision took. */
  readonly edge?: string
  /** How often it was called in all, where it was called again after a failure. */
  readonly attempts?: number
}

/** A row that stands for a step itself, with the round that it belongs to. */
type StepExecution = { readonly step: WorkflowStep; readonly row: StepRow; readonly entry: JsonObject | undefined }

/** The entry of a step in the context of its job (contract §7.3); undefined while it has none. */
function entryOf(run: RunRow, step: WorkflowStep, row: Pick<StepRow, 'state' | 'output'>): JsonObject | undefined {
  if (step.is_disabled || row.state === 'skipped' || !isEnd(row.state)) return undefined
  const output = isJsonObject(row.output) ? row.output : {}
  if (step.type === 'human_decision' || isApproval(step)) {
    // Nobody's answer in time leads along the path for that, which is no failure of the step.
    const answered = row.state === 'succeeded' || (row.state === 'timed_out' && memberOf(output, 'edge') !== undefined)
    if (answered && step.type === 'action') return { ...approvalEntry(output), $success: true }
    return answered ? { path: memberOf(output, 'path') ?? '', user_name: memberOf(output, 'user_name') ?? '', $success: true } : { $success: false }
  }
  if (row.state !== 'succeeded') return { $success: false }
  if (step.type === 'trigger' || step.type === 'api_trigger' || step.type === 'snippet_map') return { ...startOutputs(run), $success: true }
  return { ...objectMember(output, 'entry'), $success: true }
}

/** The variables that a run began with, as the trigger step gives them on. */
function startOutputs(run: RunRow): JsonObject {
  return isJsonObject(run.input) ? objectMember(run.input, 'outputs') : {}
}

/** What was posted, unchanged. */
function startMessage(run: RunRow): Json {
  return isJsonObject(run.input) ? (memberOf(run.input, 'message') ?? {}) : {}
}

/**
 * The executions of steps among the rows of a run, in their order. Rows of helper nodes are left out, unless the step failed in one: then that row stands for
 * the step. Steps that were not taken are left out, and so are those that a cancelled job had not come to.
 */
function executionsOf(run: RunRow, document: WorkflowDocument, rows: readonly StepRow[]): StepExecution[] {
  const nodes = nodesOf(document)
  const failedBeside = new Map(rows.filter((row) => failsItsStep(nodes, row)).map((row) => [stepKey(row), row]))
  const shown = (row: StepRow) => row.state !== 'skipped' && !wasNeverReached(row)
  // What fails behind the step itself, as what a loop gives in the end, stands where the step does.
  const begun = new Set(rows.filter((row) => failedBeside.has(row.key) && shown(row)).map(({ key }) => key))
  return rows.flatMap((row): StepExecution[] => {
    const found = nodes.stepOf(row.node)
    if (!found || !shown(row)) return []
    const { step, part } = found
    if (part !== 'main' && (begun.has(stepKey(row)) || !failsItsStep(nodes, row))) return []
    const standing = failedBeside.get(row.key) ?? row
    return [{ step, row: standing, entry: entryOf(run, step, standing) }]
  })
}

/** Parts of a step whose failure is the step's own: what it goes over, its input, its pauses and what it gives. */
const ownParts: ReadonlySet<Part> = new Set<Part>(['items', 'delay', 'pause', 'input', 'outputs'])

function failsItsStep(nodes: Nodes, row: StepRow): boolean {
  const part = nodes.stepOf(row.node)?.part
  return part !== undefined && ownParts.has(part) && hasFailed(row.state)
}

// The end of a job makes rows for what would have come, so that nothing comes any more.
function wasNeverReached({ state, started_at, created_at, finished_at }: StepRow): boolean {
  return state === 'cancelled' && started_at === null && finished_at === created_at
}

function hasFailed(state: RunState): boolean {
  return state === 'failed' || state === 'lost' || state === 'timed_out'
}

/** The key of the step that a row belongs to, be it the row of the step itself or of a part. */
function stepKey({ key }: Pick<StepRow, 'key'>): string {
  return key.replace(/~[a-z]+$/, '')
}

/**
 * The entries of all steps by name, from the rows of a run: inside of a loop that of the latest round, and for a loop that has ended its outputs. `children`
 * gives the entry of a step that was a run of its own.
 */
function entriesOf(run: RunRow, document: WorkflowDocument, rows: readonly StepRow[], children: ReadonlyMap<string, JsonObject>): JsonObject {
  const nodes = nodesOf(document)
  // Of a step in a loop the latest round counts: what the others gave is not put together, or a job would be read once for each of its rounds.
  const latest = new Map<string, { readonly step: WorkflowStep; readonly row: StepRow; readonly entry: JsonObject }>()
  for (const { step, row, entry } of executionsOf(run, document, rows)) if (entry !== undefined) latest.set(step.name, { step, row, entry })
  return Object.fromEntries([...latest].map(([name, { step, row, entry }]) => [name, ownEntry(nodes, run, step, row, entry, rows, children)]))
}

/** The entry of a row whole: a loop's has what its rounds gave, a snippet's what its run gave. */
function ownEntry(
  nodes: Nodes,
  run: RunRow,
  step: WorkflowStep,
  row: StepRow,
  entry: JsonObject,
  rows: readonly StepRow[],
  children: ReadonlyMap<string, JsonObject>,
): JsonObject {
  if (entry.$success !== true) return entry
  if (step.type === 'snippet' && row.child_id) return { ...children.get(row.child_id), ...entry }
  return step.type === 'loop' ? { ...entry, ...loopOutputs(nodes, run, row.key, rows, children) } : entry
}

/**
 * `$outputs` of a loop and its own outputs, from the rows below it: an object per round that ran, keyed by step as templates name it. The entry of a loop in a
 * round has its outputs, and that of a snippet those of its run.
 */
function loopOutputs(nodes: Nodes, run: RunRow, key: string, rows: readonly StepRow[], children: ReadonlyMap<string, JsonObject>): JsonObject {
  const prefix = `${key}/`
  const loops = new Map<string, { custom: JsonObject; readonly rounds: Map<number, StepRow[]> }>()
  const loopAt = (at: string) => {
    const known = loops.get(at) ?? { custom: {}, rounds: new Map<number, StepRow[]>() }
    loops.set(at, known)
    return known
  }
  for (const row of rows) {
    if (row.key !== `${key}~outputs` && !row.key.startsWith(prefix)) continue
    if (nodes.stepOf(row.node)?.part === 'outputs') loopAt(stepKey(row)).custom = isJsonObject(row.output) ? objectMember(row.output, 'entry') : {}
    if (!row.key.startsWith(prefix)) continue
    const round = row.key.lastIndexOf('/')
    const loop = row.key.lastIndexOf('/', round - 1)
    const { rounds } = loopAt(row.key.slice(0, loop))
    const number = Number(row.key.slice(loop + 1, round))
    const known = rounds.get(number)
    if (known) known.push(row)
    else rounds.set(number, [row])
  }
  const outputsAt = (at: string): JsonObject => {
    const { custom, rounds } = loopAt(at)
    const numbers = [...rounds].sort(([a], [b]) => a - b)
    return { $outputs: numbers.map(([, inside]) => Object.fromEntries(inside.flatMap((row) => entryIn(row)))), ...custom }
  }
  const entryIn = (row: StepRow): [string, JsonObject][] => {
    const found = nodes.stepOf(row.node)
    const entry = found?.part === 'main' ? entryOf(run, found.step, row) : undefined
    if (!found || entry === undefined) return []
    const name = nodes.document.format === 'kom' ? found.step.name : found.step.id
    if (entry.$success !== true) return [[name, entry]]
    if (found.step.type === 'loop') return [[name, { ...entry, ...outputsAt(row.key) }]]
    return [[name, found.step.type === 'snippet' && row.child_id ? { ...children.get(row.child_id), ...entry } : entry]]
  }
  return outputsAt(key)
}

/** The key of a step as seen from a place in the graph: in the rounds that stand open there, null where it is inside of a loop that is not. */
function keyFrom(nodes: Nodes, place: string, step: WorkflowStep): string | null {
  const open = place.split('/')
  let key = ''
  for (const [depth, loop] of loopsOf(nodes, step).entries()) {
    const node = nodes.nodeOf(loop.id)
    if (open[depth * 2] !== node || open[depth * 2 + 1] === undefined) return null
    key += `${node}/${open[depth * 2 + 1]}/`
  }
  return key + nodes.nodeOf(step.id)
}

export type { StepOutput, StepExecution }
export { entryOf, startOutputs, startMessage, executionsOf, entriesOf, ownEntry, keyFrom, hasFailed, stepKey }
