import { afterAll, beforeAll, expect, test } from 'vitest'
import { job, openDeployLab } from './deploy-lab.suite.ts'
import type { DeployLab, Person } from './deploy-lab.suite.ts'

let lab: DeployLab
let ann: Person

beforeAll(async () => {
  lab = await openDeployLab()
  ann = await lab.person('ann')
  await lab.repository('weather', { 'fetch/manifest.json': job, 'fetch/code/run.sh': 'echo hi\n' }, { owner: ann.principal })
})
afterAll(() => lab.close())

test('a job is deployed by one GET, runs, and is shown by its state and the lists', async () => {
  const answer = await lab.get(ann, '/v1/task/deploy/weather/fetch')
  expect(answer.json).toMatchObject({ name: 'fetch', namespace: 'weather', type: 'job', state: 'pending', generation: 1, replaced: false })
  expect(answer.status).toBe(200)
  const end = await lab.until(`/v1/task/state/${answer.json.id}`, ['succeeded', 'failed'])
  expect(end).toMatchObject({ state: 'succeeded', exit_code: 0, attempt: 1 })
})
