import type { Level } from '../kernel/level.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Static, TSchema } from '../kernel/schema.ts'
import type { ResourceRow, RunRow, ScheduleRow, UserRow } from '../../ports/store/rows.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'
import type { WebhookRow } from '../../ports/store/webhooks.ts'
import type { WorkflowTriggerRow } from '../../ports/store/workflows.ts'
import type { Ctx, WriteCtx } from './context.ts'

/** The row that a reference of a kind leads to. Everything that is not in this table is a resource. */
type RowOf<Kind extends string> = Kind extends keyof OtherRows ? OtherRows[Kind] : ResourceRow
type OtherRows = {
  user: UserRow
  run: RunRow
  schedule: ScheduleRow
  'pull-request': PullRequestRow
  webhook: WebhookRow
  trigger: WorkflowTriggerRow
}

/** A thing that was looked up for a caller who may see it, with what the caller holds on it. */
type Found<Kind extends string = string> = {
  readonly kind: Kind
  readonly row: RowOf<Kind>
  readonly level: Level
  readonly extras: readonly string[]
}

/** One subject of an operation: how to find it in the input, and what is needed on it. */
type SubjectRule<Input, Kind extends string = string> = {
  readonly kind: Kind
  readonly need: Level
  /** A named extra that the caller needs besides the level (logs, terminal, …). Administrators and `admin` on the subject have all. */
  readonly extra?: string
  /** The input member that names it, for error messages. */
  readonly member: string
  /** The reference in the input; undefined when the input names none, and then there is nothing to find. */
  readonly reference: (input: Input) => string | undefined
}

/**
 * Who may call an operation at all, before any subject is looked at. `anyone` includes callers without credentials; an extra is a system permission
 * (granted on `system:system`).
 */
type Access = 'anyone' | 'signed-in' | 'administrator' | { readonly system: string }

/** What the audit trail keeps of a change: what it was about, and the members worth keeping (never secrets). */
type AuditRule<Input, Output> = {
  readonly subject: (input: Input, output: Output | undefined) => string
  readonly subjectId?: (input: Input, output: Output | undefined) => string | null
  readonly detail?: (input: Input, output: Output | undefined) => JsonObject
}

type Subjects<Input> = Readonly<Record<string, SubjectRule<Input>>>
type FoundAll<S> = { readonly [K in keyof S]: S[K] extends SubjectRule<never, infer Kind> ? Found<Kind> : never }

type Common<I extends TSchema, O extends TSchema, S> = {
  /** `<noun>.<verb>`: the route, the CLI command and the audit line are named after it. */
  readonly name: string
  /** One sentence: what the caller gets. */
  readonly summary: string
  readonly description?: string
  readonly input: I
  /** An allow-list: members that it does not name never leave the server. */
  readonly output: O
  readonly access: Access
  /** Open to anyone even while anonymous access is closed: signing in and signing up. */
  readonly entrance?: boolean
  /** Looked up in this order; the first that fails decides the error. */
  readonly subjects: S
  /** An input that works as it stands, for the documents. */
  readonly example: JsonObject
  /** Members of the input that are secret: never logged, never on a command line of the CLI without being asked for. */
  readonly secretMembers?: readonly string[]
  /** Whether the CLI shows it (default true). */
  readonly hidden?: boolean
  /** How long it may take, where that is longer than usual: it waits for others. */
  readonly deadlineMs?: number
}

type ReadOperation<I extends TSchema, O extends TSchema, S> = Common<I, O, S> & {
  /** Changes nothing. */
  readonly effect: 'read'
  /** Reads are not audited, unless they reveal a secret. */
  readonly audit: 'none' | AuditRule<Static<I>, Static<O>>
  readonly run: (ctx: Ctx, input: Static<I>, found: FoundAll<S>) => Promise<Static<O>>
}

type WriteOperation<I extends TSchema, O extends TSchema, S> = Common<I, O, S> & {
  /** Changes the store only: subjects, rule, change and audit line share one commit. */
  readonly effect: 'write'
  readonly audit: AuditRule<Static<I>, Static<O>>
  readonly run: (ctx: WriteCtx, input: Static<I>, found: FoundAll<S>) => Promise<Static<O>>
}

type ActOperation<I extends TSchema, O extends TSchema, S> = Common<I, O, S> & {
  /** Reaches outside (git, processes, hashing) or hands an act to the run engine: reads and prepares first, then commits once through `ctx.write` or the engine. */
  readonly effect: 'act'
  readonly audit: AuditRule<Static<I>, Static<O>>
  readonly run: (ctx: Ctx, input: Static<I>, found: FoundAll<S>) => Promise<Static<O>>
}

type Operation<I extends TSchema = TSchema, O extends TSchema = TSchema, S = unknown> =
  | ReadOperation<I, O, S>
  | WriteOperation<I, O, S>
  | ActOperation<I, O, S>

/** An operation as the registry keeps it: what `invoke` calls, without the types of its own input. */
type AnyOperation = {
  readonly name: string
  readonly summary: string
  readonly description?: string
  readonly input: TSchema
  readonly output: TSchema
  readonly access: Access
  readonly entrance?: boolean
  readonly subjects: Readonly<Record<string, SubjectRule<unknown>>>
  readonly effect: 'read' | 'write' | 'act'
  readonly audit: 'none' | AuditRule<unknown, unknown>
  readonly example: JsonObject
  readonly secretMembers?: readonly string[]
  readonly hidden?: boolean
  readonly deadlineMs?: number
  readonly run: (ctx: Ctx, input: unknown, found: Readonly<Record<string, Found>>) => Promise<unknown>
}

/**
 * Declares an operation. Leaving out the permission rule, the audit rule of a change or a schema does not compile; what types cannot see (an empty
 * summary, an audit of a read, two operations of one name) stops the start.
 */
function defineOperation<I extends TSchema, O extends TSchema, const S extends Subjects<Static<I>>>(operation: Operation<I, O, S>): AnyOperation {
  // The registry holds operations of many inputs in one map; `invoke` checks the input against the schema before `run` sees it.
  return operation as unknown as AnyOperation
}

/** A subject rule: `subject('repository', 'read', 'repository')` reads the member of that name. */
function subject<const Kind extends string, Member extends string>(
  kind: Kind,
  need: Level,
  member: Member,
  options: { extra?: string } = {},
): SubjectRule<{ [M in Member]?: string | undefined }, Kind> {
  return { kind, need, member, reference: (input) => input[member], ...options }
}

export type { RowOf, Found, SubjectRule, Access, AuditRule, FoundAll, ReadOperation, WriteOperation, ActOperation, Operation, AnyOperation }
export { defineOperation, subject }
