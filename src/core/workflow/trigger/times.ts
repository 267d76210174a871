import { timestamp } from '../../kernel/clock.ts'
import { isFault } from '../../kernel/fault.ts'
import { canonical } from '../../kernel/json.ts'
import { DuplicateKey } from '../../../ports/store/store.ts'
import { scheduleChanged } from '../../run/schedule.ts'
import { textMember } from '../document/members.ts'
import { triggerOf } from './model.ts'
import { queueEvent } from './queue.ts'
import { timetableOf, TimesRefused } from './timetable.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Schedule } from '../../run/cron.ts'
import type { Services } from '../../operation/services.ts'
import type { ScheduleSource } from '../../run/schedule.ts'
import type { ScheduleRow } from '../../../ports/store/rows.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'
import type { Trigger } from './model.ts'

const triggerKind = 'trigger'

/**
 * Brings the schedules in step with the time triggers that active workflows are bound to: those fire from now on, all others rest. Doing it again changes
 * nothing, and any server may.
 */
async function syncTimes(services: Services, bound: readonly WorkflowTriggerRow[]): Promise<void> {
  const { store, clock, log } = services
  const wanted = new Map(bound.filter((row) => isTimed(row)).map((row) => [row.id, row]))
  let changed = false
  for (const row of wanted.values()) {
    try {
      changed = (await wake(services, row)) || changed
    } catch (error) {
      if (error instanceof DuplicateKey) continue // another server was faster
      if (!(error instanceof TimesRefused || isFault(error))) throw error
      if (row.last_error !== error.message) await store.write((db) => db.workflowTriggers.update(row.id, { last_error: error.message }))
    }
  }
  let after: readonly (string | number)[] | null = null
  do {
    const page = await store.reader.schedules.page({ kind: triggerKind }, null, { limit: 500, after })
    for (const schedule of page.items) {
      if (wanted.has(schedule.name) || schedule.suspended) continue
      await store.write(({ schedules }) => schedules.update(schedule.id, { suspended: true, updated_at: clock.now() }))
      log.debug('trigger.rests', { trigger: schedule.name })
    }
    const last = page.items.at(-1)
    after = page.next === null || !last ? null : [last.namespace, last.name, last.id]
  } while (after)
  if (changed) scheduleChanged(store)
}

function isTimed(row: WorkflowTriggerRow): boolean {
  const { type } = triggerOf(row)
  return type === 'timer' || type === 'cron'
}

/** Makes or wakes the schedule of a trigger. What was missed while no active workflow was bound is not made up. */
async function wake({ store, clock, ids }: Services, row: WorkflowTriggerRow): Promise<boolean> {
  const found = await store.reader.schedules.byName(triggerKind, '', row.id)
  const trigger = triggerOf(row)
  if (found && !found.suspended && canonical(found.spec.trigger) === canonical(trigger)) return false
  const now = clock.now()
  const next = timesOf(trigger, now)?.next(now) ?? null
  const spec = { since: now, trigger: trigger as unknown as JsonObject } // plain data by its type
  const timing = { expression: expressionOf(trigger), zone: 'UTC', suspended: false, next_at: next, spec, updated_at: now }
  await store.write(async ({ schedules }) => {
    const known = found && (await schedules.lock(found.id))
    if (known) return schedules.update(known.id, timing)
    await schedules.insert({
      ...timing,
      id: ids.record(),
      kind: triggerKind,
      name: row.id,
      namespace: '',
      resource_id: null,
      created_by: row.owner_id,
      last_slot: null,
      created_at: now,
      deleted_at: null,
    })
  })
  return true
}

/** What is shown of the times. */
function expressionOf(trigger: Trigger): string {
  return (trigger.type === 'cron' ? `${trigger.schedule} ${trigger.zone}` : trigger.type === 'timer' ? trigger.identifier : '').slice(0, 200)
}

function timesOf(trigger: Trigger, since: number): Schedule | null {
  return trigger.type === 'timer' || trigger.type === 'cron' ? timetableOf(trigger, since) : null
}

/** What the scheduler does when a time trigger is due: one event for the slot, whoever fires it and how often. */
function triggerSource(services: () => Services): ScheduleSource {
  return {
    kind: triggerKind,
    times(schedule) {
      const since = typeof schedule.spec.since === 'number' ? schedule.spec.since : schedule.created_at
      return timesOf(schedule.spec.trigger as unknown as Trigger, since) // written by `wake`
    },
    async fire(schedule, slot) {
      const { store, events, clock } = services()
      const row = await store.reader.workflowTriggers.byId(schedule.name)
      if (!row) return rest(services(), schedule)
      const trigger = triggerOf(row)
      const message = trigger.type === 'cron' ? trigger.message : trigger.type === 'timer' ? textMember(trigger.input, 'message') : ''
      const told = { message, time: timestamp(slot) }
      await store.write((db) => queueEvent(db, row, { id: `time.${schedule.id}.${slot}`, at: clock.now(), message: told, cause: null }))
      events.publish({ kind: 'trigger', id: row.id, name: row.name, state: 'fired', resource_id: null })
    },
  }
}

async function rest({ store, clock }: Services, schedule: ScheduleRow): Promise<void> {
  const now = clock.now()
  await store.write(({ schedules }) => schedules.update(schedule.id, { deleted_at: now, updated_at: now, next_at: null }))
}

export { syncTimes, triggerSource }
