import { branchName } from './branch-name.ts'
import { storageOf } from './code.ts'
import { pushFact, queueFact } from '../webhook/fact.ts'
import { specAfter } from './after-push.ts'
import { patchedSpec, specOf } from './spec.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { ChangeEvent } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import type { AuditRow, PushRow, ResourceRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { RepositorySpec } from './spec.ts'

const mostAudited = 100

/** What the audit trail and followers are told of a push; beyond a hundred refs only how many. */
function pushDetail(changes: readonly RefUpdate[]): JsonObject {
  return { count: changes.length, changes: changes.slice(0, mostAudited).map(({ ref, from, to }) => ({ ref, from, to })) }
}

/** What followers hear of a push. */
function pushEvent(row: ResourceRow, push: PushRow, changes: readonly RefUpdate[]): ChangeEvent {
  const branches = changes.filter(({ ref }) => ref.startsWith('refs/heads/')).map(({ ref }) => branchName(ref))
  const data = { push: push.id, by: push.user, branches: branches.slice(0, mostAudited), ...pushDetail(changes) }
  return { kind: 'repository', id: row.id, name: row.name, state: 'pushed', resource_id: row.id, data }
}

/** Closes a push that changed something, in the caller's transaction, and brings the repository's row up to date. `cause`: the run whose step pushed. Gives the row as it was. */
async function recordPush(
  db: Tables,
  push: PushRow,
  changes: readonly RefUpdate[],
  fresh: Partial<RepositorySpec>,
  at: number,
  cause: string | null = null,
): Promise<ResourceRow | null> {
  await db.pushes.close(push.id, 'done', [...changes])
  const row = await db.resources.byId(push.repository_id)
  if (!row || row.deleted_at !== null) return row
  await db.resources.update(row.id, { spec: patchedSpec(row, { ...fresh, pushed_at: at }), updated_at: at })
  await queueFact(db, pushFact(row, push, changes, at, cause))
  return row
}

/** Closes a push that changed nothing. It leaves no audit line: the client has been told, and nothing happened. */
async function recordNothing(services: Services, push: PushRow): Promise<void> {
  await services.store.write((tables) => tables.pushes.close(push.id, 'failed', []))
}

/**
 * Closes a push whose outcome nobody reported (the server was killed, or the child program ended without a word) by what is true of its refs now. Gives what it
 * really changed.
 */
async function settlePush(services: Services, push: PushRow): Promise<RefUpdate[]> {
  const row = await services.store.reader.resources.byId(push.repository_id)
  const changes = row && row.deleted_at === null ? await madeTrue(services, row, push) : []
  if (!row || changes.length === 0) {
    await recordNothing(services, push)
    return []
  }
  // A crash between the refs and HEAD leaves a first push without its default branch.
  await storageOf(services, row).adoptHead(row.id, changes)
  const fresh = await specAfter(services, row, changes)
  const recorded = await services.store.write(async (tables) => {
    // Two may look at once: the push itself as it ends, and a recovery.
    if (!(await tables.pushes.openOnes()).some(({ id }) => id === push.id)) return false
    await recordPush(tables, push, changes, fresh, services.clock.now())
    await tables.audit.append([settledLine(services, push, row, changes)])
    return true
  })
  if (recorded) services.events.publish(pushEvent(row, push, changes))
  return changes
}

async function madeTrue(services: Services, row: ResourceRow, push: PushRow): Promise<RefUpdate[]> {
  const storage = storageOf(services, row)
  const { id } = row
  const refs = await storage.refs(id)
  // Only branches, tags and bookmarks are listed; the rest (notes and the like) is looked up one by one.
  const now = async (ref: string) => (/^refs\/(heads|tags|bookmarks)\//.test(ref) ? (refs.get(ref) ?? null) : storage.resolve(id, ref))
  const made: RefUpdate[] = []
  for (const command of push.commands) if (command.from !== command.to && (await now(command.ref)) === command.to) made.push(command)
  return made
}

function settledLine(services: Services, push: PushRow, row: ResourceRow, changes: readonly RefUpdate[]): AuditRow {
  return {
    id: services.ids.record(),
    at: services.clock.now(),
    actor_id: push.user_id,
    actor: push.user,
    operation: 'repository.push',
    subject: `repository:${row.name}`,
    subject_id: row.id,
    outcome: 'succeeded',
    via: specOf(row).kind === 'hg' ? 'hg-http' : 'git-http',
    peer: '',
    credential: 'system',
    request_id: '',
    intent_id: null,
    detail: { ...pushDetail(changes), recovered: true, push: push.id },
  }
}

export { pushDetail, pushEvent, recordPush, recordNothing, settlePush }
