import { find } from '../access/find.ts'
import { timestamp } from '../kernel/clock.ts'
import { fault } from '../kernel/fault.ts'
import { isUuid } from '../kernel/id.ts'
import { pageRequest } from '../kernel/page.ts'
import { scheduleChanged, scheduleEvent } from '../run/schedule.ts'
import { objectLabels } from './labels.ts'
import { openViewer } from './namespace.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Ctx } from '../operation/context.ts'
import type { Page } from '../kernel/page.ts'
import type { ScheduleRow } from '../../ports/store/rows.ts'
import type { ScheduledRun } from '../../ports/store/runs.ts'
import type { ConcurrencyPolicy } from './manifest.ts'
import type { TaskPlan } from './task.ts'
import type { ListScope } from './task-operations.ts'
import type { TaskView } from './task-view.ts'

/** The kind of schedule that a cron job is: its occurrences are runs of kind `task`. */
const cronKind = 'task'

/** What a cron job keeps besides its times, as the `spec` of its schedule. */
type CronSpec = {
  /** What each occurrence runs. */
  readonly plan: TaskPlan
  readonly generation: number
  readonly concurrency: ConcurrencyPolicy
  readonly created_by_name: string
  /** Its ended jobs that are still listed. */
  readonly kept: readonly string[]
  /** Why the latest occurrence was left out; null when it was not. */
  readonly note: CronNote | null
}

type CronNote = { readonly at: number; readonly reason: string; readonly message: string }

/** The spec of a cron job's schedule. */
function cronSpec(row: Pick<ScheduleRow, 'spec'>): CronSpec {
  return row.spec as unknown as CronSpec // written by `specRecord` only
}

/** A spec as the store takes it. */
function specRecord(spec: CronSpec): JsonObject {
  return spec as unknown as JsonObject // plain data by its type; readonly lists are all that Json does not know
}

/** A cron job as callers see it, with the names of its jobs that have not ended. */
function cronView(row: ScheduleRow, active: readonly string[]): TaskView {
  const { plan, generation, created_by_name: createdBy, note } = cronSpec(row)
  const { repository, directory, branch, commit, image, labels } = plan.spec
  const deleted = row.deleted_at !== null
  return {
    id: row.id,
    name: row.name,
    namespace: row.namespace,
    type: 'cronjob',
    state: 'scheduled',
    reason: row.suspended ? 'suspended' : (note?.reason ?? null),
    message: note?.message ?? null,
    deleted,
    generation,
    attempt: 0,
    max_attempts: 1,
    exit_code: null,
    repository,
    directory,
    branch,
    commit,
    schedule: row.expression,
    image,
    labels: objectLabels(row.id, { labels }),
    pipeline_id: null,
    cronjob: null,
    created_by: createdBy,
    created_at: timestamp(row.created_at),
    started_at: null,
    finished_at: timestamp(row.deleted_at),
    replicas: null,
    ready_replicas: null,
    address: null,
    suspended: row.suspended,
    active_jobs: [...active],
    next_schedule_time: row.suspended || deleted ? null : timestamp(row.next_at),
    last_schedule_time: timestamp(row.last_slot),
  }
}

/** The cron job of an id, also a deleted one, for the open reads: the id is the key, unless grants count (Deploy API §3.8). Null when there is none. */
async function openCronJob(ctx: Ctx, id: string): Promise<TaskView | null> {
  const viewer = openViewer(ctx)
  const row = isUuid(id) ? await ctx.db.schedules.byId(id) : null
  if (row?.kind !== cronKind) return null
  if (viewer) {
    try {
      await find(ctx, { kind: 'namespace', need: 'read', member: 'task' }, row.resource_id ?? row.namespace)
    } catch (error) {
      const context = { absence: 'missing', kind: 'task', reference: id, member: 'task' } as const
      throw fault('not_found', { kind: 'task', reference: id }, { private: context, cause: error })
    }
  }
  return cronView(row, namesOf(await ctx.db.schedules.activeRuns([row.id])))
}

/** A page of cron jobs by namespace and name. */
async function listCronJobs(ctx: Ctx, { viewer, namespace }: ListScope, input: { limit?: number; cursor?: string }): Promise<Page<TaskView>> {
  const filter = { kind: cronKind, ...(namespace !== null && { namespace }) }
  return ctx.services.store.read(async ({ schedules }) => {
    const page = await schedules.page(filter, viewer, pageRequest(input))
    const active = Map.groupBy(await schedules.activeRuns(page.items.map(({ id }) => id)), (run) => run.schedule_id)
    return { items: page.items.map((row) => cronView(row, namesOf(active.get(row.id) ?? []))), next: page.next }
  })
}

/** Deletes a cron job: no occurrence starts after the answer, and its jobs that run are stopped and named. The caller was found to hold write. */
async function deleteCronJob(ctx: Ctx, namespace: string, name: string) {
  const row = await ctx.write(async ({ db, clock }) => {
    const row = await db.schedules.byName(cronKind, namespace, name)
    if (!row) {
      const context = { absence: 'missing', kind: 'cronjob', reference: name, member: 'name' } as const
      throw fault('not_found', { kind: 'cron job', reference: name }, { private: context })
    }
    const now = clock.now()
    await db.schedules.update(row.id, { deleted_at: now, updated_at: now, next_at: null })
    return row
  })
  const { id } = row
  // From here on the store refuses every occurrence of it: whatever runs now is all there is to stop.
  const running = await ctx.services.store.reader.schedules.activeRuns([id])
  for (const run of running) await ctx.services.engine.cancel(ctx, run.id, { cleanup: false, reason: 'deleted_by_user', delete: true })
  scheduleChanged(ctx.services.store)
  ctx.emit(scheduleEvent(row, 'deleted'))
  return { id, namespace, name, deleted_jobs: namesOf(running) }
}

function namesOf(runs: readonly ScheduledRun[]): string[] {
  return runs.map(({ name }) => name)
}

export type { CronNote, CronSpec }
export { cronKind, cronSpec, specRecord, cronView, openCronJob, listCronJobs, deleteCronJob }
