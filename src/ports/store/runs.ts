import type { Json, JsonObject } from '../../core/kernel/json.ts'
import type { Page, PageRequest } from '../../core/kernel/page.ts'
import type { RunState, StepState } from '../../core/kernel/run-state.ts'
import type { LoadingTable } from './loading.ts'
import type { AuditRow, RunRow, ScheduleRow, ServerRow, StepRow } from './rows.ts'
import type { Viewer } from './tables.ts'

/**
 * The engine's acts: complete descriptions of a change, without a closure, so that an adapter may put many into one transaction (and PostgreSQL many
 * into one statement). Each resolves after it is durable. Order between acts of one run is kept.
 */
type EngineActs = {
  /** Accepts a run whole (name check, queue bound, idempotency record, cron slot, audit line, first steps and their places) or not at all. */
  accept(act: AcceptAct): Promise<AcceptResult>
  /** Records what happened to steps of one run and what follows from it, in one commit. With a stale fence nothing is changed. */
  advance(act: AdvanceAct): Promise<AdvanceResult>
}

/** A counted limit that a step holds while it is starting or running: `namespace:weather`, `target:local`, `cpu:local`. */
type Place = { readonly gauge: string; readonly amount: number; readonly limit: number }

type AcceptAct = {
  readonly run: RunRow
  readonly steps: readonly StepRow[]
  /** Steps (by key) that shall start at once if their places are free; else they stay queued. A run with a step that started is running from its making on. */
  readonly starts: readonly StepStart[]
  /** Refuse when another active run has the same kind, namespace and name. Ended ones of that name leave the lists. */
  readonly unique: boolean
  /** Refuse when `limit` runs of this kind and namespace are queued or waiting already. */
  readonly queueLimit: number | null
  readonly idempotency: IdempotencyRecord | null
  /** The occurrence of a schedule that this run is: one run per slot, and none of a schedule that is suspended or deleted. */
  readonly slot: { readonly schedule_id: string; readonly at: number } | null
  readonly audit: readonly AuditRow[]
}

type StepStart = { readonly key: string; readonly places: readonly Place[] }

type AcceptResult =
  | {
      readonly outcome: 'accepted'
      readonly started: readonly string[] /** the gauge that refused, by step */
      readonly refused: readonly Refusal[]
      readonly replaced: string | null
    }
  | { readonly outcome: 'name_taken'; readonly id: string }
  | { readonly outcome: 'queue_full' }
  | { readonly outcome: 'slot_taken' }
  | { readonly outcome: 'replayed'; readonly record: IdempotencyRecord }

type Refusal = { readonly key: string; readonly gauge: string }

type IdempotencyRecord = {
  readonly identity: string
  readonly route: string
  readonly key: string
  /** SHA-256 of the request's parameters. */
  readonly fingerprint: string
  /** What the first answer was about: `{ run, replaced }` or `{ conflict }`. */
  readonly outcome: JsonObject
  readonly at: number
}

type StepChange = {
  readonly key: string
  readonly attempt: number
  readonly patch: Partial<Omit<StepRow, 'run_id' | 'key' | 'node' | 'kind' | 'position'>>
}

type AdvanceAct = {
  readonly run_id: string
  readonly owner: string
  readonly fence: number
  /** A change of state that the transition table does not allow, or of another attempt, is dropped. Leaving `starting` or `running` gives back the places held. */
  readonly steps: readonly StepChange[]
  readonly create: readonly StepRow[]
  readonly starts: readonly StepStart[]
  readonly run: Partial<Pick<RunRow, 'state' | 'reason' | 'message' | 'output' | 'active' | 'started_at' | 'finished_at' | 'cancel' | 'spec'>> | null
  /** Child runs, accepted in the same commit. */
  readonly children: readonly AcceptAct[]
  readonly audit: readonly AuditRow[]
}

type AdvanceResult = {
  /** Another server works on this run now: forget it. */
  readonly fenced: boolean
  readonly started: readonly string[]
  readonly refused: readonly Refusal[]
  readonly children: readonly AcceptResult[]
}

type RunTables = {
  readonly runs: RunTable
  readonly steps: StepTable
  readonly schedules: ScheduleTable
  readonly servers: ServerTable
  readonly idempotency: IdempotencyTable
  readonly loadings: LoadingTable
}

