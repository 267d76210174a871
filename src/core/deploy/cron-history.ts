import { isEnd } from '../kernel/run-state.ts'
import { cronKind, cronSpec, specRecord } from './cron-job.ts'
import type { RunState } from '../kernel/run-state.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Services } from '../operation/services.ts'
import type { ScheduledRun } from '../../ports/store/runs.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** How many ended jobs of a cron job stay listed; the others are read by their id (Deploy API §8). */
const keptSucceeded = 3
const keptFailed = 1

/** How far back a look goes. What ended earlier and is still listed is named in the cron job's record. */
const window = 50

/** Takes ended jobs of a cron job out of the lists, all but the last ones. `ended` is one that has ended just now. */
async function keepHistory(services: Services, scheduleId: string, ended?: string): Promise<void> {
  // Mostly there is nothing to change, and then nothing is written.
  if (!(await historyOf(services.store.reader, scheduleId, ended))) return
  await services.store.write(async (tables) => {
    await tables.schedules.lock(scheduleId)
    const history = await historyOf(tables, scheduleId, ended)
    if (!history) return
    for (const id of history.unlisted) await tables.runs.patch(id, { listed: false })
    await tables.schedules.update(scheduleId, { spec: history.spec })
  })
}

async function historyOf({ schedules }: Tables, scheduleId: string, ended?: string): Promise<{ unlisted: string[]; spec: JsonObject } | null> {
  const row = await schedules.byId(scheduleId)
  if (row?.kind !== cronKind || row.deleted_at !== null) return null
  const spec = cronSpec(row)
  const known = ended === undefined ? spec.kept : [...spec.kept, ended]
  const listed = (await schedules.recentRuns(row.id, window, known)).filter((run) => run.listed && !run.active)
  const kept = [...latest(listed, true, keptSucceeded), ...latest(listed, false, keptFailed)]
  const unlisted = listed.map(({ id }) => id).filter((id) => !kept.includes(id))
  return unlisted.length === 0 && kept.join() === spec.kept.join() ? null : { unlisted, spec: specRecord({ ...spec, kept }) }
}

function latest(runs: readonly ScheduledRun[], succeeded: boolean, count: number): string[] {
  return runs
    .filter(({ state }) => (state === 'succeeded') === succeeded)
    .slice(0, count)
    .map(({ id }) => id)
}

// A cron job's name and minutes since 1970: what else looks so costs one look at the store.
const occurrence = /-[0-9]{7,9}$/

/** Keeps the history of cron jobs as their jobs end on this server; what ended while nobody listened is put right by the next occurrence. */
function watchHistory(services: Services): { close(): Promise<void> } {
  const working = new Set<Promise<void>>()
  const unsubscribe = services.events.subscribe((event) => {
    // Events of runs carry one of the states.
    if (event.kind !== 'run' || event.data?.kind !== 'task' || !isEnd(event.state as RunState) || !occurrence.test(event.name)) return
    const work = (async () => {
      const schedule = await services.store.reader.schedules.ofRun(event.id)
      if (schedule !== null) await keepHistory(services, schedule, event.id)
    })().catch((error: unknown) => services.log.warn('schedule.history_not_kept', { run: event.id, error }))
    working.add(work)
    void work.finally(() => working.delete(work))
  })
  return {
    async close() {
      unsubscribe()
      await Promise.all(working)
    },
  }
}

export { keepHistory, watchHistory }
