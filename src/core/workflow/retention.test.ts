import { afterAll, beforeAll, expect, test } from 'vitest'
import { movedClock } from '../../../test/support/clock.ts'
import { openApp } from '../../../test/support/app.ts'
import { until } from '../../../test/support/until.ts'
import { systemClock } from '../kernel/clock.ts'
import { prune } from '../run/janitor.ts'
import { artifact, documentOf, trigger } from './job/workflow.suite.ts'
import { pruneDrafts } from './retention.ts'
import type { Services } from '../operation/services.ts'
import type { JsonObject } from '../kernel/json.ts'
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

test('a job that waits is kept however old it is, and goes by the time of its end', async () => {
  const ask = { id: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'ask>' }] } }
  const { id: workflow } = await app.system('workflow.create', {
    document: documentOf({ name: `kept ${++count}`, steps: [trigger, ask], paths: ['start>ask', 'ask>:on'] }),
  })
  await app.system('workflow.activate', { workflow })
  await app.system('workflow.set-retention', { workflow, keep_days: 1, keep_jobs: 1 })
  const jobs = [await app.system('workflow.run', { workflow }), await app.system('workflow.run', { workflow })].map(({ id }) => id)
  await until('both wait', async () => (await jobsOf(workflow)).every(({ state }) => state === 'waiting'))
  clock.move(400 * dayMs)
  await prune(services)
  expect(await jobsOf(workflow)).toHaveLength(2)
  for (const job of jobs) await app.system('job.decide', { job, step: 'ask', path: 'ask>' })
  await until('both have ended', async () => (await jobsOf(workflow)).every(({ state }) => state === 'succeeded'))
  await prune(services)
  expect(await jobsOf(workflow)).toHaveLength(0)
})

test('what a job that waits has gathered in rounds at once and in other workflows is kept as long as the job', async () => {
  const made = async (document: JsonObject) => {
    const { id } = await app.system('workflow.create', { document })
    await app.system('workflow.activate', { workflow: id })
    await app.system('workflow.set-retention', { workflow: id, keep_days: 1, keep_jobs: null })
    return id
  }
  const inner = { id: 'start', type: 'snippet_map' }
  const snippet = await made(documentOf({ name: `kept ${++count}`, type: 'snippet', steps: [inner, artifact('B', 'b')], paths: ['start>B', 'B>'] }))
  const steps = [
    trigger,
    { id: 'S', type: 'snippet', parameters: { workflow_uid: snippet, input: {} } },
    { id: 'L', type: 'loop', parameters: { repeatVariable: '{{[start].[list]}}', parallel: 3, innerEdgeId: 'L>in', nextEdgeId: 'L>ask' } },
    artifact('in', '{{[L].[$item]}}', { parent_id: 'L' }),
    { id: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'ask>' }] } },
  ]
  const workflow = await made(documentOf({ name: `kept ${++count}`, steps, paths: ['start>S', 'S>L', 'L>in', 'in>', 'L>ask', 'ask>:on'] }))
  const { id: job } = await app.system('workflow.run', { workflow, message: { list: ['a', 'b', 'c', 'd'] } })
  const read = () => app.system('job.get', { job })
  await until('it waits', async () => (await read()).status === 'waiting')
  const { L, S } = (await read()).context.data
  expect(L.$outputs).toHaveLength(4)
  const children = async () => (await app.services.store.reader.runs.childrenOf(job)).length
  expect(await children()).toBe(5)
  clock.move(30 * dayMs)
  await prune(services)
  expect(await children()).toBe(5)
  expect((await read()).context.data).toMatchObject({ L, S })
  await app.system('job.decide', { job, step: 'ask', path: 'ask>' })
  await until('it has ended', async () => (await read()).status === 'succeeded')
  // The job first, then what was its.
  for (let round = 0; round < 2; round++) await prune(services)
  expect([await children(), (await jobsOf(workflow)).length]).toEqual([0, 0])
})

test('what came of a job that is kept no more stays, keeps its family and can be run again', async () => {
  const workflow = await withJobs(1)
  const [origin] = await jobsOf(workflow)
  const again = await app.system('job.rerun', { job: origin?.id ?? '' })
  await until('it has ended', async () => (await jobsOf(workflow)).every(({ state }) => state === 'succeeded'))
  await app.system('workflow.set-retention', { workflow, keep_days: null, keep_jobs: 1 })
  await prune({ ...services, clock: systemClock })
  expect((await jobsOf(workflow)).map(({ id }) => id)).toEqual([again.id])
  expect(await app.system('job.get', { job: again.id })).toMatchObject({ group: origin?.id, rerunnable: true, status: 'succeeded' })
  expect((await app.system('job.list', { group: origin?.id })).items).toMatchObject([{ id: again.id }])
  expect((await app.system('job.list-artifacts', { job: again.id })).items).toHaveLength(1)
  expect(await app.system('job.rerun', { job: again.id, from: 'A' })).toMatchObject({ group: origin?.id })
})

test('jobs of a workflow that was deleted go by what holds for all, with what their steps kept', async () => {
  const workflow = await withJobs(2, { keep_days: 400 })
  const ids = (await jobsOf(workflow)).map(({ id }) => id)
  await app.system('workflow.delete', { workflow })
  const at = { ...services, clock: movedClock(systemClock) }
  at.clock.move(89 * dayMs)
  await prune(at)
  expect(await jobsOf(workflow)).toHaveLength(2)
  at.clock.move(2 * dayMs)
  await prune(at)
  expect(await jobsOf(workflow)).toHaveLength(0)
  for (const id of ids) expect(await app.services.store.reader.steps.ofRun(id)).toHaveLength(0)
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
