import { timestamp } from '../../kernel/clock.ts'
import { isJsonObject, memberOf } from '../document/members.ts'
import { entriesOf, entryOf, keyFrom, ownEntry, startMessage } from './context.ts'
import { loopsOf, nodesOf } from './nodes.ts'
import { withRounds } from './round.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Services } from '../../operation/services.ts'
import type { StepReader } from '../../run/unsaved-rows.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowDocument, WorkflowStep } from '../document/model.ts'
import type { Scope } from '../language/scope.ts'
import type { Nodes } from './nodes.ts'

/** The job that a step belongs to, and where in it the step stands. */
type Standing = {
  readonly services: Services
  readonly run: RunRow
  readonly document: WorkflowDocument
  /** The rows of the job as they are now. */
  readonly rows: StepReader
  /** Key of the row that asks. */
  readonly key: string
  /** The nearest round: `{ index, item, parent }`; null outside of loops. */
  readonly loop: Json
}

/** The values that a step's templates and rules may name, read for exactly those names. Roots that nobody asked for are not there. */
async function scopeOf(
  standing: Standing,
  names: ReadonlySet<string>,
  options: { extra?: ReadonlyMap<string, Json>; reading?: StepRows } = {},
): Promise<Scope> {
  const nodes = nodesOf(standing.document)
  const values = new Map<string, Json>(options.extra)
  const reading = options.reading ?? new StepRows(standing.rows)
  for (const name of names) {
    if (values.has(name)) continue
    const value =
      name === '$job' ? jobRoot(standing) : name === '$workflow' ? standing.document.parameters : await stepRoot(standing, nodes, name, reading)
    if (value !== undefined) values.set(name, value)
  }
  return { root: (name) => values.get(name), inside: (loop) => nodes.inside(loop) }
}

/** The members of `$job`, each in both spellings. */
function jobRoot({ services, run }: Standing): JsonObject {
  const members: JsonObject = {
    id: run.id,
    name: run.name,
    URL: jobUrl(services, run.id),
    created_at: timestamp(run.created_at),
    start_message: startMessage(run),
  }
  return Object.fromEntries(Object.entries(members).flatMap(([name, value]) => [[name, value] as const, [`$${name}`, value] as const]))
}

/** The address of a job for people. */
function jobUrl(services: Services, id: string): string {
  return `${services.settings.publicUrl}/jobs/details/${id}`
}

async function stepRoot(standing: Standing, nodes: Nodes, name: string, reading: StepRows): Promise<JsonObject | undefined> {
  const step = nodes.named(name)
  if (!step) return undefined
  const round = step.type === 'loop' ? roundOf(nodes, standing, step) : null
  if (round) return round
  const key = keyFrom(nodes, standing.key, step)
  const row = key === null ? await reading.latest(nodes.nodeOf(step.id)) : await reading.one(key)
  const entry = row ? entryOf(standing.run, step, row) : undefined
  if (!row || entry === undefined) return undefined
  const rows = step.type === 'loop' && entry.$success === true ? await reading.all() : []
  const snippets = step.type === 'loop' ? rows.filter(({ child_id, key: inside }) => child_id !== null && inside.startsWith(`${row.key}/`)) : [row]
  return ownEntry(nodes, standing.run, step, row, entry, rows, await childEntries(standing.services, snippets))
}

/** A loop as seen from inside of one of its rounds. */
function roundOf(nodes: Nodes, { key, loop, document }: Standing, step: WorkflowStep): JsonObject | null {
  const own = nodes.stepOf(key.split('/').at(-1) ?? '')?.step ?? document.steps[0]
  const loops = own ? loopsOf(nodes, own).reverse() : []
  let view: Json | undefined = loop
  for (const around of loops) {
    if (!isJsonObject(view)) return null
    if (around.id === step.id) return { $item: memberOf(view, 'item') ?? null, $index: memberOf(view, 'index') ?? 0 }
    view = memberOf(view, 'parent')
  }
  return null
}

/** What the runs of sub-workflows gave, by their id: the entries of their steps. */
async function childEntries(services: Services, rows: readonly StepRow[]): Promise<Map<string, JsonObject>> {
  const found = new Map<string, JsonObject>()
  for (const { child_id: id } of rows) {
    const child = id ? await services.store.reader.runs.byId(id) : null
    if (child?.kind !== 'workflow') continue
    const document = await services.workflows.document(child)
    const { reader } = services.store
    const steps = await withRounds(reader.steps, document, await reader.steps.ofRun(child.id))
    found.set(child.id, entriesOf(child, document, steps, await childEntries(services, steps)))
  }
  return found
}

/** The rows of a run, each read at most once. */
class StepRows {
  readonly #rows: StepReader
  #all: Promise<StepRow[]> | null = null
  #byKey: ReadonlyMap<string, StepRow> | null = null

  constructor(rows: StepReader) {
    this.#rows = rows
  }

  /** Reads all rows now, for who will ask for many. */
  async load(): Promise<this> {
    this.#byKey = new Map((await this.all()).map((row) => [row.key, row]))
    return this
  }

  async one(key: string): Promise<StepRow | null> {
    if (this.#byKey) return this.#byKey.get(key) ?? null
    return this.#rows.one(key)
  }

  all(): Promise<StepRow[]> {
    return (this.#all ??= this.#rows.all())
  }

  async latest(node: string): Promise<StepRow | null> {
    return (await this.all()).findLast((row) => row.node === node && row.state !== 'skipped') ?? null
  }
}

export type { Standing }
export { scopeOf, jobUrl, childEntries, StepRows }
