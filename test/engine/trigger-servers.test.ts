import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

const postgres = await startPostgres({ durable: false })
const skip = 'missing' in postgres ? postgres.missing : null

type Event = { id: string; state: string; job: string | null }

// Two real programs over one database and one data folder.
describe.skipIf(skip)(skip ? `triggers of two servers (skipped: ${skip})` : 'triggers of two servers', () => {
  let one: Server
  let two: Server

  beforeAll(async () => {
    if ('missing' in postgres) return
    const environment = { CAPSTAN_DATABASE_URL: await postgres.database() }
    one = await startServer({ environment })
    two = await startServer({ environment: { ...environment, CAPSTAN_DATA: one.data } })
    await one.admin.ok('repository.create', { path: 'shared' })
  }, 60_000)
  afterAll(async () => {
    await two?.close()
    await one?.close()
    if (!('missing' in postgres)) await postgres.stop()
  })

  async function bound(name: string, settings: object): Promise<{ trigger: string; workflow: string }> {
    const { id: trigger } = await one.admin.ok('trigger.create', { name, ...settings })
    const steps = [{ id: 'start', name: 'start', type: 'api_trigger', parameters: { trigger_config_id: trigger } }]
    const { id: workflow } = await one.admin.ok('workflow.create', { document: { name, steps, paths: [] } })
    await one.admin.ok('workflow.activate', { workflow })
    return { trigger, workflow }
  }
  const eventsOf = async ({ trigger }: { trigger: string }): Promise<Event[]> =>
    (await two.admin.ok('trigger.list-events', { trigger, limit: 500 })).items
  const jobsOf = async ({ workflow }: { workflow: string }): Promise<string[]> =>
    (await two.admin.ok('job.list', { workflow, limit: 500 })).items.map(({ id }: { id: string }) => id).sort()
  const commit = (server: Server, at: number) =>
    server.admin.ok('repository.commit-files', { repository: 'shared', branch: `b${at}`, message: 'x', files: [{ path: 'a', text: String(at) }] })

  test('each push starts one job, whichever server it came through, and also when one of them is gone', { timeout: 90_000 }, async () => {
    const pushed = await bound('pushed', { type: 'push', repository: 'shared' })
    const settled = (count: number) =>
      until(`${count} have started`, async () => (await eventsOf(pushed)).filter(({ state }) => state === 'started').length === count, 40_000)
    await Promise.all(Array.from({ length: 16 }, (_, at) => commit(at % 2 ? one : two, at)))
    await settled(16)
    expect(await jobsOf(pushed)).toEqual((await eventsOf(pushed)).map(({ job }) => job).sort())
    const timed = await bound('timed', { type: 'timer', trigger_name: 'periodic', input: { period: 0.02 } })
    await until('both had their turns', async () => (await eventsOf(timed)).filter(({ state }) => state === 'started').length >= 5)
    await one.kill()
    const before = (await eventsOf(timed)).length
    await commit(two, 99)
    await settled(17)
    await until('the clock goes on', async () => (await eventsOf(timed)).length > before + 2)
    await two.admin.ok('workflow.deactivate', { workflow: timed.workflow })
    await until('none waits', async () => (await eventsOf(timed)).every(({ state }) => state === 'started'), 90_000)
    const events = await eventsOf(timed)
    expect(await jobsOf(timed)).toEqual(events.map(({ job }) => job).sort())
    expect(new Set(events.map(({ job }) => job)).size).toBe(events.length)
    const slots = events.map(({ id }) => Number(id.split('.')[2])).sort()
    expect(slots.slice(1).every((slot, index) => (slot - (slots[index] ?? 0)) % 1200 === 0 && slot > (slots[index] ?? 0))).toBe(true)
    expect(await jobsOf(pushed)).toHaveLength(17)
  })
})