type RunFilter = {
  readonly kinds?: readonly string[]
  /** Of any kind but this. */
  readonly exceptKind?: string
  readonly namespace?: string
  readonly name?: string
  readonly states?: readonly RunState[]
  readonly parentId?: string
  readonly resourceId?: string
  readonly startedBy?: string
  readonly listed?: boolean
  readonly active?: boolean
  /** Made at this moment or later. */
  readonly createdFrom?: number
  /** Made at this moment or before. */
  readonly createdTo?: number
  /** Jobs of one family of re-runs: those whose `spec` names this id. */
  readonly group?: string
  /** By what people said about a job: `none` of the marks, or the one that counts. */
  readonly mark?: 'none' | 'retried' | 'dismissed'
}

/** What runs can be sorted by. */
type RunSort = { readonly by: 'created' | 'updated' | 'ended' | 'id' | 'name' | 'state'; readonly direction: 'asc' | 'desc' }

/** What is needed to know whether a run is as it was when it was seen before. */
type RunKey = Pick<RunRow, 'id' | 'active' | 'version'>

/** What lists show of a run and of a step: without their documents, which may be large. */
type RunSummary = Omit<RunRow, 'graph' | 'input' | 'output' | 'cancel'>
type StepSummary = Pick<StepRow, 'run_id' | 'key' | 'position' | 'state' | 'reason' | 'message' | 'attempt' | 'max_attempts' | 'exit_code'>

type RunTable = {
  byId(id: string): Promise<RunRow | null>
  byIds(ids: readonly string[]): Promise<RunRow[]>
  activeNamed(kind: string, namespace: string, name: string): Promise<RunRow | null>
  /** The newest of the name that is still listed, active or ended. */
  listedNamed(kind: string, namespace: string, name: string): Promise<RunRow | null>
  childrenOf(id: string): Promise<RunRow[]>
  /** Without the viewer nothing is left out. `newest`: by creation, latest first; `name`: by namespace, then name. */
  page(filter: RunFilter, viewer: Viewer | null, order: 'newest' | 'name', page: PageRequest): Promise<Page<RunRow>>
  /** Which runs there are, by namespace, name and creation. */
  keys(filter: RunFilter, viewer: Viewer | null, page: PageRequest): Promise<Page<RunKey>>
  /** The ids of a part of a sorted list, for callers that count rows instead of going on from the last one. Without a sort: newest first. */
  sortedIds(filter: RunFilter, viewer: Viewer | null, sort: readonly RunSort[], part: { limit: number; offset: number }): Promise<string[]>
  /** In no order. */
  summaries(ids: readonly string[]): Promise<RunSummary[]>
  /** All active runs of a server, for recovery. */
  activeOf(owner: string): Promise<RunRow[]>
  counts(): Promise<{ kind: string; state: RunState; count: number }[]>
  /** A run that is marked as deleted gives its name up at once, though it may go on for a while. */
  patch(id: string, patch: Partial<Pick<RunRow, 'listed' | 'cancel' | 'deleted_at' | 'message' | 'reason' | 'spec'>>): Promise<void>
  /** The place of the ended run that is so many further back than `after` (null: than before the newest); null: there are not so many. */
  placeOf(kind: string, which: PruneScope & { readonly back: number; readonly after: RunPlace | null }): Promise<RunPlace | null>
  /** Deletes ended runs (with their steps) of a kind that ended before `before`, or are older than the run at `beyond`; at most `limit` at a time. Gives their ids. */
  prune(kind: string, options: PruneOptions): Promise<string[]>
  /** The runs that `prune` would delete now. */
  prunable(kind: string, options: PruneOptions): Promise<string[]>
}

/** Where a run stands among those of its kind. */
type RunPlace = { readonly created_at: number; readonly id: string }

/** `of`: only runs of this resource; `except`: none of these. */
type PruneScope = { readonly of?: string; readonly except?: readonly string[] }

/** `alone`: only runs that are nobody's child, or whose parent is there no more. */
type PruneOptions = PruneScope & { readonly before: number; readonly beyond: RunPlace | null; readonly limit: number; readonly alone?: boolean }

