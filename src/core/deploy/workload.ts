import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Published } from './manifest.ts'
import type { TaskPlan } from './task.ts'

/** A deployment or a service: what is kept alive, as the resource of kind `workload` holds it. Its grants are those of its namespace, the parent. */
type WorkloadSpec = {
  readonly type: 'deployment' | 'service'
  readonly name: string
  readonly namespace: string
  /** Counts the deploys: 1 for a new one. */
  readonly generation: number
  /** Instances that are wanted. */
  readonly replicas: number
  readonly container_port: number | null
  readonly published: Published | null
  /** What each instance of this generation is. */
  readonly plan: TaskPlan
  readonly created_by: string
  /** In whose name instances run: who deployed this generation. */
  readonly deployed_by: { readonly id: string; readonly name: string }
  readonly status: WorkloadStatus
}

/**
 * Where a workload stands, as its reconciler last saw it.
 *
 * - `queued`: accepted; no instance of this generation was started yet.
 * - `starting`: instances of this generation start, and none of them has failed.
 * - `running`: as many instances of this generation are ready as are wanted.
 * - `degraded`: fewer are, because one failed or went away; `reason` says why. Instances of the generation before may still serve.
 */
type WorkloadState = 'queued' | 'starting' | 'running' | 'degraded'

type WorkloadStatus = {
  readonly state: WorkloadState
  readonly reason: string | null
  readonly message: string | null
  readonly exit_code: number | null
  /** The instances that do their work, of whatever generation. */
  readonly ready: readonly ReadyReplica[]
  /** The latest generation that was once ready as a whole. */
  readonly stable: number | null
  readonly started_at: number | null
}

/** An instance that does its work: of a service, where it listens on loopback. */
type ReadyReplica = { readonly run: string; readonly generation: number; readonly port: number | null }

const workloadKind = 'workload'
/** The topic on which servers of one store tell each other that a workload was deployed or deleted. */
const workloadTopic = 'workload'

const freshStatus: WorkloadStatus = { state: 'queued', reason: null, message: null, exit_code: null, ready: [], stable: null, started_at: null }

/** The name of the record: unique in the namespace over both types. A space sorts before every character of a name, so the names sort by namespace first. */
function workloadKey(namespace: string, name: string): string {
  return `${namespace} ${name}`
}

function workloadOf(row: ResourceRow): WorkloadSpec {
  return row.spec as unknown as WorkloadSpec // written by this folder only, from values of that type
}

function specDocument(spec: WorkloadSpec): JsonObject {
  return spec as unknown as JsonObject // plain data by its type
}

const everything = { userId: '', administrator: true }

/** All workloads, by namespace and name. */
async function allWorkloads(tables: Tables): Promise<ResourceRow[]> {
  const rows: ResourceRow[] = []
  for (let after: readonly (string | number)[] | null | undefined = null; after !== undefined; ) {
    const page: { items: ResourceRow[]; next: string | null } = await tables.resources.page(
      { kind: workloadKind },
      everything,
      { need: 'read', ownerIsAdmin: false },
      { limit: 1000, after },
    )
    rows.push(...page.items)
    const last = page.items.at(-1)
    after = page.next === null || !last ? undefined : [last.name]
  }
  return rows
}

export type { WorkloadSpec, WorkloadState, WorkloadStatus, ReadyReplica }
export { workloadKind, workloadTopic, freshStatus, workloadKey, workloadOf, specDocument, allWorkloads }
