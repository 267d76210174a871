import { DuplicateKey } from '../../ports/store/store.ts'
import { fault } from '../kernel/fault.ts'
import { parseCron } from '../run/cron.ts'
import { scheduleChanged, scheduleEvent } from '../run/schedule.ts'
import { cronKind, cronSpec, cronView, specRecord } from './cron-job.ts'
import { keepAnswer } from './idempotency.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { ScheduleRow } from '../../ports/store/rows.ts'
import type { CronSpec } from './cron-job.ts'
import type { Idempotency } from './idempotency.ts'
import type { ConcurrencyPolicy } from './manifest.ts'
import type { TaskPlan } from './task.ts'
import type { DeployedTask } from './task-view.ts'

type CronDraft = {
  readonly namespace: string
  readonly name: string
  readonly resourceId: string
  readonly expression: string
  readonly concurrency: ConcurrencyPolicy
  readonly plan: TaskPlan
}

type Deployed = Static<typeof DeployedTask>

/**
 * Makes a cron job, or updates the one of its name in place: same id, next generation. Its occurrences run with the rights of whoever deployed it last, or
 * anybody who may write the namespace could have somebody else's rights run a command.
 */
async function deployCronJob(ctx: Ctx, draft: CronDraft, idempotency: Idempotency | null): Promise<Deployed> {
  const put = () =>
    ctx.write((inside) =>
      keepAnswer(inside, idempotency, async () => {
        const found = await inside.db.schedules.byName(cronKind, draft.namespace, draft.name)
        const locked = found && (await inside.db.schedules.lock(found.id))
        // It may have been deleted between the two.
        const existing = locked?.deleted_at === null ? locked : null
        if (!existing) await checkQuota(inside, draft)
        const row = existing ? await updated(inside, existing, draft) : await made(inside, draft)
        return { ...cronView(row, []), replaced: existing !== null }
      }),
    )
  const answer = await put().catch((error: unknown) => {
    // Somebody made it in the same moment: now it is there to be updated.
    if (error instanceof DuplicateKey) return put()
    throw error
  })
  scheduleChanged(ctx.services.store)
  ctx.emit(scheduleEvent({ ...draft, id: answer.id, resource_id: draft.resourceId }, answer.replaced ? 'updated' : 'created'))
  return answer
}

// Counted where it is made, so that many at once come to no more.
async function checkQuota({ db, services }: WriteCtx, { namespace }: CronDraft): Promise<void> {
  const limit = services.settings.maxCronJobsPerNamespace
  if ((await db.schedules.count(cronKind, namespace)) < limit) return
  throw fault('quota_exceeded', { scope: `The namespace "${namespace}"`, limit: `${limit} cron jobs` })
}

function made({ db, ids, clock, principal }: WriteCtx, draft: CronDraft): Promise<ScheduleRow> {
  const now = clock.now()
  return db.schedules.insert({
    id: ids.opaque(),
    kind: cronKind,
    name: draft.name,
    namespace: draft.namespace,
    resource_id: draft.resourceId,
    expression: draft.expression,
    zone: 'UTC',
    suspended: false,
    spec: specRecord(specOf(draft, principal.name, null)),
    created_by: principal.id,
    next_at: parseCron(draft.expression).next(now),
    last_slot: null,
    created_at: now,
    updated_at: now,
    deleted_at: null,
  })
}

async function updated({ db, clock, principal }: WriteCtx, row: ScheduleRow, draft: CronDraft): Promise<ScheduleRow> {
  const now = clock.now()
  const patch = {
    resource_id: draft.resourceId,
    expression: draft.expression,
    spec: specRecord(specOf(draft, principal.name, cronSpec(row))),
    created_by: principal.id,
    // An occurrence that is due at this moment is not lost by a deploy that leaves its time as it was.
    next_at: draft.expression === row.expression ? row.next_at : parseCron(draft.expression).next(now),
    updated_at: now,
  }
  await db.schedules.update(row.id, patch)
  return { ...row, ...patch }
}

function specOf(draft: CronDraft, createdByName: string, before: CronSpec | null): CronSpec {
  const plan = { ...draft.plan, spec: { ...draft.plan.spec, cronjob: draft.name } }
  return {
    plan,
    generation: (before?.generation ?? 0) + 1,
    concurrency: draft.concurrency,
    created_by_name: createdByName,
    kept: before?.kept ?? [],
    note: null,
  }
}

export type { CronDraft }
export { deployCronJob }
