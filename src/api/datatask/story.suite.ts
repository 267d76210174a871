import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { job } from './deploy-lab.suite.ts'
import type { DeployLab, Labs, Person } from './deploy-lab.suite.ts'

/** A day with the Deploy API: deploys, refusals, permissions, pipelines and repetitions. */
export function storySuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: stories`, () => {
    let lab: DeployLab
    let ann: Person
    let bob: Person

    const code = { 'code/run.sh': 'echo hi\n' }
    const inFolder = (folder: string, files: Record<string, string | object>) =>
      Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]))

    beforeAll(async () => {
      lab = await open()
      ann = await lab.person('ann')
      bob = await lab.person('bob')
      await lab.repository(
        'weather',
        {
          ...inFolder('fetch', { 'manifest.json': job, ...code }),
          ...inFolder('bad', { 'manifest.json': { type: 'jobs', name: '' } }),
          ...inFolder('broken', { 'manifest.json': '{\n "type": "job",\n}' }),
          ...inFolder('web', { 'manifest.json': { type: 'service', name: 'web', cmd: ['x'], 'container-port': 80 } }),
          ...inFolder('nightly', { 'manifest.json': { ...job, name: 'nightly', schedule: '@daily' } }),
          ...inFolder('image', { 'manifest.json': { ...job, 'image-destination': 'registry.local/a:1' }, ...code }),
          ...inFolder('deep/er', { 'manifest.json': { ...job, name: 'deep' } }),
          'empty/readme.txt': 'nothing here',
          ...inFolder('report', {
            'pipeline.json': {
              name: 'weather_report',
              tasks: [
                { name: 'first', namespacetask: 'weather/fetch' },
                { name: 'second', namespacetask: 'weather/fetch', dependance: ['first'] },
              ],
            },
          }),
          ...inFolder('bad_report', {
            'pipeline.json': {
              name: 'bad',
              tasks: [
                { name: 'a', namespacetask: 'weather/none' },
                { name: 'b', namespacetask: 'nowhere/x' },
                { name: 'c', namespacetask: 'weather/web' },
              ],
            },
          }),
        },
        { owner: ann.principal },
      )
    })
    afterAll(() => lab.close())

    const errorOf = (answer: { status: number; json: { error?: { code: string } } }) => [answer.status, answer.json.error?.code]

    describe('a job', () => {
      test('is deployed by one GET, runs, and is shown by its state and the lists', async () => {
        const answer = await lab.get(ann, '/v1/task/deploy/weather/fetch')
        expect(answer.json).toMatchObject({
          name: 'fetch',
          namespace: 'weather',
          type: 'job',
          state: 'pending',
          generation: 1,
          replaced: false,
          created_by: 'ann',
        })
        expect(answer.status).toBe(200)
        expect(answer.headers).toMatchObject({
          'content-type': 'application/json; charset=utf-8',
          'cache-control': 'no-store',
          'x-request-id': expect.any(String),
        })
        const end = await lab.until(`/v1/task/state/${answer.json.id}`, ['succeeded', 'failed'])
        expect(end).toMatchObject({ state: 'succeeded', exit_code: 0, attempt: 1, branch: 'master', repository: 'weather', directory: 'fetch' })
        expect(end.commit).toMatch(/^[0-9a-f]{40}$/)
        const tasks = await lab.get(null, '/apps/deploy-api/v1/list/tasks/Weather/')
        expect(tasks.json).toMatchObject({
          jobs: [{ name: 'fetch', state: 'succeeded', succeeded: 1, active: 0 }],
          cronJobs: [],
          deployments: [],
          services: [],
        })
        const pods = await lab.get(null, '/v1/list/pods/weather')
        expect(pods.json).toMatchObject({
          pods: [{ phase: 'Succeeded', exit_code: 0, task_id: answer.json.id, owner: { kind: 'job', name: 'fetch' } }],
        })
        expect((await lab.get(null, '/v1/list/namespaces')).json).toEqual({ namespaces: ['weather'] })
      })

      test('is replaced by a later deploy of its name, and stays readable by its old id', async () => {
        const first = await lab.get(ann, '/v1/task/deployas/weather/fetch/twice')
        await lab.until(`/v1/task/state/${first.json.id}`, ['succeeded'])
        const second = await lab.get(ann, '/v1/task/deployas/weather/fetch/Twice')
        expect(second.json).toMatchObject({ name: 'twice', replaced: true })
        expect(second.json.id).not.toBe(first.json.id)
        expect((await lab.get(null, `/v1/task/state/${first.json.id}`)).json.state).toBe('succeeded')
      })

      test('is told by the form of the POST routes where, how it is called and from which branch', async () => {
        const answer = await lab.post(ann, '/v2/task/elaborate/deploy/weather/fetch', { namespace: 'Other_Place', name: 'given', branch: '' })
        expect(answer.json).toMatchObject({ namespace: 'other-place', name: 'given', branch: 'master' })
        const nested = await lab.get(ann, '/v1/task/deploy/weather/deep%2Fer')
        expect(nested.json).toMatchObject({ name: 'deep', directory: 'deep/er' })
      })

      test('can bring its manifest in the body, as text or as an object, without any repository', async () => {
        const text = await lab.post(ann, '/v2/task/deploy/with-configuration', {
          namespace: 'weather',
          configuration: JSON.stringify({ ...job, name: 'loose' }),
        })
        expect(text.json).toMatchObject({ name: 'loose', repository: '', directory: '', commit: null, branch: '' })
        const payload = JSON.stringify({ namespace: 'weather', configuration: { ...job, name: 'object' }, repository: 'weather', directory: 'fetch' })
        const object = await lab.request(ann, 'POST', '/v2/task/deploy/with-configuration', {
          headers: { 'content-type': 'application/json' },
          payload,
        })
        expect(object.json).toMatchObject({ name: 'object', repository: 'weather', directory: 'fetch' })
      })

      test('is deleted once: it leaves the lists, its record says deleted, a second delete finds nothing', async () => {
        const { json } = await lab.get(ann, '/v1/task/deployas/weather/fetch/gone')
        await lab.until(`/v1/task/state/${json.id}`, ['succeeded'])
        expect((await lab.get(ann, '/v1/delete/job/weather/Gone')).json).toEqual({
          kind: 'job',
          namespace: 'weather',
          name: 'gone',
          id: json.id,
          deleted: true,
        })
        expect((await lab.get(null, `/v1/task/state/${json.id}`)).json).toMatchObject({ state: 'deleted', reason: 'deleted_by_user' })
        expect((await lab.get(null, '/v1/list/tasks/weather')).text).not.toContain(String(json.id))
        expect(errorOf(await lab.get(ann, '/v1/delete/job/weather/gone'))).toEqual([404, 'job_not_found'])
        expect(errorOf(await lab.get(ann, '/v1/delete/job/nowhere/gone'))).toEqual([404, 'namespace_not_found'])
      })
    })

    describe('what cannot be deployed', () => {
      test.each([
        ['weather/none', 404, 'directory_not_found'],
        ['weather/empty', 404, 'manifest_not_found'],
        ['none/fetch', 404, 'repository_not_found'],
        ['weather/bad', 422, 'manifest_invalid'],
        ['weather/broken', 422, 'manifest_invalid'],
        ['weather/image', 422, 'dockerfile_not_found'],
        ['weather.git/fetch', 400, 'invalid_parameter'],
        ['weather/a%2F..%2Fb', 400, 'invalid_parameter'],
        ['weather/fetch%00', 400, 'invalid_parameter'],
        ['weather/fetch%2F', 400, 'invalid_parameter'],
      ])('%s is answered with %i %s', async (path, status, code) => {
        const answer = await lab.get(ann, `/v1/task/deploy/${path}`)
        expect(errorOf(answer)).toEqual([status, code])
        expect(answer.json.error).toMatchObject({
          message: expect.any(String),
          request_id: answer.headers['x-request-id'],
          details: expect.any(Object),
        })
      })

      test('problems of a manifest come all at once with their places, a broken text with line and column', async () => {
        const bad = await lab.get(ann, '/v1/task/deploy/weather/bad')
        expect(bad.json.error?.details.problems).toEqual(
          expect.arrayContaining([
            expect.objectContaining({ path: '/type', code: 'enum', severity: 'error' }),
            expect.objectContaining({ path: '/name' }),
          ]),
        )
        const broken = await lab.get(ann, '/v1/task/deploy/weather/broken')
        expect(JSON.stringify(broken.json.error?.details.problems)).toContain('line 3')
      })

      test('a branch that is given must exist; an implied one falls back to the default branch', async () => {
        expect(errorOf(await lab.post(ann, '/v2/task/elaborate/deploy/weather/fetch', { branch: 'dev' }))).toEqual([404, 'branch_not_found'])
        const made = await lab.repository('trunk-only', { 'fetch/manifest.json': job }, { owner: ann.principal, branch: 'trunk' })
        await lab.services.git.setHead(made.id, 'refs/heads/trunk')
        expect((await lab.get(ann, '/v1/task/deploy/trunk-only/fetch')).json).toMatchObject({ branch: 'trunk' })
        expect(errorOf(await lab.post(ann, '/v2/task/elaborate/deploy/trunk-only/fetch', { branch: 'master' }))).toEqual([404, 'branch_not_found'])
      })

      test('a push that finished before a deploy is always seen', async () => {
        const made = await lab.repository('pushed', { 'fetch/manifest.json': job }, { owner: ann.principal })
        for (const name of ['one', 'two', 'three']) {
          const commit = await made.push({ 'fetch/manifest.json': { ...job, name } })
          expect((await lab.get(ann, '/v1/task/deploy/pushed/fetch')).json).toMatchObject({ name, commit })
        }
      })

      test('schedules: a bad one is the form’s mistake, none is allowed for a service', async () => {
        const url = '/v2/task/elaborate/deploy/weather/fetch'
        expect(errorOf(await lab.post(ann, url, { schedule: 'often' }))).toEqual([400, 'invalid_schedule'])
        expect(errorOf(await lab.post(ann, '/v2/task/elaborate/deploy/weather/web', { schedule: '* * * * *' }))).toEqual([
          422,
          'schedule_not_allowed',
        ])
      })

      test('a configuration in the body must be a JSON object, and without a source no image can be built from it', async () => {
        const send = (configuration: string) => lab.post(ann, '/v2/task/deploy/with-configuration', { namespace: 'weather', configuration })
        expect(errorOf(await send('{'))).toEqual([400, 'invalid_configuration'])
        expect(errorOf(await send('[1]'))).toEqual([400, 'invalid_configuration'])
        expect(errorOf(await send('{"type":"job","type":"job","cmd":["a"],"name":"a"}'))).toEqual([422, 'manifest_invalid'])
        expect(errorOf(await send(JSON.stringify({ ...job, 'image-destination': 'a/b' })))).toEqual([422, 'source_required'])
        expect(errorOf(await lab.post(ann, '/v2/task/deploy/with-configuration', { configuration: '{}' }))).toEqual([400, 'invalid_parameter'])
      })
    })

    describe('permission', () => {
      test('a namespace belongs to who deployed there first; others are refused, whatever the spelling', async () => {
        const mine = await lab.repository('bobs', { 'fetch/manifest.json': job }, { owner: bob.principal })
        expect(mine.id).toBeTruthy()
        for (const namespace of ['weather', 'WEATHER', 'Weather']) {
          expect(errorOf(await lab.get(bob, `/v1/task/deployinas/bobs/fetch/${namespace}/x`))).toEqual([403, 'forbidden'])
        }
        for (const namespace of ['default', 'kube-system', 'Kube_System']) {
          expect(errorOf(await lab.get(bob, `/v1/task/deployinas/bobs/fetch/${namespace}/x`))).toEqual([403, 'forbidden'])
        }
        expect(errorOf(await lab.get(bob, '/v1/delete/job/weather/fetch'))).toEqual([403, 'forbidden'])
        expect((await lab.get(bob, '/v1/task/deploy/bobs/fetch')).status).toBe(200)
      })

      test('a repository that one may not read looks as if it did not exist', async () => {
        expect(errorOf(await lab.get(bob, '/v1/task/deploy/weather/fetch'))).toEqual([403, 'forbidden'])
        expect(errorOf(await lab.get(bob, '/v1/task/deployinas/weather/fetch/bobs/x'))).toEqual([404, 'repository_not_found'])
        expect(errorOf(await lab.get(bob, '/v1/task/deployinas/nothing/fetch/bobs/x'))).toEqual([404, 'repository_not_found'])
      })

      test('a first deploy with read only on the repository needs a grant made ahead; reserved namespaces are only for who holds one', async () => {
        await lab.as(ann.principal, 'grant.set', { to: 'user:bob', on: 'repository:weather', level: 'read' })
        expect(errorOf(await lab.get(bob, '/v1/task/deployinas/weather/fetch/ahead/x'))).toEqual([403, 'forbidden'])
        await lab.system('grant.set', { to: 'user:bob', on: 'namespace:ahead', level: 'write' })
        expect(errorOf(await lab.get(null, '/v1/list/tasks/ahead'))).toEqual([404, 'namespace_not_found'])
        expect(errorOf(await lab.get(ann, '/v1/task/deployinas/weather/fetch/ahead/x'))).toEqual([403, 'forbidden'])
        expect((await lab.get(bob, '/v1/task/deployinas/weather/fetch/ahead/x')).status).toBe(200)
        expect((await lab.get(null, '/v1/list/tasks/ahead')).status).toBe(200)
      })

      test('a deploy that fails leaves no namespace behind', async () => {
        expect((await lab.get(ann, '/v1/task/deployinas/weather/bad/never/x')).status).toBe(422)
        expect((await lab.get(null, '/v1/list/namespaces')).text).not.toContain('never')
        expect(await lab.services.store.reader.resources.byName('namespace', 'never')).toBeNull()
      })

      test('each deploy leaves its line in the audit trail, with how the caller was identified', async () => {
        const { json } = await lab.get(ann, '/v1/task/deployas/weather/fetch/audited')
        const lines = await lab
          .system<{ items: { operation: string; subject: string; via: string; credential: string; actor: string }[] }>('audit.list', {
            actor: 'ann',
            limit: 50,
          })
          .catch(() => null)
        const rows = lines?.items ?? (await lab.services.store.reader.audit.page({ actor: 'ann' }, { limit: 50, after: null })).items
        expect(rows.find((line) => line.subject === 'task:weather/audited')).toMatchObject({
          operation: 'task.deploy',
          via: 'datatask',
          credential: 'api-key',
          actor: 'ann',
        })
        expect(json.id).toBeTruthy()
      })
    })

    describe('a pipeline', () => {
      test('runs its tasks in order as jobs of its namespace, and is listed with them', async () => {
        const answer = await lab.get(ann, '/v1/pipeline/runas/weather/report/Morning%20report')
        expect(answer.json).toMatchObject({
          name: 'Morning report',
          namespace: 'weather',
          original: 'report',
          state: 'pending',
          tasks: [
            { name: 'first', state: 'waiting', task_id: null },
            { name: 'second', dependance: ['first'], 'run-if-error': false },
          ],
        })
        const end = await lab.until(`/v1/pipeline/state/weather/${answer.json.id}`, ['succeeded', 'failed'])
        expect(end).toMatchObject({ state: 'succeeded', tasks: [{ state: 'succeeded', exit_code: 0 }, { state: 'succeeded' }] })
        const [first] = end.tasks as { task_id: string }[]
        const task = await lab.get(null, `/v1/task/state/${first?.task_id}`)
        expect(task.json).toMatchObject({ pipeline_id: answer.json.id, name: `morning-report-first-${String(answer.json.id).slice(-6)}` })
        expect((await lab.get(null, '/v1/list/pipelines/weather')).json).toMatchObject({ pipelines: [{ id: answer.json.id, tasks: [{}, {}] }] })
        expect(errorOf(await lab.get(null, `/v1/pipeline/state/other-place/${answer.json.id}`))).toEqual([404, 'pipeline_not_found'])
        expect(errorOf(await lab.get(null, `/v1/task/state/${answer.json.id}`))).toEqual([404, 'task_not_found'])
        expect((await lab.get(ann, `/v1/pipeline/kill/${answer.json.id}`)).json).toEqual({
          id: answer.json.id,
          namespace: 'weather',
          state: 'succeeded',
          accepted: false,
        })
        expect(errorOf(await lab.get(bob, `/v1/pipeline/kill/${answer.json.id}`))).toEqual([403, 'forbidden'])
      })

      test('is refused whole with every task that does not resolve, before anything starts', async () => {
        const answer = await lab.get(ann, '/v1/pipeline/runas/weather/bad_report/x')
        expect(errorOf(answer)).toEqual([422, 'pipeline_invalid'])
        const problems = answer.json.error?.details.problems as { path: string; code: string }[]
        expect(problems.map(({ path, code }) => [path, code])).toEqual([
          ['/tasks/0/namespacetask', 'directory_not_found'],
          ['/tasks/1/namespacetask', 'repository_not_found'],
          ['/tasks/2/namespacetask', 'type'],
        ])
        expect(errorOf(await lab.get(ann, '/v1/pipeline/runas/weather/fetch/x'))).toEqual([404, 'pipeline_file_not_found'])
      })

      test('can bring its configuration in the body', async () => {
        const configuration = JSON.stringify({ name: 'loose', tasks: [{ name: 'only', namespacetask: 'weather/fetch' }] })
        const answer = await lab.post(ann, '/v2/pipeline/run/with-configuration', { namespace: 'weather', configuration })
        expect(answer.json).toMatchObject({ name: 'loose', original: 'loose', repository: '', commit: null, branch: 'master' })
        await lab.until(`/v1/pipeline/state/weather/${answer.json.id}`, ['succeeded'])
      })
    })

    describe('a repetition', () => {
      test('with one key gives the first answer again, a different request with it is refused', async () => {
        const headers = { 'idempotency-key': 'key-1' }
        const url = '/v1/task/deployas/weather/fetch/once'
        const first = await lab.get(ann, url, { headers })
        const again = await lab.get(ann, url, { headers })
        expect(again.text).toBe(first.text)
        expect([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']]).toEqual([undefined, 'true'])
        await lab.until(`/v1/task/state/${first.json.id}`, ['succeeded'])
        expect((await lab.get(ann, url, { headers })).text).toBe(first.text)
        expect(errorOf(await lab.get(ann, '/v1/task/deployas/weather/fetch/other', { headers }))).toEqual([422, 'idempotency_key_reuse'])
        expect(errorOf(await lab.get(ann, url, { headers: { 'idempotency-key': 'a\tb' } }))).toEqual([400, 'invalid_parameter'])
      })

      test('that replaced something says so again', async () => {
        const url = '/v1/task/deployas/weather/fetch/replacing'
        const first = await lab.get(ann, url)
        await lab.until(`/v1/task/state/${first.json.id}`, ['succeeded'])
        const headers = { 'idempotency-key': 'key-2' }
        const second = await lab.get(ann, url, { headers })
        expect(second.json.replaced).toBe(true)
        expect((await lab.get(ann, url, { headers })).text).toBe(second.text)
      })
    })
  })
}
