import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { job } from './deploy-lab.suite.ts'
import type { Answer, DeployLab, Labs, Person } from './deploy-lab.suite.ts'

/** Sentences of the contract that are easily read over. */
export function finePrintSuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: the fine print`, () => {
    let lab: DeployLab
    let ann: Person

    beforeAll(async () => {
      lab = await open()
      ann = await lab.person('ann')
      const files = {
        'fetch/manifest.json': job,
        'nightly/manifest.json': { ...job, name: 'nightly', schedule: '0 0 1 1 *' },
        'web/manifest.json': { type: 'service', name: 'web', cmd: ['x'], 'container-port': 80, labels: 'app:web' },
        'report/pipeline.json': { name: 'report', tasks: [{ name: 'only', namespacetask: 'weather/fetch' }] },
      }
      await lab.repository('weather', files, { owner: ann.principal })
    })
    afterAll(() => lab.close())

    const codeOf = ({ status, json }: Answer) => (status === 200 ? '200' : `${status} ${json.error?.code}`)
    const json = (url: string, body: unknown) =>
      lab.request(ann, 'POST', url, { headers: { 'content-type': 'application/json' }, payload: JSON.stringify(body) })
    const withConfiguration = (configuration: unknown, more: object = {}) =>
      json('/v2/task/deploy/with-configuration', { namespace: 'space', configuration, ...more })
    const run = (tasks: unknown, more: object = {}) =>
      json('/v2/pipeline/run/with-configuration', { namespace: 'space', configuration: { name: 'flow', tasks }, ...more })

    test('a field that another route has is as unknown as any: it is ignored, whatever it holds', async () => {
      const foreign = { repository: 'none', directory: '..', name: '-', namespace: '-', schedule: 'never', configuration: '{', other: { a: [1] } }
      const source = 'weather/fetch'
      const elaborate = await json(`/v1/task/elaborate/deployinas/${source}/space/one`, foreign)
      expect([elaborate.status, elaborate.json.error?.code]).toEqual([400, 'invalid_schedule'])
      const asked: [string, object, object][] = [
        [`/v1/task/elaborate/deployinas/${source}/space/one`, { schedule: '' }, { name: 'one', namespace: 'space', type: 'job' }],
        [`/v2/task/elaborate/deploy/${source}`, { schedule: '', name: 'two', namespace: 'space' }, { name: 'two', directory: 'fetch' }],
        [
          '/v2/task/deploy/with-configuration',
          { configuration: { ...job, name: 'three' }, namespace: 'space', repository: '', directory: '' },
          { name: 'three', type: 'job', schedule: '' },
        ],
        ['/v1/pipeline/elaborate/runinas/weather/report/space/four', {}, { name: 'four', namespace: 'space' }],
        ['/v2/pipeline/elaborate/run/weather/report/five', { namespace: 'space' }, { name: 'five', directory: 'report' }],
        [
          '/v2/pipeline/run/with-configuration',
          { namespace: 'space', configuration: { name: 'six', tasks: [{ name: 'only', namespacetask: 'weather/fetch' }] } },
          { name: 'six', repository: '', directory: '' },
        ],
        [`/v2/task/load/configuration/from-git/${source}`, {}, { repository: 'weather', directory: 'fetch' }],
      ]
      for (const [url, own, made] of asked) {
        const answer = await json(url, { ...foreign, ...own })
        expect(answer.status, `${url} ${answer.text}`).toBe(200)
        expect(answer.json).toMatchObject(made)
      }
    })

    test.each([[[]], [5], [true], [[{}]]])('a configuration that is %j is invalid_configuration', async (configuration) => {
      expect(codeOf(await withConfiguration(configuration))).toBe('400 invalid_configuration')
      expect(codeOf(await json('/v2/pipeline/run/with-configuration', { namespace: 'space', configuration }))).toBe('400 invalid_configuration')
    })

    test.each(['@', 'HEAD'])('git makes no branch of the name "%s"', async (branch) => {
      const answer = await json('/v2/task/elaborate/deploy/weather/fetch', { branch })
      expect([codeOf(answer), answer.json.error?.details]).toEqual(['400 invalid_parameter', { field: 'branch' }])
    })

    test('a schedule that is too long is invalid_schedule like any other that is wrong', async () => {
      const answer = await json('/v2/task/elaborate/deploy/weather/fetch', { schedule: `${'0,'.repeat(70)}0 * * * *` })
      expect([codeOf(answer), answer.json.error?.details]).toEqual(['400 invalid_schedule', { field: 'schedule' }])
    })

    test.each(['-a', '%C3%A9', 'a%2Fb', 'x'.repeat(101)])('a pipeline cannot be named "%s": invalid_name', async (name) => {
      const answer = await lab.get(ann, `/v1/pipeline/runas/weather/report/${name}`)
      expect([codeOf(answer), answer.json.error?.details]).toEqual(['400 invalid_name', { field: 'name' }])
    })

    test('what is wrong with the graph and with the definitions of its tasks is told together', async () => {
      const answer = await run([
        { name: 'a', namespacetask: 'weather/none' },
        { name: 'b', namespacetask: 'weather/fetch', dependance: ['zz'] },
        { name: 'c', namespacetask: 'weather/fetch', dependance: ['d'] },
        { name: 'd', namespacetask: 'weather/web', dependance: ['c'] },
        { namespacetask: 'none/fetch' },
        { name: 'f', namespacetask: '../..' },
      ])
      expect(codeOf(answer)).toBe('422 pipeline_invalid')
      const problems = answer.json.error?.details.problems as { path: string; code: string }[]
      expect(problems.map(({ path, code }) => `${path} ${code}`).sort()).toEqual([
        '/tasks/0/namespacetask directory_not_found',
        '/tasks/1/dependance/0 unknown_task',
        '/tasks/2/dependance cycle',
        '/tasks/3/namespacetask type',
        '/tasks/4/name required',
        '/tasks/4/namespacetask repository_not_found',
        '/tasks/5/namespacetask pattern',
      ])
    })

    test('that the schedule of a task of a pipeline is ignored is said by the pipeline', async () => {
      const started = await run([{ name: 'a', namespacetask: 'weather/nightly' }])
      const said = { message: expect.stringContaining('the schedule of weather/nightly is ignored') }
      expect(started.json).toMatchObject(said)
      expect(await lab.until(`/v1/pipeline/state/space/${started.json.id}`, ['succeeded'])).toMatchObject(said)
    })

    test('every object in the lists has its labels: those of the manifest, and whose it is', async () => {
      const of = async (url: string) => String((await lab.get(ann, url)).json.id)
      const fetch = await of('/v1/task/deployinas/weather/fetch/labels/fetch')
      const nightly = await of('/v1/task/deployinas/weather/nightly/labels/nightly')
      const web = await of('/v1/task/deployinas/weather/web/labels/web')
      const report = await of('/v1/pipeline/runinas/weather/report/labels/report')
      await lab.until(`/v1/pipeline/state/labels/${report}`, ['succeeded'])
      const lists = (await lab.get(ann, '/v1/list/tasks/labels')).json as unknown as Record<
        string,
        { id: string; pipeline_id: string; labels: object }[]
      >
      const own = (id: string | undefined) => ({ 'deploy-api/managed': 'true', 'deploy-api/task-id': id })
      const part = lists.jobs?.find((item) => item.pipeline_id === report)
      expect(lists.jobs?.find(({ id }) => id === fetch)?.labels).toEqual(own(fetch))
      expect(part?.labels).toEqual({ ...own(part?.id), 'deploy-api/pipeline-id': report })
      expect(lists.cronJobs?.[0]?.labels).toEqual(own(nightly))
      expect(lists.deployments?.[0]?.labels).toEqual({ app: 'web', ...own(web) })
      expect(lists.services?.[0]?.labels).toEqual({ app: 'web', ...own(web) })
    })

    test('a job counts its failed attempts, and none is active while it waits for the next', async () => {
      const failing = await open({ knobs: { exitCode: 3 } })
      const bob = await failing.person('bob', { administrator: true })
      const { json: made } = await failing.post(bob, '/v2/task/deploy/with-configuration', {
        namespace: 'space',
        configuration: JSON.stringify({ ...job, retries: 1 }),
      })
      await failing.when(`/v1/task/state/${made.id}`, ({ reason }) => reason === 'retry_wait', 'the pause between two attempts')
      expect((await failing.get(bob, '/v1/list/tasks/space')).json).toMatchObject({ jobs: [{ active: 0, succeeded: 0, failed: 1 }] })
      await failing.close()
    })
  })
}
