import { createHash } from 'node:crypto'
import { taskStep } from './task.ts'
import { placeTask, prepareWork } from './work.ts'
import type { WorkNode } from '../flow/graph.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { RunDraft } from '../run/draft.ts'
import type { RunSource } from '../run/source.ts'
import type { ResourceRow, RunRow } from '../../ports/store/rows.ts'
import type { TaskPlan, TaskSpec } from './task.ts'
import { workloadOf } from './workload.ts'

/** The kind of run that one life of one instance of a deployment or service is. Its parent is the workload. */
const replicaKind = 'replica'

/** What is kept with a life of an instance. The task's own members are those that every pod shows. */
type ReplicaSpec = TaskSpec & {
  readonly workload: string
  readonly task: string
  readonly workload_type: 'deployment' | 'service'
  /** Which of the generation's instances it is, from 0. */
  readonly slot: number
  /** Lives that this instance had before. */
  readonly restarts: number
  /** How many of them ended early, one after the other: each doubles the pause before the next. */
  readonly failures: number
  /** Where a service's instance listens, on loopback. */
  readonly port: number | null
}

function replicaOf(run: RunRow): ReplicaSpec {
  return run.spec as unknown as ReplicaSpec // written by `replicaDraft` and `nextLife` only
}

const letters = 'bcdfghjklmnpqrstvwxz2456789'

/**
 * The names of a generation's instances, `<task>-<5 characters>`: always the same ones, so that two servers that both start an instance start one. While a
 * life is active nobody else can have its name.
 */
function replicaNames(workload: string, task: string, generation: number, count: number): string[] {
  const taken = new Set<string>()
  for (let slot = 0; slot < count; slot++) {
    let salt = 0
    let name = ''
    do name = `${task}-${fiveOf(`${workload}/${generation}/${slot}/${salt++}`)}`
    while (taken.has(name))
    taken.add(name)
  }
  return [...taken]
}

function fiveOf(text: string): string {
  const digest = createHash('sha256').update(text).digest()
  return Array.from({ length: 5 }, (_, at) => letters[(digest[at] ?? 0) % letters.length]).join('')
}

/** The first life of an instance of the current generation. */
function replicaDraft(row: ResourceRow, slot: number, port: number | null): RunDraft {
  const { name, namespace, generation, plan, replicas, type } = workloadOf(row)
  const spec: ReplicaSpec = { ...plan.spec, workload: row.id, task: name, workload_type: type, slot, restarts: 0, failures: 0, port }
  return {
    kind: replicaKind,
    name: replicaNames(row.id, name, generation, replicas)[slot] ?? name,
    namespace,
    resourceId: row.parent_id,
    spec: spec as unknown as JsonObject,
    graph: { nodes: [nodeOf(plan)], edges: [], parallel: null, on_error: 'halt' },
    input: null,
    unique: true,
  }
}

/** The next life of an instance whose last one has ended: of its own generation, whatever the current one is. */
function nextLife(ended: RunRow, failures: number, port: number | null): RunDraft {
  const old = replicaOf(ended)
  const spec: ReplicaSpec = { ...old, restarts: old.restarts + 1, failures, port }
  const { kind, name, namespace, resource_id: resourceId, input } = ended
  // The graph was written by `replicaDraft`.
  const graph = ended.graph as unknown as RunDraft['graph']
  return { kind, name, namespace, resourceId, spec: spec as unknown as JsonObject, graph, input, unique: true }
}

// One attempt, without a time limit: what comes after its end is the reconciler's to decide.
function nodeOf(plan: TaskPlan): WorkNode {
  const policy = { ...plan.policy, retries: 0, timeout_ms: null }
  // Plans are plain data by their type; readonly lists are all that Json does not know.
  return { kind: 'work', id: taskStep, join: 'all', when: 'no-error', work: plan.work as unknown as Json, policy }
}

/** How instances become work (Deploy API §13). */
const replicaSource: RunSource = {
  kind: replicaKind,
  ownsRepetition: true,
  place: placeTask,
  work: (services, run, _step, node) => {
    const spec = replicaOf(run)
    const about = { id: spec.workload, name: spec.task, attempt: spec.restarts + 1 }
    return prepareWork(services, run, node, { spec, about, more: spec.port === null ? {} : { PORT: String(spec.port) } })
  },
}

export type { ReplicaSpec }
export { replicaKind, replicaOf, replicaNames, replicaDraft, nextLife, replicaSource }
