import { fault } from '../kernel/fault.ts'
import type { ChangeEvent, Ctx } from '../operation/context.ts'
import type { AuditRule } from '../operation/operation.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** The row again, inside the transaction, while it is open; else `state_conflict`. */
async function stillOpen(db: Tables, row: PullRequestRow): Promise<PullRequestRow> {
  const now = (await db.pullRequests.byId(row.id)) ?? row
  if (now.state === 'open') return now
  throw notOpen(now, now.state === 'merged' ? 'Make another one from new commits.' : 'Reopen it first.')
}

/** The fault of a pull request that is in another state than is needed. */
function notOpen({ serial, state }: PullRequestRow, next: string) {
  return fault('state_conflict', { what: `The pull request "${serial}"`, state: state === 'open' ? 'open' : `${state} already`, next })
}

/** What followers hear of a change: whoever may read the source may read the pull request. */
function tell(ctx: Ctx, row: Pick<PullRequestRow, 'id' | 'serial' | 'source_id'>, state: string): void {
  ctx.emit({ kind: 'pull-request', id: row.id, name: String(row.serial), state, resource_id: row.source_id } satisfies ChangeEvent)
}

type Named = { readonly serial: number; readonly id: string }

/** How the audit trail names a pull request. */
const auditSubject = {
  subject: (input: { pull_request: string }, output: Named | undefined) => `pull-request:${output?.serial ?? input.pull_request}`,
  subjectId: (_: unknown, output: Named | undefined) => output?.id ?? null,
} satisfies Partial<AuditRule<{ pull_request: string }, Named>>

export { stillOpen, notOpen, tell, auditSubject }
