import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DeployLab, Labs, Person } from './deploy-lab.suite.ts'

/** What tasks request, against a machine of two cores and 1 GiB. Everything runs until it is deleted. */
export function capacitySuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: capacity`, () => {
    let lab: DeployLab
    let ann: Person

    beforeAll(async () => {
      lab = await open({ config: { cpuCapacity: 2, memoryCapacityBytes: 2 ** 30 }, knobs: { behaviour: 'hang' } })
      ann = await lab.person('ann', { administrator: true })
    })
    afterAll(() => lab.close())

    const deploy = (namespace: string, name: string, more: object = {}) => {
      const configuration = JSON.stringify({ type: 'job', name, cmd: ['/bin/true'], ...more })
      return lab.post(ann, '/v2/task/deploy/with-configuration', { namespace, configuration })
    }
    const started = async (namespace: string, name: string, more: object = {}) => {
      const { json, text } = await deploy(namespace, name, more)
      expect(json.state, text).toBe('pending')
      return `/v1/task/state/${json.id}`
    }
    const remove = async (namespace: string, name: string, kind = 'job') =>
      expect((await lab.get(ann, `/v1/delete/${kind}/${namespace}/${name}`)).status).toBe(200)
    const waits = (url: string) => lab.when(url, (state) => state.reason === 'waiting_for_capacity', 'the machine being full')

    test.each([
      { member: 'cpu-request', first: '1500m', second: 0.6, small: '0.5' },
      { member: 'memory-request', first: '700Mi', second: '400Mi', small: '300Mi' },
    ])('a task whose $member no longer fits waits for capacity, until enough of it is given back', async ({ member, first, second, small }) => {
      const one = await started('lab', 'one', { [member]: first })
      await lab.until(one, ['running'])
      const two = await started('lab', 'two', { [member]: second })
      expect(await waits(two)).toMatchObject({ state: 'pending' })
      const three = await started('other', 'three', { [member]: small })
      await lab.until(three, ['running'])
      await remove('lab', 'one')
      await lab.until(two, ['running'])
      await remove('lab', 'two')
      await remove('other', 'three')
    })

    test('who requests nothing is not held up by one that waits for the machine', async () => {
      await lab.until(await started('lab', 'all', { 'cpu-request': 2 }), ['running'])
      const large = await started('lab', 'large', { 'cpu-request': 1 })
      await waits(large)
      await lab.until(await started('lab', 'modest'), ['running'])
      const next = await started('lab', 'next', { 'cpu-request': '10m' })
      await waits(next)
      await remove('lab', 'all')
      await lab.until(large, ['running'])
      await lab.until(next, ['running'])
      for (const name of ['large', 'modest', 'next']) await remove('lab', name)
    })

    test('an instance of a deployment counts as a job does', async () => {
      const { json, text } = await deploy('lab', 'worker', { type: 'deployment', replicas: 3, 'cpu-request': 1 })
      expect(json.type, text).toBe('deployment')
      await lab.when(`/v1/task/state/${json.id}`, (state) => state.ready_replicas === 2, 'two instances')
      const reasons = async () => {
        const runs = (await lab.services.store.reader.runs.childrenOf(String(json.id))).filter((run) => run.active)
        const steps = await Promise.all(runs.map((run) => lab.services.store.reader.steps.one(run.id, 'main')))
        return steps.map((step) => step?.reason ?? step?.state).sort()
      }
      await expect.poll(reasons).toEqual(['running', 'running', 'waiting_for_capacity'])
      await waits(await started('other', 'beside', { 'cpu-request': '1m' }))
      await remove('lab', 'worker', 'deployment')
      await lab.until(await started('other', 'after', { 'cpu-request': 1 }), ['running'])
      await remove('other', 'beside')
      await remove('other', 'after')
    })

    test('what not even the whole machine could give is a problem of the manifest, in a task and in a pipeline', async () => {
      const answer = await deploy('lab', 'giant', { 'cpu-request': '2001m', 'memory-request': '2Gi' })
      expect([answer.status, answer.json.error?.code]).toEqual([422, 'manifest_invalid'])
      expect(answer.json.error?.message).toContain('limits.cpu')
      expect(answer.json.error?.details.problems).toMatchObject([
        { path: '/cpu-request', code: 'capacity' },
        { path: '/memory-request', code: 'capacity' },
      ])
      await lab.repository(
        'weather',
        {
          'giant/manifest.json': { type: 'job', name: 'giant', cmd: ['/bin/true'], 'cpu-request': 3 },
          'report/pipeline.json': { name: 'report', tasks: [{ name: 'only', namespacetask: 'weather/giant' }] },
        },
        { owner: ann.principal },
      )
      const run = await lab.get(ann, '/v1/pipeline/runas/weather/report/r')
      expect([run.status, run.json.error?.code]).toEqual([422, 'pipeline_invalid'])
      expect(JSON.stringify(run.json.error?.details)).toContain('limits.cpu')
    })

    test('what was accepted on a larger machine starts when it has all of this one', async () => {
      const nightly = await deploy('lab', 'nightly', { schedule: '0 0 1 1 *', 'cpu-request': 2 })
      expect(nightly.status, nightly.text).toBe(200)
      await lab.stop()
      lab = await open({ folder: lab.folder, config: { cpuCapacity: 1, memoryCapacityBytes: 2 ** 30 }, knobs: { behaviour: 'hang' } })
      const { run } = await lab.system<{ run: string }>('schedule.start-occurrence', { schedule: String(nightly.json.id), minute: 29_000_000 })
      await lab.until(`/v1/task/state/${run}`, ['running'])
      await waits(await started('lab', 'beside', { 'cpu-request': '1m' }))
    })
  })
}
