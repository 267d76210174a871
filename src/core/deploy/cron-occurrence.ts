import { principalOf, system } from '../identity/principal.ts'
import { isFault } from '../kernel/fault.ts'
import { sleep } from '../kernel/clock.ts'
import { Closed, Nullable, OneOf, Type } from '../kernel/schema.ts'
import { auditLineOf, invoke } from '../operation/invoke.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { keepHistory } from './cron-history.ts'
import { cronKind, cronSpec, specRecord } from './cron-job.ts'
import { taskDraft } from './task.ts'
import type { Principal } from '../identity/principal.ts'
import type { Ctx } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { ScheduleSource } from '../run/schedule.ts'
import type { ScheduleRow } from '../../ports/store/rows.ts'
import type { ScheduledRun } from '../../ports/store/runs.ts'
import type { CronNote } from './cron-job.ts'

const minuteMs = 60_000
const lookAgainMs = 500

const outcomes = ['started', 'started_already', 'skipped', 'blocked'] as const
type Outcome = { readonly outcome: (typeof outcomes)[number]; readonly run: string | null; readonly reason: string | null }

/**
 * Starts one occurrence of a cron job as whoever deployed it. The scheduler calls it, and an administrator may, to make one up; the slot's row in the
 * store sees to it that an occurrence becomes one run, whoever asks and how often.
 */
