import type { FlowGraph } from '../flow/graph.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { AuditRow, RunRow } from '../../ports/store/rows.ts'

/** A run before it is accepted: complete, so that nothing has to be looked up again to carry it out. */
export type RunDraft = {
  /** A UUIDv4 made ahead, where names or the audit line need it; made by the engine when left out. */
  readonly id?: string
  /** `task`, `pipeline`, `workflow`, `procedure`, … */
  readonly kind: string
  readonly name: string
  /** Namespace of the Deploy API; '' for none. Limits and fairness are counted by it. */
  readonly namespace: string
  /** The resource whose grants rule the run. */
  readonly resourceId: string | null
  /** What the kind's work source needs and what APIs show. Never secrets: those are opened when a step starts. */
  readonly spec: JsonObject
  readonly graph: FlowGraph
  readonly input: Json
  /** While it is active, no other run of this kind, namespace and name is accepted; ended ones of the name leave the lists. */
  readonly unique: boolean
}

export type AcceptOptions = {
  readonly idempotency?: { readonly route: string; readonly key: string; readonly fingerprint: string } | null
  readonly slot?: { readonly scheduleId: string; readonly at: number } | null
  readonly retryOf?: string
  /** What it belongs to, where that is no run: a workload. */
  readonly parentId?: string
  /** Runs of this kind and namespace that may be queued or waiting; null = no bound. */
  readonly queueLimit?: number | null
  /** Written in the same commit. */
  readonly audit?: readonly AuditRow[]
}

/** What became of a draft. A replay gives the run of the first call. */
export type Accepted = { readonly run: RunRow; readonly replaced: boolean; readonly replayed: boolean }
