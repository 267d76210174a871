import { principalOf } from '../identity/principal.ts'
import { isFault } from '../kernel/fault.ts'
import { invoke } from '../operation/invoke.ts'
import { patchedSpec, specOf } from '../repository/spec.ts'
import { transferMs } from './remote.ts'
import { mirrorKind } from './schedule-row.ts'
import { pullRepository } from './pull.ts'
import type { Services } from '../operation/services.ts'
import type { ScheduleSource } from '../run/schedule.ts'
import type { ScheduleRow } from '../../ports/store/rows.ts'

/** What the scheduler does when a mirror is due: it pulls as whoever set the schedule, with the rights of now. */
function mirrorSource(services: Services): ScheduleSource {
  const { store, log } = services
  return {
    kind: mirrorKind,
    async fire(schedule, slot) {
      const user = await store.reader.users.byId(schedule.created_by)
      if (!(await takeSlot(services, schedule, slot))) return
      if (!user?.active)
        return void log.warn('mirror.not_pulled', { repository: schedule.name, why: 'whoever set its schedule is not active any more' })
      const principal = principalOf(user, 'run', null)
      const origin = { via: 'schedule', peer: '', requestId: `${schedule.id}/${slot}` }
      await invoke(services, { principal, origin, deadlineMs: transferMs }, pullRepository.name, { repository: schedule.name }).catch(
        (error: unknown) => {
          // What the remote or the rights are at fault for is noted with the repository; the next slot tries again.
          if (!isFault(error)) throw error
          log.info('mirror.not_pulled', { repository: schedule.name, code: error.code, why: error.message })
        },
      )
    },
  }
}

// Of several servers that see it due, one takes it. A repository that is gone takes its schedule with it.
async function takeSlot({ store, clock }: Services, schedule: ScheduleRow, slot: number): Promise<boolean> {
  return store.write(async ({ resources, schedules }) => {
    const row = await resources.byId(schedule.name)
    if (row?.deleted_at !== null) {
      await schedules.update(schedule.id, { deleted_at: clock.now(), next_at: null })
      return false
    }
    if ((specOf(row).pull_slot ?? 0) >= slot) return false
    await resources.update(row.id, { spec: patchedSpec(row, { pull_slot: slot }) })
    return true
  })
}

export { mirrorSource }
