import { parseCron } from '../run/cron.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const mirrorKind = 'mirror'

/** Makes a repository pull at the times of a cron expression, in the name of the caller; '' ends that. `scheduleChanged` is for after the commit. */
async function setPullSchedule({ db, ids, clock, principal }: WriteCtx, row: ResourceRow, expression: string): Promise<void> {
  const now = clock.now()
  const found = await db.schedules.byName(mirrorKind, '', row.id)
  const existing = found && (await db.schedules.lock(found.id))
  if (expression === '') {
    if (existing?.deleted_at === null) await db.schedules.update(existing.id, { deleted_at: now, updated_at: now, next_at: null })
    return
  }
  const timing = { expression, created_by: principal.id, suspended: false, next_at: parseCron(expression).next(now), updated_at: now }
  if (existing?.deleted_at === null) return db.schedules.update(existing.id, timing)
  await db.schedules.insert({
    ...timing,
    id: ids.record(),
    kind: mirrorKind,
    name: row.id,
    namespace: '',
    resource_id: row.id,
    zone: 'UTC',
    spec: {},
    last_slot: null,
    created_at: now,
    deleted_at: null,
  })
}

export { mirrorKind, setPullSchedule }
