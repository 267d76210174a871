import type { Json, JsonObject } from '../../core/kernel/json.ts'
import type { Page, PageRequest } from '../../core/kernel/page.ts'

/** One version of a workflow. Its document never changes; who changes a draft makes another version in its place. */
type WorkflowVersionRow = {
  id: string
  workflow_id: string
  /** Counts up within the workflow. */
  number: number
  state: 'draft' | 'published'
  document: JsonObject
  created_by: string
  created_by_name: string
  created_at: number
}

/** A version without its document, which may be megabytes. */
type WorkflowVersionSummary = Omit<WorkflowVersionRow, 'document'>

type WorkflowVersionTable = {
  insert(row: WorkflowVersionRow): Promise<void>
  byId(id: string): Promise<WorkflowVersionRow | null>
  /** All of a workflow, newest first. */
  ofWorkflow(workflowId: string): Promise<WorkflowVersionSummary[]>
  /** The highest number that a workflow has given away; 0 when none. */
  lastNumber(workflowId: string): Promise<number>
  publish(id: string): Promise<void>
  delete(id: string): Promise<void>
}

/** What starts workflows: an address for events, a plugin's trigger, a clock, or an event of our own. Shared by all workflows that are bound to it. */
type WorkflowTriggerRow = {
  id: string
  name: string
  type: string
  /** What the type needs: schema and variables, plugin and input, times, filters. Secrets of it are sealed. */
  spec: JsonObject
  require_auth: boolean
  owner_id: string
  /** The unguessable part of the address that a plugin posts to, or the secret of an inbound webhook, sealed; null: it has none. */
  sealed: string | null
  last_error: string | null
  created_at: number
  updated_at: number
}

type WorkflowTriggerTable = {
  insert(row: WorkflowTriggerRow): Promise<void>
  byId(id: string): Promise<WorkflowTriggerRow | null>
  update(id: string, patch: Partial<Omit<WorkflowTriggerRow, 'id' | 'created_at'>>): Promise<boolean>
  delete(id: string): Promise<boolean>
  page(filter: { type?: string }, page: PageRequest): Promise<Page<WorkflowTriggerRow>>
  /** Binds an active workflow to the trigger of its version, or to none. */
  bind(workflowId: string, triggerId: string | null): Promise<void>
  /** The active workflows that a trigger starts. */
  boundTo(triggerId: string): Promise<string[]>
  /** Triggers that start at least one active workflow, of one type or of all. */
  bound(type?: string): Promise<WorkflowTriggerRow[]>
}

/**
 * An event on its way to one workflow. `waiting`: a job is to be started at `next_at`, or is being started by `owner` until `lease_until`; then `started`, or
 * `refused` when it never will be, with why.
 */
type TriggerEventRow = {
  /** The same for the same event and workflow, however often it comes: it becomes one job. */
  id: string
  trigger_id: string
  workflow_id: string
  /** What the job is told. */
  message: JsonObject
  /** How many events in a row were caused by jobs that an event started. */
  depth: number
  state: 'waiting' | 'started' | 'refused'
  attempt: number
  next_at: number
  owner: string
  lease_until: number
  job_id: string | null
  error: string | null
  created_at: number
  finished_at: number | null
}

type TriggerEventTable = {
  /** Takes an event up; one that is there already (`known`) is left as it is, and where `most` wait for the workflow (`full`) it is not taken. */
  queue(row: TriggerEventRow, most: number): Promise<'taken' | 'known' | 'full'>
  byId(id: string): Promise<TriggerEventRow | null>
  /** Takes the next due events until `until`, the longest waiting first. */
  take(owner: string, now: number, until: number, limit: number): Promise<TriggerEventRow[]>
  /** Writes down what came of an event; false when it was somebody else's by then. */
  settle(
    id: string,
    owner: string,
    patch: Pick<TriggerEventRow, 'state' | 'attempt' | 'next_at' | 'job_id' | 'error' | 'finished_at'>,
  ): Promise<boolean>
  /** When something is to be started next; null when nothing waits. */
  nextAt(): Promise<number | null>
  /** Gives back what servers other than `owner` had taken: for one that is alone in its store. */
  release(owner: string): Promise<number>
  /** Newest first. */
  page(triggerId: string, page: PageRequest): Promise<Page<TriggerEventRow>>
  /** Forgets those that ended before a moment, at most `limit`. Gives how many. */
  prune(before: number, limit: number): Promise<number>
}

/** Which server keeps a trigger alive that only one may keep. */
type TriggerKeeperTable = {
  /** Takes or renews it until `until`; false while another server has it. */
  claim(triggerId: string, owner: string, now: number, until: number): Promise<boolean>
  release(triggerId: string, owner: string): Promise<void>
  /** Gives back what servers other than `owner` had: for one that is alone in its store. */
  releaseOthers(owner: string): Promise<void>
}

/** A row of a list that workflows share. */
type ArtifactEntityRow = { id: string; artifact_id: string; value: Json; created_at: number }

type ArtifactEntityTable = {
  insert(row: ArtifactEntityRow): Promise<void>
  delete(artifactId: string, id: string): Promise<boolean>
  /** Removes all of a list. */
  clear(artifactId: string): Promise<number>
  count(artifactId: string): Promise<number>
  /** Oldest first. */
  page(artifactId: string, page: PageRequest): Promise<Page<ArtifactEntityRow>>
}

/** What workflows keep. */
type WorkflowTables = {
  readonly workflowVersions: WorkflowVersionTable
  readonly workflowTriggers: WorkflowTriggerTable
  readonly triggerEvents: TriggerEventTable
  readonly triggerKeepers: TriggerKeeperTable
  readonly artifactEntities: ArtifactEntityTable
}

export type {
  WorkflowTables,
  WorkflowVersionRow,
  WorkflowVersionSummary,
  WorkflowVersionTable,
  WorkflowTriggerRow,
  WorkflowTriggerTable,
  TriggerEventRow,
  TriggerEventTable,
  TriggerKeeperTable,
  ArtifactEntityRow,
  ArtifactEntityTable,
}
