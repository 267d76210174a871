import { memberOf } from '../document/members.ts'
import { heldAmong } from '../../access/held.ts'
import { workflowSpecOf } from '../spec.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Origin } from '../../operation/context.ts'
import type { ResourceRow, RunRow, UserRow } from '../../../ports/store/rows.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import type { TriggerEventRow, WorkflowTriggerRow } from '../../../ports/store/workflows.ts'

/** Something that a trigger noticed. */
type TriggerEvent = {
  /** The same for the same event, however often it is noticed: it becomes one job per workflow. */
  readonly id: string
  readonly at: number
  /** What the jobs are told. */
  readonly message: JsonObject
  /** The run that caused it; null: somebody or something outside. */
  readonly cause: string | null
}

/** How many events wait for one workflow at most. */
const mostWaiting = 10_000
/** How many events in a row may be caused by jobs that events started: a workflow whose jobs set off its own trigger ends here. */
const deepestChain = 8

type Queued = { taken: number; known: number; full: number; refused: number }

/**
 * Puts an event into the queue of each active workflow that is bound to a trigger, in the caller's transaction, and tells what came of each. `mayHear`
 * leaves out workflows whose owner may not know of it.
 */
async function queueEvent(
  db: Tables,
  trigger: WorkflowTriggerRow,
  event: TriggerEvent,
  options: { mayHear?: (owner: UserRow) => Promise<boolean> } = {},
): Promise<Queued> {
  const { mayHear } = options
  const workflows: ResourceRow[] = []
  for (const workflow of await activeOf(db, trigger.id)) {
    const owner = mayHear ? await db.users.byId(workflow.owner_id ?? '') : null
    if (!mayHear || (owner?.active && (await mayHear(owner)))) workflows.push(workflow)
  }
  return queueFor(db, trigger, workflows, event)
}

/** The same for workflows that were chosen. */
async function queueFor(db: Tables, trigger: { readonly id: string }, workflows: readonly ResourceRow[], event: TriggerEvent): Promise<Queued> {
  const count: Queued = { taken: 0, known: 0, full: 0, refused: 0 }
  const depth = event.cause === null || workflows.length === 0 ? 0 : (await chainOf(db, event.cause)) + 1
  for (const workflow of workflows) {
    const row = newEvent(trigger.id, workflow, event, depth)
    const outcome = await db.triggerEvents.queue(row, mostWaiting)
    count[outcome === 'taken' && row.state === 'refused' ? 'refused' : outcome]++
    const error = row.error ?? (outcome === 'full' ? `An event was dropped: ${mostWaiting} wait for the workflow "${workflow.name}" already.` : null)
    if (error !== null && outcome !== 'known') await db.workflowTriggers.update(trigger.id, { last_error: error })
  }
  return count
}

/** The active workflows that a trigger starts. */
async function activeOf({ workflowTriggers, resources }: Tables, triggerId: string): Promise<ResourceRow[]> {
  const rows = await resources.byIds(await workflowTriggers.boundTo(triggerId))
  return rows.filter((row) => row.kind === 'workflow' && row.deleted_at === null && workflowSpecOf(row).active)
}

function newEvent(triggerId: string, workflow: ResourceRow, event: TriggerEvent, depth: number): TriggerEventRow {
  const endless = depth > deepestChain
  return {
    id: `${event.id}.${workflow.id}`,
    trigger_id: triggerId,
    workflow_id: workflow.id,
    message: event.message,
    depth,
    state: endless ? 'refused' : 'waiting',
    attempt: 0,
    next_at: event.at,
    owner: '',
    lease_until: 0,
    job_id: null,
    error: endless
      ? `The workflow "${workflow.name}" was not started: its event was caused by a job that an event started, ${deepestChain} times in a row. Narrow the trigger so that its own jobs do not set it off.`
      : null,
    created_at: event.at,
    finished_at: endless ? event.at : null,
  }
}

/** How many events in a row led to a run: those of the job that it belongs to, or that started it. */
async function chainOf(db: Tables, runId: string): Promise<number> {
  let id = runId
  for (let steps = 0; steps < 2 * deepestChain; steps++) {
    const run = await rootOf(db, id)
    if (!run) return 0
    if (run.kind === 'workflow') return Number(memberOf(run.spec, 'event_depth') ?? 0)
    // What a step started by an operation names its run in the audit trail only.
    const lines = await db.audit.page({ subjectId: run.id, since: run.created_at - 60_000 }, { limit: 20, after: null })
    const cause = lines.items.map(causeOf).find((found) => found !== null && found !== run.id)
    if (cause === undefined || cause === null) return 0
    id = cause
  }
  return deepestChain + 1
}

async function rootOf({ runs }: Tables, id: string): Promise<RunRow | null> {
  let run = await runs.byId(id)
  for (let steps = 0; run?.parent_id && steps < 32; steps++) {
    const parent = await runs.byId(run.parent_id)
    if (!parent) break
    run = parent
  }
  return run
}

/** The run whose step did something, from where the call came from; null when it was no step. */
function causeOf({ via, request_id }: { readonly via: string; readonly request_id: string }): string | null {
  return via === 'run' ? (request_id.split('/')[0] ?? null) : null
}

/** The same from where a call came from. */
function causeOfCall({ via, requestId }: Origin): string | null {
  return causeOf({ via, request_id: requestId })
}

/** Whether a user may read all of these resources. */
async function mayReadAll(db: Tables, user: UserRow, about: readonly string[]): Promise<boolean> {
  if (user.administrator) return true
  const viewer = { userId: user.id, administrator: false }
  const seen = await heldAmong(db, { kind: 'repository', ids: [...about] }, viewer)
  return about.every((id) => seen.has(id))
}

export type { TriggerEvent }
export { queueEvent, queueFor, activeOf, chainOf, causeOf, causeOfCall, mayReadAll, deepestChain }
