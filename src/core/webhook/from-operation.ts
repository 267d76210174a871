import { causeOf } from '../workflow/trigger/queue.ts'
import { queueFact } from './fact.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { AuditRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** What became of a pull request, by the operation that did it. */
const actions: Readonly<Record<string, string>> = {
  'pull-request.create': 'opened',
  'pull-request.update': 'updated',
  'pull-request.close': 'closed',
  'pull-request.reopen': 'reopened',
  'pull-request.merge': 'merged',
  'pull-request.comment': 'commented',
}

/**
 * Puts what an operation did into the queues of webhooks, in the transaction of its audit line. Pushes are not among them: they are told where they are
 * recorded, however they came.
 */
async function queueOperation(db: Tables, line: AuditRow, output: unknown): Promise<void> {
  const action = actions[line.operation]
  if (action === undefined || line.subject_id === null) return
  const row = await db.pullRequests.byId(line.subject_id)
  const target = row && (await db.resources.byId(row.target_id))
  if (!row || !target) return
  const source = row.source_id === row.target_id ? target : await db.resources.byId(row.source_id)
  const commented = action === 'commented'
  await queueFact(db, {
    id: line.id,
    event: commented ? 'comment' : 'pull-request',
    at: line.at,
    cause: causeOf(line),
    repository: target,
    about: [...new Set([target.id, ...(source?.deleted_at === null ? [source.id] : [])])],
    data: {
      by: line.actor,
      action,
      pull_request: {
        id: row.id,
        serial: row.serial,
        state: row.state,
        title: row.title,
        author: row.author,
        target_branch: row.target_branch,
        source_repository: source?.deleted_at === null ? source.name : null,
        source_branch: row.source_branch,
        head: row.head,
      },
      ...(commented ? { comment: commentOf(output) } : {}),
    },
  })
}

// The output of pull-request.comment, as its schema says.
function commentOf(output: unknown): JsonObject {
  const { id, serial, text, status } = output as { id: string; serial: number; text: string; status: string | null }
  return { id, serial, text, status }
}

export { queueOperation }
