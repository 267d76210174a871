import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { job } from './deploy-lab.suite.ts'
import type { DeployLab, Labs, Person } from './deploy-lab.suite.ts'

/** A server that strangers can reach: open lists and states show what `everyone` may read. */
export function grantedSuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: granted lists`, () => {
    let lab: DeployLab
    let ann: Person
    let bob: Person
    let task: unknown
    let pipeline: unknown

    beforeAll(async () => {
      lab = await open({ config: { openRoutes: 'granted' } })
      ann = await lab.person('ann')
      bob = await lab.person('bob')
      const report = { name: 'report', tasks: [{ name: 'only', namespacetask: 'weather/fetch' }] }
      await lab.repository('weather', { 'fetch/manifest.json': job, 'report/pipeline.json': report }, { owner: ann.principal })
      task = (await lab.get(ann, '/v1/task/deploy/weather/fetch')).json.id
      pipeline = (await lab.get(ann, '/v1/pipeline/runas/weather/report/r')).json.id
      await lab.until(`/v1/pipeline/state/weather/${pipeline}`, ['succeeded'], ann)
    })
    afterAll(() => lab.close())

    const codeOf = (answer: { status: number; json: { error?: { code: string } } }) => `${answer.status} ${answer.json.error?.code}`

    test('who is granted nothing sees nothing, and cannot tell what is hidden from what is missing', async () => {
      for (const who of [null, bob]) {
        expect((await lab.get(who, '/v1/list/namespaces')).json).toEqual({ namespaces: [] })
        expect((await lab.get(who, '/v1/list/tasks')).json).toEqual({ jobs: [], cronJobs: [], deployments: [], services: [] })
        expect((await lab.get(who, '/v1/list/pods')).json).toEqual({ pods: [] })
        expect((await lab.get(who, '/v1/list/pipelines')).json).toEqual({ pipelines: [] })
        for (const namespace of ['weather', 'nothing'])
          expect(codeOf(await lab.get(who, `/v1/list/tasks/${namespace}`))).toBe('404 namespace_not_found')
        expect(codeOf(await lab.get(who, `/v1/task/state/${task}`))).toBe('404 task_not_found')
        expect(codeOf(await lab.get(who, `/v1/pipeline/state/weather/${pipeline}`))).toBe('404 pipeline_not_found')
      }
      expect(codeOf(await lab.get(bob, `/v1/pipeline/kill/${pipeline}`))).toBe('404 pipeline_not_found')
      expect(codeOf(await lab.get(bob, '/v1/delete/job/weather/fetch'))).toBe('404 namespace_not_found')
    })

    test('a name that is taken stays taken: deploying into a hidden namespace is forbidden', async () => {
      await lab.repository('bobs', { 'fetch/manifest.json': job }, { owner: bob.principal })
      expect(codeOf(await lab.get(bob, '/v1/task/deployinas/bobs/fetch/weather/x'))).toBe('403 forbidden')
    })

    test('a reader sees everything and changes nothing', async () => {
      await lab.as(ann.principal, 'grant.set', { to: 'user:bob', on: 'namespace:weather', level: 'read' })
      expect((await lab.get(bob, '/v1/list/namespaces')).json).toEqual({ namespaces: ['weather'] })
      expect((await lab.get(bob, `/v1/task/state/${task}`)).status).toBe(200)
      expect((await lab.get(bob, '/v1/list/pipelines/weather')).json).toMatchObject({ pipelines: [{ id: pipeline }] })
      expect(codeOf(await lab.get(bob, `/v1/pipeline/kill/${pipeline}`))).toBe('403 forbidden')
      expect(codeOf(await lab.get(bob, '/v1/delete/job/weather/fetch'))).toBe('403 forbidden')
    })

    test('what everyone may read, callers without credentials see', async () => {
      await lab.as(ann.principal, 'grant.set', { to: 'everyone', on: 'namespace:weather', level: 'read' })
      expect((await lab.get(null, `/v1/task/state/${task}`)).status).toBe(200)
      expect((await lab.get(null, '/v1/list/tasks/weather')).status).toBe(200)
    })
  })
}
