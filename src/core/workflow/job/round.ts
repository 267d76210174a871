import { fault } from '../../kernel/fault.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import { compileRound } from './compile.ts'
import { loopsOf, nodesOf } from './nodes.ts'
import { hasParallel, parallelOf } from './parallel.ts'
import { jobSpecOf } from '../spec.ts'
import { roundKind } from '../../run/round-kind.ts'
import type { FlowGraph } from '../../flow/graph.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Services } from '../../operation/services.ts'
import type { RunDraft } from '../../run/draft.ts'
import type { StepReader } from '../../run/unsaved-rows.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { StepTable } from '../../../ports/store/runs.ts'
import type { WorkflowDocument, WorkflowStep } from '../document/model.ts'
import type { Nodes } from './nodes.ts'

/** Rounds of loops inside of loops and sub-workflows that one job may have at once. */
const mostAtOnce = 1000

/** The run of a round. `input` is that of its node: `{ index, item, parent? }`. */
function roundDraft(run: RunRow, document: WorkflowDocument, step: WorkflowStep, input: JsonObject): RunDraft {
  const { version_id, type } = jobSpecOf(run.spec)
  const width = widthOf(run) * parallelOf(step)
  if (width > mostAtOnce) {
    throw fault('state_conflict', {
      what: `The loop "${step.name}"`,
      state: `one that would have ${width} rounds at once, those of the loops around it counted`,
      next: `Let them have ${mostAtOnce} at most.`,
    })
  }
  const index = memberOf(input, 'index') ?? 0
  const loop: JsonObject = { index, item: memberOf(input, 'item') ?? null, parent: within(memberOf(input, 'parent') ?? null, viewOf(run)) }
  const spec: JsonObject = { version_id, type, depth: memberOf(run.spec, 'depth') ?? 0, width, round: { run: run.id, loop: step.id, index } }
  const graph = graphOfRound(document, step)
  return { kind: roundKind, name: run.name, namespace: '', resourceId: run.resource_id, spec, graph, input: { loop }, unique: false }
}

/** How many rounds may run at once beside a run. */
function widthOf(run: RunRow): number {
  return Number(memberOf(run.spec, 'width') ?? 1)
}

const compiled = new WeakMap<WorkflowStep, FlowGraph>()

function graphOfRound(document: WorkflowDocument, step: WorkflowStep): FlowGraph {
  const graph = compiled.get(step) ?? compileRound(document, step)
  compiled.set(step, graph)
  return graph
}

/** The round that a run is: `{ index, item, parent }`; null for other runs. */
function viewOf(run: RunRow): Json {
  return run.kind === roundKind && isJsonObject(run.input) ? (memberOf(run.input, 'loop') ?? null) : null
}

/** A round as the flow of a run sees it, with the round that the run itself is around it. */
function within(loop: Json, outer: Json): Json {
  if (outer === null) return loop
  return isJsonObject(loop) ? { ...loop, parent: within(memberOf(loop, 'parent') ?? null, outer) } : outer
}

/** Where the rows of a run stand in its job: before their keys. '' for a job itself. */
function prefixOf(document: WorkflowDocument, run: RunRow): string {
  return run.kind === roundKind ? `${loopKeyOf(document, run)}/${Number(memberOf(objectMember(run.spec, 'round'), 'index')) + 1}/` : ''
}

function loopKeyOf(document: WorkflowDocument, run: RunRow): string {
  const nodes = nodesOf(document)
  const step = nodes.steps.get(textMember(objectMember(run.spec, 'round'), 'loop'))
  let key = step ? nodes.nodeOf(step.id) : ''
  let view = viewOf(run)
  for (const loop of step ? loopsOf(nodes, step).reverse() : []) {
    view = isJsonObject(view) ? (memberOf(view, 'parent') ?? null) : null
    key = `${nodes.nodeOf(loop.id)}/${Number(isJsonObject(view) ? memberOf(view, 'index') : 0) + 1}/${key}`
  }
  return key
}

/** The key of the outermost loop with rounds at once that a place in a job is in; null for none. */
function parallelAround(document: WorkflowDocument, key: string): string | null {
  const nodes = nodesOf(document)
  const parts = key.split('/')
  for (let at = 0; at < parts.length - 1; at += 2) {
    const found = nodes.stepOf(parts[at] ?? '')
    if (found && parallelOf(found.step) > 1) return parts.slice(0, at + 1).join('/')
  }
  return null
}