type StepTable = {
  one(runId: string, key: string): Promise<StepRow | null>
  /** In order of position. */
  ofRun(runId: string): Promise<StepRow[]>
  ofRuns(runIds: readonly string[]): Promise<StepRow[]>
  /** As `ofRuns`, of each what lists show. */
  summaries(runIds: readonly string[]): Promise<StepSummary[]>
  /** Deletes steps of runs that have ended, at most `limit`. Gives how many. */
  drop(runIds: readonly string[], limit: number): Promise<number>
  countActive(states: readonly StepState[]): Promise<number>
  /** Keeps the answer of a question that waits and has none yet, as its handle; false when it does not wait for one. */
  answer(runId: string, key: string, answer: Json): Promise<boolean>
  /** From now on a question that waits takes no answer any more; false when it has one, or takes none already. */
  expire(runId: string, key: string): Promise<boolean>
}

type ScheduleTable = {
  insert(row: Omit<ScheduleRow, 'version'>): Promise<ScheduleRow>
  byId(id: string): Promise<ScheduleRow | null>
  byName(kind: string, namespace: string, name: string): Promise<ScheduleRow | null>
  /** How many a namespace has that are not deleted. */
  count(kind: string, namespace: string): Promise<number>
  /** The schedule as it is now, for a write that changes a part of it: nobody else changes it before that write has ended. */
  lock(id: string): Promise<ScheduleRow | null>
  update(id: string, patch: Partial<Omit<ScheduleRow, 'id' | 'kind' | 'version'>>): Promise<void>
  /** Moves on from a slot; false when another server was faster. */
  advance(id: string, from: number, patch: { last_slot: number; next_at: number | null }): Promise<boolean>
  due(now: number, limit: number): Promise<ScheduleRow[]>
  nextAt(): Promise<number | null>
  /** The run that an occurrence became; null when it started none. */
  runOfSlot(id: string, at: number): Promise<string | null>
  /** The schedule whose occurrence a run is; null for other runs. */
  ofRun(runId: string): Promise<string | null>
  /** The runs of these schedules that have not ended, oldest first. */
  activeRuns(ids: readonly string[]): Promise<ScheduledRun[]>
  /** The runs of the latest `limit` slots, newest first; and those of `runIds`. */
  recentRuns(id: string, limit: number, runIds: readonly string[]): Promise<ScheduledRun[]>
  /** Forgets the slots before `before`, and schedules that were deleted before it; at most `limit` of each. Gives how many. */
  prune(before: number, limit: number): Promise<number>
  page(filter: { kind?: string; namespace?: string }, viewer: Viewer | null, page: PageRequest): Promise<Page<ScheduleRow>>
}

/** A run that is the occurrence of a schedule. */
type ScheduledRun = Pick<RunRow, 'id' | 'name' | 'state' | 'active' | 'listed'> & { readonly schedule_id: string; readonly at: number }

type ServerTable = {
  /** Announces a server, or renews its lease. */
  beat(row: ServerRow): Promise<void>
  all(): Promise<ServerRow[]>
  remove(id: string): Promise<void>
  /** Makes `to` the owner of the active runs of `from`, with a higher fence, so that late writes of `from` change nothing. Gives the runs. */
  takeOver(from: string, to: string): Promise<RunRow[]>
  /** Owners of active runs that no server row with a lease after `now` stands for. */
  orphans(now: number): Promise<string[]>
  /** Counts all gauges anew from the steps that hold them. Only while no other server is alive. */
  recount(): Promise<void>
}

type IdempotencyTable = {
  get(identity: string, route: string, key: string): Promise<IdempotencyRecord | null>
  put(record: IdempotencyRecord): Promise<IdempotencyRecord>
  /** Forgets those that were kept before a moment, at most `limit`. Gives how many. */
  prune(before: number, limit: number): Promise<number>
}

export type {
  EngineActs,
  Place,
  AcceptAct,
  StepStart,
  AcceptResult,
  Refusal,
  IdempotencyRecord,
  StepChange,
  AdvanceAct,
  AdvanceResult,
  RunTables,
  RunFilter,
  RunKey,
  RunSort,
  RunSummary,
  StepSummary,
  RunTable,
  StepTable,
  PruneOptions,
  PruneScope,
  RunPlace,
  ScheduleTable,
  ScheduledRun,
  ServerTable,
  IdempotencyTable,
}
