import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { acceptAct, runRow, scheduleRow } from '../../src/adapters/store/testing/rows.ts'
import { silentLog } from '../../src/core/kernel/log.ts'
import { Scheduler, scheduleChanged } from '../../src/core/run/schedule.ts'
import { manualClock } from '../support/clock.ts'
import { until } from '../support/engine-lab.ts'
import type { ScheduleSource } from '../../src/core/run/schedule.ts'
import type { ScheduleRow } from '../../src/ports/store/rows.ts'
import type { Store } from '../../src/ports/store/store.ts'

const minute = 60_000
const start = Date.parse('2027-03-01T00:00:00Z')

/** What the scheduler promises, over any store, with two servers that share it. */
export function schedulerSuite(title: string, options: { openStore?: (folder: string) => Promise<Store>; skip?: string | null }) {
  describe.skipIf(options.skip)(options.skip ? `${title} (skipped: ${options.skip})` : title, () => {
    const folder = mkdtempSync(join(tmpdir(), 'capstan-scheduler-'))
    let store: Store
    const schedulers: Scheduler[] = []
    beforeAll(async () => {
      store = (await options.openStore?.(folder)) as Store // skipped without one
    })
    afterEach(async () => {
      await Promise.all(schedulers.splice(0).map((scheduler) => scheduler.close()))
      for (const row of await rows()) await store.write((t) => t.schedules.update(row.id, { deleted_at: 1 }))
    })
    afterAll(async () => {
      await store?.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const rows = async () => (await store.reader.schedules.page({ kind: 'probe' }, null, { limit: 1000, after: null })).items
    const clock = manualClock(start)

    async function server(fire: ScheduleSource['fire']): Promise<Scheduler> {
      const scheduler = new Scheduler({ store, clock, log: silentLog, sources: [{ kind: 'probe', fire }] })
      schedulers.push(scheduler)
      await scheduler.start()
      return scheduler
    }
    const make = (name: string, patch: Partial<ScheduleRow> = {}) => {
      const row = scheduleRow(name, { kind: 'probe', expression: '* * * * *', next_at: clock.now() + minute, last_slot: null, ...patch })
      return store.write((t) => t.schedules.insert(row))
    }
    /** Makes a run of the slot, as the engine does. */
    const accept: ScheduleSource['fire'] = async (schedule, at) => {
      await store.engine.accept(acceptAct({ run: runRow({ kind: 'probe' }), slot: { schedule_id: schedule.id, at }, starts: [] }))
    }
    const runs = async () => (await store.reader.runs.page({ kinds: ['probe'] }, null, 'newest', { limit: 1000, after: null })).items.length
    const passed = async (slot: number) => until(async () => (await rows()).every((row) => (row.next_at ?? 0) > slot), 'all to have moved on')

    test('many schedules due at once on two servers become one run each', async () => {
      for (let at = 0; at < 250; at++) await make(`many-${at}`)
      const before = await runs()
      await server(accept)
      await server(accept)
      clock.advance(minute)
      await passed(clock.now())
      expect((await runs()) - before).toBe(250)
    })

    test('what was missed is made up once, the latest of it, and a clock that goes back starts nothing again', async () => {
      const fired: number[] = []
      const { id } = await make('missed', { next_at: clock.now() - 90 * minute })
      const scheduler = await server(async (schedule, at) => {
        fired.push(at)
        await accept(schedule, at)
      })
      await passed(clock.now() - minute)
      expect(fired).toEqual([clock.now() - (clock.now() % minute)])
      // As after a clock that was set back: what is due lies before what has been.
      await store.write((t) => t.schedules.update(id, { next_at: clock.now() - 30 * minute }))
      await store.write((t) => t.schedules.update(id, { last_slot: clock.now() + minute }))
      await scheduler.look()
      await passed(clock.now() - minute)
      expect(fired).toHaveLength(1)
    })

    test('one that takes its time or fails keeps no other waiting, and is tried again', async () => {
      const done: string[] = []
      let open = () => {}
      const gate = new Promise<void>((resolve) => {
        open = resolve
      })
      let failures = 0
      for (const name of ['slow', 'broken', 'quick']) await make(name)
      await make('unreadable', { expression: 'no schedule at all' })
      await server(async ({ name }) => {
        if (name === 'slow') await gate
        if (name === 'broken' && ++failures < 2) throw new Error('once')
        done.push(name)
      })
      clock.advance(minute)
      await until(() => done.includes('quick'), 'the quick one')
      expect(done).toEqual(['quick'])
      open()
      await until(() => done.includes('slow'), 'the slow one')
      expect(failures).toBe(1)
      await until(() => {
        clock.advance(minute)
        return done.includes('broken')
      }, 'the broken one')
    })

    test('one that is made is heard of at once, by a server that slept', async () => {
      const fired: string[] = []
      await server(async ({ name }) => void fired.push(name))
      expect(clock.planned).toBe(0)
      await make('new')
      scheduleChanged(store)
      await until(() => clock.planned > 0, 'the plan')
      clock.advance(minute)
      await until(() => fired.includes('new'), 'it to fire')
    })
  })
}