const startOccurrence = defineOperation({
  name: 'schedule.start-occurrence',
  summary: 'Starts the occurrence of a cron job at a moment, unless it was started already or its concurrency policy leaves it out.',
  input: Closed({
    schedule: Type.String({ description: 'Its id, or `<namespace>/<name>`.' }),
    minute: Type.Integer({ minimum: 0, maximum: 140_000_000, description: 'The moment, in minutes since 1970.' }),
  }),
  output: Closed({
    outcome: OneOf(outcomes, { description: '`blocked`: an earlier job was ordered to end and has not ended yet.' }),
    run: Nullable(Type.String()),
    reason: Nullable(Type.String()),
  }),
  access: 'administrator',
  subjects: { schedule: subject('schedule', 'write', 'schedule') },
  effect: 'act',
  hidden: true,
  audit: {
    subject: (input) => `schedule:${input.schedule}`,
    subjectId: (_, output) => output?.run ?? null,
    detail: (input, output) => ({ minute: input.minute, outcome: output?.outcome ?? '', ...(output?.reason && { reason: output.reason }) }),
  },
  example: { schedule: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001', minute: 29_000_000 },
  run: (ctx, input, { schedule }) => occur(ctx, schedule.row, input.minute * minuteMs),
})

async function occur(ctx: Ctx, row: ScheduleRow, slot: number): Promise<Outcome> {
  const { schedules } = ctx.db
  const known = await schedules.runOfSlot(row.id, slot)
  if (known !== null) return already(known)
  const name = occurrenceName(row, slot)
  // One of this very slot was started by another server just now, and is nobody's rival.
  const rivals = (await schedules.activeRuns([row.id])).filter((run) => run.name !== name)
  const { concurrency } = cronSpec(row)
  if (rivals.length > 0 && concurrency === 'Forbid') return skip(ctx, row, slot, 'still_running', `${rivals[0]?.name} had not ended`)
  if (rivals.length > 0 && concurrency === 'Replace') return stop(ctx, rivals)
  const started = await start(ctx, row, slot, name)
  await keepHistory(ctx.services, row.id)
  return started
}

async function start(ctx: Ctx, row: ScheduleRow, slot: number, name: string): Promise<Outcome> {
  const { plan } = cronSpec(row)
  const id = ctx.ids.opaque()
  const draft = taskDraft(plan, { id, name, namespace: row.namespace, resourceId: row.resource_id }, null)
  const audit = [auditLineOf(ctx, { outcome: 'started', run: id, reason: null } satisfies Outcome)]
  const asOwner = { ...ctx, principal: await ownerOf(ctx, row) }
  const queueLimit = ctx.services.settings.maxQueuedPerNamespace
  try {
    const { run } = await ctx.services.engine.accept(asOwner, draft, { slot: { scheduleId: row.id, at: slot }, audit, queueLimit })
    await note(ctx, row, null)
    return { outcome: 'started', run: run.id, reason: null }
  } catch (error) {
    if (isFault(error, 'state_conflict')) return already(await ctx.db.schedules.runOfSlot(row.id, slot))
    if (isFault(error, 'quota_exceeded')) return skip(ctx, row, slot, 'quota_exceeded', error.message)
    if (isFault(error, 'name_taken')) return skip(ctx, row, slot, 'name_in_use', error.message)
    throw error
  }
}

// Whoever deployed it, with the rights of now: the task's own start checks them, so that a right that is gone is a job that failed and says why.
async function ownerOf(ctx: Ctx, row: ScheduleRow): Promise<Principal> {
  if (row.created_by === system.id) return system
  const user = await ctx.db.users.byId(row.created_by)
  if (user) return principalOf(user, 'run', null)
  const name = cronSpec(row).created_by_name
  return { kind: 'user', id: row.created_by, name, email: null, administrator: false, organisation: '', credential: 'run', credentialId: null }
}

async function stop(ctx: Ctx, rivals: readonly ScheduledRun[]): Promise<Outcome> {
  for (const { id } of rivals) await ctx.services.engine.cancel(ctx, id, { cleanup: false, reason: 'replaced' })
  return { outcome: 'blocked', run: null, reason: null }
}

async function skip(ctx: Ctx, row: ScheduleRow, slot: number, reason: string, why: string): Promise<Outcome> {
  ctx.log.info('schedule.skipped', { schedule: row.id, name: `${row.namespace}/${row.name}`, reason })
  await note(ctx, row, { at: slot, reason, message: `The occurrence ${occurrenceName(row, slot)} was left out: ${why}.` })
  return { outcome: 'skipped', run: null, reason }
}

// Written only where something changes: most occurrences start, as the one before did.
async function note(ctx: Ctx, row: ScheduleRow, next: CronNote | null): Promise<void> {
  if (next === null && cronSpec(row).note === null) return
  await ctx.services.store.write(async ({ schedules }) => {
    const now = await schedules.lock(row.id)
    if (now) await schedules.update(row.id, { spec: specRecord({ ...cronSpec(now), note: next }) })
  })
}

function already(run: string | null): Outcome {
  return { outcome: 'started_already', run, reason: null }
}

/** Deterministic, so that two servers make the same (Deploy API §8). */
function occurrenceName(row: ScheduleRow, slot: number): string {
  return `${row.name}-${Math.floor(slot / minuteMs)}`
}

/** What the scheduler does when a cron job is due. */
function cronSource(services: Services): ScheduleSource {
  return {
    kind: cronKind,
    async fire(schedule, slot) {
      const input = { schedule: schedule.id, minute: Math.floor(slot / minuteMs) }
      const call = { principal: system, origin: { via: 'schedule', peer: '', requestId: `${schedule.id}/${input.minute}` } }
      const { reader } = services.store
      for (;;) {
        if ((await reader.schedules.runOfSlot(schedule.id, slot)) !== null) return
        const { outcome } = await invoke<Outcome>(services, call, startOccurrence.name, input).catch((error: unknown) => {
          // Deleted since it was read: nothing is due.
          if (isFault(error, 'not_found')) return { outcome: 'skipped' as const }
          throw error
        })
        if (outcome !== 'blocked') return
        const name = occurrenceName(schedule, slot)
        const blocked = async () => (await reader.schedules.activeRuns([schedule.id])).some((run) => run.name !== name)
        while (await blocked()) await sleep(services.clock, lookAgainMs, services.stopping)
      }
    },
  }
}

export { startOccurrence, occurrenceName, cronSource }