/** The rows of a job in order, those of its rounds in their places. `except`: the key of a loop that is left out. */
async function withRounds(
  steps: Pick<StepTable, 'ofRuns'>,
  document: WorkflowDocument,
  rows: readonly StepRow[],
  { prefix = '', except = null }: { prefix?: string; except?: string | null } = {},
): Promise<readonly StepRow[]> {
  const placed = (row: StepRow) => (prefix === '' ? row : { ...row, key: prefix + row.key })
  if (!hasParallel(document)) return rows.map(placed)
  const nodes = nodesOf(document)
  const wanted = rows.filter((row) => isLane(nodes, row) && prefix + loopOfLane(row) !== except)
  const inside = await rowsOfRuns(
    steps,
    wanted.flatMap(({ child_id }) => child_id ?? []),
  )
  const whole: StepRow[] = []
  for (const row of rows) {
    const part = nodes.stepOf(row.node)?.part
    if (part === 'lane') {
      const round = `${prefix}${loopOfLane(row)}/${Number(isJsonObject(row.input) ? memberOf(row.input, 'index') : 0) + 1}/`
      for (const one of await withRounds(steps, document, inside.get(row.child_id ?? '') ?? [], { prefix: round, except })) whole.push(one)
    } else if (part !== 'lanes' && part !== 'joined') whole.push(placed(row))
  }
  return whole
}

function isLane(nodes: Nodes, { node }: StepRow): boolean {
  return nodes.stepOf(node)?.part === 'lane'
}

/** The key of the loop that a lane belongs to: without the number of the chunk and the lane itself. */
function loopOfLane({ key }: StepRow): string {
  return key.split('/').slice(0, -2).join('/')
}

async function rowsOfRuns(steps: Pick<StepTable, 'ofRuns'>, ids: readonly string[]): Promise<Map<string, StepRow[]>> {
  const rows = new Map<string, StepRow[]>(ids.map((id) => [id, []]))
  for (let at = 0; at < ids.length; at += 500) {
    for (const row of await steps.ofRuns(ids.slice(at, at + 500))) rows.get(row.run_id)?.push(row)
  }
  return rows
}

/** Where a run stands: the job that it belongs to, what its keys begin with there, the round that it is, and the rows of the job as seen from it. */
type RoundPlace = { readonly job: RunRow; readonly prefix: string; readonly loop: Json; readonly rows: StepReader }

async function placeOf(
  services: Services,
  document: WorkflowDocument,
  run: RunRow,
  own: StepReader,
  except: string | null = null,
): Promise<RoundPlace> {
  if (run.kind !== roundKind) {
    const rows = hasParallel(document) ? new JobRows({ services, document, own, prefix: '', around: null, except }) : own
    return { job: run, prefix: '', loop: null, rows }
  }
  const parent = await parentOf(services, run)
  const loop = loopKeyOf(document, run)
  const { steps } = services.store.reader
  const stored: StepReader = { one: (key) => steps.one(parent.id, key), all: () => steps.ofRun(parent.id) }
  const outside = await placeOf(services, document, parent, stored, loop)
  const prefix = prefixOf(document, run)
  return { job: outside.job, prefix, loop: viewOf(run), rows: new JobRows({ services, document, own, prefix, around: outside.rows, except }) }
}

const parents = new WeakMap<RunRow, Promise<RunRow>>()

/** The run that a round belongs to. What of it changes nobody asks for. */
function parentOf({ store }: Services, run: RunRow): Promise<RunRow> {
  const known = parents.get(run)
  if (known) return known
  const id = textMember(objectMember(run.spec, 'round'), 'run')
  const read = store.reader.runs.byId(id).then((row) => {
    if (!row) throw fault('not_found', { kind: 'job', reference: id })
    return row
  })
  parents.set(run, read)
  read.catch(() => parents.delete(run))
  return read
}

type Sight = {
  readonly services: Services
  readonly document: WorkflowDocument
  readonly own: StepReader
  readonly prefix: string
  /** The rows around those of the run, in its job. */
  readonly around: StepReader | null
  readonly except: string | null
}

/** The rows of a job as one of its runs sees them: its own, those of its rounds, and of the runs around it what is not in another round beside it. */
class JobRows implements StepReader {
  readonly #sight: Sight

  constructor(sight: Sight) {
    this.#sight = sight
  }

  async one(key: string): Promise<StepRow | null> {
    const { document, own, prefix, around } = this.#sight
    if (!key.startsWith(prefix)) return around?.one(key) ?? null
    const inside = key.slice(prefix.length)
    if (parallelAround(document, inside) !== null) return (await this.#inside()).find((row) => row.key === key) ?? null
    const row = await own.one(inside)
    return row && { ...row, key }
  }

  async all(): Promise<StepRow[]> {
    return [...((await this.#sight.around?.all()) ?? []), ...(await this.#inside())]
  }

  async #inside(): Promise<readonly StepRow[]> {
    const { services, document, own, prefix, except } = this.#sight
    return withRounds(services.store.reader.steps, document, await own.all(), { prefix, except })
  }
}

export type { RoundPlace }
export { roundDraft, graphOfRound, widthOf, within, prefixOf, parallelAround, withRounds, placeOf }
