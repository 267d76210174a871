import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { movedClock } from '../../../test/support/clock.ts'
import { systemClock } from '../../core/kernel/clock.ts'
import { scheduleChanged } from '../../core/run/schedule.ts'
import { openDeployLab } from './deploy-lab.suite.ts'
import type { DeployLab, Person } from './deploy-lab.suite.ts'

// The sample's cron job as real programs, on a clock that the test sets.
const hour = 3_600_000
const clock = movedClock(systemClock)
const folder = join(import.meta.dirname, '..', '..', '..', 'examples', 'sample', 'hourly')
let lab: DeployLab
let ann: Person

beforeAll(async () => {
  lab = await openDeployLab({ clock, config: { defaultRuntime: 'process', unsandboxed: 'allow' } })
  ann = await lab.person('ann')
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const paths = names.map((entry) => join(entry.parentPath, entry.name))
  const files = await Promise.all(paths.map(async (path) => [`hourly${path.slice(folder.length)}`, await readFile(path)] as const))
  await lab.repository('sample', Object.fromEntries(files), { owner: ann.principal })
})
afterAll(() => lab.close())

type Job = { id: string; name: string; state: string }

test('runs its program once at each full hour, is stopped by a suspension and gone after a delete', async () => {
  const { json } = await lab.get(ann, '/v1/task/deploy/sample/hourly')
  expect(json).toMatchObject({ type: 'cronjob', state: 'scheduled', schedule: '0 * * * *' })
  const ids: string[] = []
  for (let round = 1; round <= 2; round++) {
    clock.move(hour - (clock.now() % hour) + 100)
    scheduleChanged(lab.services.store)
    const name = `hourly-${Math.floor(clock.now() / hour) * 60}`
    const ended = ({ jobs }: Record<string, unknown>) => (jobs as Job[]).some((job) => job.name === name && job.state === 'succeeded')
    const { jobs } = await lab.when('/v1/list/tasks/sample', ended, name)
    expect(jobs).toHaveLength(round)
    const { id } = (jobs as Job[]).find((job) => job.name === name) as Job // the condition saw it
    ids.push(id)
    const { text } = await lab.as<{ text: string }>(ann.principal, 'run.log', { run: id, step: 'main' })
    expect(text).toMatch(new RegExp(`^${name}: it is [0-9]{2}:[0-9]{2} UTC\n$`))
  }
  await lab.as(ann.principal, 'schedule.suspend', { schedule: 'sample/hourly' })
  clock.move(hour)
  scheduleChanged(lab.services.store)
  expect((await lab.get(ann, '/v1/delete/cronjob/sample/hourly')).json).toMatchObject({ deleted: true, deleted_jobs: [] })
  const { jobs, cronJobs } = (await lab.get(null, '/v1/list/tasks/sample')).json
  expect((jobs as Job[]).map(({ id }) => id).sort()).toEqual([...ids].sort())
  expect(cronJobs).toEqual([])
})

test('a job that runs is stopped with its cron job, and named', async () => {
  const configuration = JSON.stringify({
    ...{ type: 'job', name: 'long', cmd: ['/bin/sh', '-c', 'sleep 300 & sleep 300'], schedule: '* * * * *' },
    'termination-grace-seconds': 1,
  })
  await lab.post(ann, '/v2/task/deploy/with-configuration', { namespace: 'sample', configuration })
  clock.move(60_000)
  scheduleChanged(lab.services.store)
  const running = ({ jobs }: Record<string, unknown>) => (jobs as Job[]).some(({ name, state }) => name.startsWith('long-') && state === 'running')
  const { jobs } = await lab.when('/v1/list/tasks/sample', running, 'the job to run')
  const job = (jobs as Job[]).find(({ name }) => name.startsWith('long-')) as Job // the condition saw it
  expect((await lab.get(ann, '/v1/delete/cronjob/sample/long')).json.deleted_jobs).toContain(job.name)
  expect((await lab.get(null, `/v1/task/state/${job.id}`)).json).toMatchObject({ state: 'deleted' })
  await expect.poll(async () => (await lab.services.store.reader.runs.byId(job.id))?.active, { timeout: 10_000 }).toBe(false)
})
