import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDeployLab } from '../../src/api/datatask/deploy-lab.suite.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { scheduleChanged } from '../../src/core/run/schedule.ts'
import { movedClock } from '../support/clock.ts'
import type { DeployLab, Person } from '../../src/api/datatask/deploy-lab.suite.ts'

// Somebody sets the clock of a running server, or of one that is down, an hour forward or back: no slot of a cron job is fired twice.
const minute = 60_000
const hour = 60 * minute
const clock = movedClock(systemClock)
const folders: string[] = []
let lab: DeployLab
let ann: Person

beforeAll(async () => {
  lab = await openDeployLab({ clock, config: { maxRunningPerNamespace: 50 } })
  folders.push(lab.folder)
  ann = await lab.person('ann')
  await lab.system('grant.set', { to: 'user:ann', on: 'namespace:steps', level: 'admin' })
})
afterAll(async () => {
  await lab.stop()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

const names = ['every', 'fifth', 'held']
const deploy = (name: string, schedule: string, more: object = {}) =>
  lab.post(ann, '/v2/task/deploy/with-configuration', {
    namespace: 'steps',
    configuration: JSON.stringify({ type: 'job', name, cmd: ['/bin/true'], schedule, ...more }),
  })

async function restart(step: () => void): Promise<void> {
  await lab.stop()
  step()
  lab = await openDeployLab({ clock, folder: lab.folder, config: { maxRunningPerNamespace: 50 } })
}

/** Sets the clock to a second after the next full minute and waits until the cron job of every minute was looked at. */
async function tick(): Promise<number> {
  clock.move(minute - (clock.now() % minute) + 1000)
  const slot = Math.floor(clock.now() / minute)
  scheduleChanged(lab.services.store)
  await expect
    .poll(async () => {
      const rows = (await lab.services.store.reader.schedules.due(Number.MAX_SAFE_INTEGER, 100)).filter(
        ({ next_at }) => (next_at ?? 0) <= clock.now(),
      )
      return rows.length
    })
    .toBe(0)
  return slot
}

/** The slots that were fired, of each cron job, in the order of time. */
async function fired(): Promise<Map<string, number[]>> {
  const { items } = await lab.system<{ items: { name: string; kind: string }[] }>('run.list', { namespace: 'steps', limit: 1000 })
  const slots = new Map<string, number[]>(names.map((name) => [name, []]))
  for (const { name } of items) {
    const [, job = '', slot = ''] = /^(.*)-(\d+)$/.exec(name) ?? []
    slots.get(job)?.push(Number(slot))
  }
  for (const list of slots.values()) list.sort((a, b) => a - b)
  return slots
}
const expectOnce = async () => {
  for (const [name, slots] of await fired()) expect(slots, name).toEqual([...new Set(slots)])
}

test.each([
  ['a server that runs', async (step: () => void) => step()],
  ['a server that is down', restart],
])('the clock of %s is set an hour back and an hour forward, and no slot is fired twice', async (_, set) => {
  for (const name of names) {
    const made = await deploy(name, name === 'fifth' ? '*/5 * * * *' : '* * * * *', { 'concurrency-policy': name === 'held' ? 'Forbid' : 'Allow' })
    expect(made.status, made.text).toBe(200)
  }
  const slots = [await tick(), await tick()]
  expect((await fired()).get('every')).toEqual(expect.arrayContaining(slots))

  await set(() => clock.move(-hour))
  // Deployed anew they are planned for minutes that may have been fired.
  for (const name of names) expect((await deploy(name, name === 'fifth' ? '*/5 * * * *' : '*/1 * * * *')).status).toBe(200)
  await tick()
  await expectOnce()
  clock.move(((slots[0] ?? 0) - 1) * minute + 1000 - clock.now())
  expect([await tick(), await tick()], 'the same minutes come again').toEqual(slots)
  await expectOnce()
  const next = await tick()
  expect((await fired()).get('every')).toContain(next)

  // An hour forward: of all that seem to have been missed only the latest is made up. And back again: that hour comes once more.
  const before = (await fired()).get('every')?.length ?? 0
  await set(() => clock.move(hour))
  const late = await tick()
  const every = (await fired()).get('every') ?? []
  expect(every).toContain(late)
  expect(every.length - before).toBeLessThanOrEqual(2)
  await set(() => clock.move(-hour))
  await tick()
  clock.move((late - 1) * minute + 1000 - clock.now())
  expect(await tick()).toBe(late)
  await expectOnce()
  const last = await tick()
  expect((await fired()).get('every')).toContain(last)
})
