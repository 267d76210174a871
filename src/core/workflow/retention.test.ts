import { afterAll, beforeAll, expect, test } from 'vitest'
import { movedClock } from '../../../test/support/clock.ts'
import { openApp } from '../../../test/support/app.ts'
import { until } from '../../../test/support/until.ts'
import { systemClock } from '../kernel/clock.ts'
import { prune } from '../run/janitor.ts'
import { artifact, documentOf, trigger } from './job/workflow.suite.ts'
import { pruneDrafts } from './retention.ts'
import type { Services } from '../operation/services.ts'
import type { TestApp } from '../../../test/support/app.ts'

let app: TestApp
let services: Services
const clock = movedClock(systemClock)
const dayMs = 24 * 3_600_000
beforeAll(async () => {
  app = await openApp()
  services = {
    ...app.services,
    get engine() {
      return app.services.engine
    },
    clock,
  } as Services // the same, at another time
})
afterAll(() => app.close())

let count = 0
async function withJobs(jobs: number, keep: { keep_days?: number | null; keep_jobs?: number | null } = {}): Promise<string> {
  const document = documentOf({ name: `kept ${++count}`, steps: [trigger, artifact('A', 'x')], paths: ['start>A', 'A>'] })
  const { id } = await app.system('workflow.create', { document })
  await app.system('workflow.activate', { workflow: id })
  await app.system('workflow.set-retention', { workflow: id, keep_days: null, keep_jobs: null, ...keep })
  for (let job = 0; job < jobs; job++) await app.system('workflow.run', { workflow: id })
  await until('the jobs have ended', async () => (await jobsOf(id)).every(({ state }) => state === 'succeeded'))
  return id
}

async function jobsOf(workflow: string) {
  const page = await app.services.store.reader.runs.page({ kinds: ['workflow'], resourceId: workflow }, null, 'newest', { limit: 100, after: null })
  return page.items
}

test('ended jobs go by age and by number, as their workflow says, and else as all do', async () => {
  const [short, few, long, usual] = [
    await withJobs(2, { keep_days: 7 }),
    await withJobs(5, { keep_jobs: 2 }),
    await withJobs(2, { keep_days: 400 }),
    await withJobs(2),
  ]
  const newest = (await jobsOf(few)).slice(0, 2).map(({ id }) => id)
  const counts = async () => Promise.all([short, few, long, usual].map(async (id) => (await jobsOf(id)).length))
  await prune(services)
  expect(await counts()).toEqual([2, 2, 2, 2])
  expect((await jobsOf(few)).map(({ id }) => id)).toEqual(newest)
  clock.move(8 * dayMs)
  await prune(services)
  expect(await counts()).toEqual([0, 2, 2, 2])
  clock.move(83 * dayMs)
  await prune(services)
  expect(await counts()).toEqual([0, 0, 2, 0])
  const [kept] = await jobsOf(long)
  expect(await app.services.store.reader.steps.ofRun(kept?.id ?? '')).toHaveLength(2)
})

test('drafts that were replaced go when no job of them is kept any more; what is active, and the draft of now, stay', async () => {
  const workflow = await withJobs(0)
  for (const description of ['one', 'two', 'three']) await app.system('workflow.update', { workflow, document: { description } })
  const versions = async () => (await services.store.reader.workflowVersions.ofWorkflow(workflow)).map(({ number }) => number)
  await pruneDrafts({ ...services, clock: systemClock })
  expect(await versions()).toEqual([4, 3, 2, 1])
  await pruneDrafts(services)
  expect(await versions()).toEqual([4, 1])
})
