import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { job } from './deploy-lab.suite.ts'
import type { DeployLab, Labs, Person } from './deploy-lab.suite.ts'

/** Work that never ends by itself: what is active, stopped and waited for. */
export function runningSuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: work that never ends`, () => {
    let lab: DeployLab
    let ann: Person

    const task = (name: string, more: object = {}) => ({ name, namespacetask: 'weather/fetch', ...more })

    beforeAll(async () => {
      lab = await open({ config: { maxRunningPerNamespace: 6, maxQueuedPerNamespace: 3 }, knobs: { behaviour: 'hang' } })
      ann = await lab.person('ann')
      await lab.repository(
        'weather',
        {
          'fetch/manifest.json': job,
          'report/pipeline.json': {
            name: 'report',
            tasks: [task('a'), task('b', { dependance: ['a'] }), task('tidy', { dependance: ['b'], 'run-if-error': true })],
          },
        },
        { owner: ann.principal },
      )
    })
    afterAll(() => lab.close())

    test('a namespace has one active job of a name: a second deploy is told the id of the first, and its repetition hears the same', async () => {
      const first = await lab.get(ann, '/v1/task/deployas/weather/fetch/one')
      const headers = { 'idempotency-key': 'conflict' }
      const second = await lab.get(ann, '/v1/task/deployas/weather/fetch/ONE', { headers })
      expect([second.status, second.json.error?.code, second.json.error?.details]).toEqual([409, 'name_in_use', { existing_id: first.json.id }])
      await lab.get(ann, '/v1/delete/job/weather/one')
      const again = await lab.get(ann, '/v1/task/deployas/weather/fetch/ONE', { headers })
      expect([again.status, again.json.error?.details, again.headers['idempotency-replayed']]).toEqual([409, { existing_id: first.json.id }, 'true'])
    })

    test('of many deploys of one name at once exactly one succeeds; with one key all get the same task', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => lab.get(ann, '/v1/task/deployas/weather/fetch/race')))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409, 409, 409])
      const headers = { 'idempotency-key': 'race' }
      const same = await Promise.all(Array.from({ length: 6 }, () => lab.get(ann, '/v1/task/deployas/weather/fetch/same', { headers })))
      expect(new Set(same.map(({ text }) => text)).size).toBe(1)
      expect(same[0]?.status).toBe(200)
      for (const name of ['race', 'same']) await lab.get(ann, `/v1/delete/job/weather/${name}`)
    })

    test('many first deploys into one new namespace at once make it once', async () => {
      const answers = await Promise.all(Array.from({ length: 3 }, (_, index) => lab.get(ann, `/v1/task/deployinas/weather/fetch/fresh/n${index}`)))
      expect(answers.map(({ status }) => status)).toEqual(Array(3).fill(200))
      expect((await lab.get(null, '/v1/list/namespaces')).json.namespaces).toContain('fresh')
      for (let index = 0; index < 3; index++) await lab.get(ann, `/v1/delete/job/fresh/n${index}`)
    })

    test('a running job that is deleted says so at once, and its name is free for a new deploy', async () => {
      const { json } = await lab.get(ann, '/v1/task/deployas/weather/fetch/stop-me')
      await lab.until(`/v1/task/state/${json.id}`, ['running'])
      expect((await lab.get(ann, '/v1/delete/job/weather/stop-me')).status).toBe(200)
      expect((await lab.get(null, `/v1/task/state/${json.id}`)).json).toMatchObject({ state: 'deleted', reason: 'deleted_by_user' })
      const next = await lab.get(ann, '/v1/task/deployas/weather/fetch/stop-me')
      expect(next.status).toBe(200)
      expect(next.json.id).not.toBe(json.id)
      await lab.get(ann, '/v1/delete/job/weather/stop-me')
    })

    test('beyond the quota of running jobs the next one waits and says for what; beyond the queue it is refused', async () => {
      const deploy = (index: number) => lab.get(ann, `/v1/task/deployinas/weather/fetch/quota/q${index}`)
      const ids: unknown[] = []
      for (let index = 0; index < 9; index++) ids.push((await deploy(index)).json.id)
      expect(await lab.until(`/v1/task/state/${ids[8]}`, ['pending'])).toMatchObject({ state: 'pending', reason: 'waiting_for_quota', attempt: 0 })
      const refused = await deploy(9)
      expect([refused.status, refused.json.error?.code]).toEqual([429, 'quota_exceeded'])
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
      await lab.get(ann, '/v1/delete/job/quota/q0')
      await lab.until(`/v1/task/state/${ids[6]}`, ['running'])
      for (let index = 1; index < 9; index++) await lab.get(ann, `/v1/delete/job/quota/q${index}`)
    })

    test('a killed pipeline ends all its tasks; the order can be repeated, and its name is in use until then', async () => {
      const { json } = await lab.get(ann, '/v1/pipeline/runas/weather/report/my_report')
      const state = `/v1/pipeline/state/weather/${json.id}`
      await lab.until(state, ['running'])
      const other = await lab.get(ann, '/v1/pipeline/runas/weather/report/my-report')
      expect([other.status, other.json.error?.details]).toEqual([409, { existing_id: json.id }])
      const order = await lab.get(ann, `/v1/pipeline/kill/${json.id}`)
      expect(order.json).toEqual({ id: json.id, namespace: 'weather', state: 'killing', accepted: true })
      expect((await lab.get(ann, `/v1/pipeline/kill/${json.id}`)).status).toBe(200)
      const end = await lab.until(state, ['killed'])
      expect((end.tasks as { state: string; reason: string }[]).map((each) => [each.state, each.reason])).toEqual(
        Array(3).fill(['killed', 'pipeline_killed']),
      )
      expect((await lab.get(ann, `/v1/pipeline/kill/${json.id}`)).json).toEqual({
        id: json.id,
        namespace: 'weather',
        state: 'killed',
        accepted: false,
      })
    })

    test('a job of a running pipeline may be deleted: its task counts as failed, the rest is skipped, the clean-up starts', async () => {
      const { json } = await lab.get(ann, '/v1/pipeline/runas/weather/report/loses-a-task')
      const state = `/v1/pipeline/state/weather/${json.id}`
      await lab.until(state, ['running'])
      const running = await lab.until(state, ['running'])
      const [a] = running.tasks as { task_id: string }[]
      const { json: child } = await lab.get(null, `/v1/task/state/${a?.task_id}`)
      await lab.until(`/v1/task/state/${a?.task_id}`, ['running'])
      expect((await lab.get(ann, `/v1/delete/job/weather/${child.name}`)).status).toBe(200)
      const tasksOf = (json: Record<string, unknown>) => json.tasks as { state: string; reason: string | null }[]
      const now = await lab.when(state, (seen) => tasksOf(seen)[2]?.state === 'running', 'the clean-up to run')
      expect(tasksOf(now).map((each) => [each.state, each.reason])).toEqual([
        ['failed', 'deleted_by_user'],
        ['skipped', 'pipeline_in_error'],
        ['running', null],
      ])
      await lab.get(ann, `/v1/pipeline/kill/${json.id}`)
      await lab.until(state, ['killed'])
    })
  })
}
