import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChangeEvent } from '../../core/operation/context.ts'
import type { Answer, DeployLab, Labs, Person } from './deploy-lab.suite.ts'

/** How many cron jobs a namespace may have, and who hears of them. */
export function cronLimitsSuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: the number of cron jobs and the news of them`, () => {
    let lab: DeployLab
    let ann: Person
    beforeAll(async () => {
      lab = await open({ config: { maxCronJobsPerNamespace: 2 } })
      ann = await lab.person('ann')
      for (const namespace of ['few', 'many']) await lab.system('grant.set', { to: 'user:ann', on: `namespace:${namespace}`, level: 'admin' })
    })
    afterAll(() => lab.close())

    function deploy(namespace: string, name: string, schedule = '0 0 29 2 *'): Promise<Answer> {
      const configuration = JSON.stringify({ type: 'job', name, cmd: ['/bin/true'], schedule })
      return lab.post(ann, '/v2/task/deploy/with-configuration', { namespace, configuration })
    }

    test('a namespace has only so many: one more is refused, an update is none, and a deleted one leaves its place', async () => {
      expect((await deploy('few', 'a')).status).toBe(200)
      expect((await deploy('few', 'b')).status).toBe(200)
      const refused = await deploy('few', 'c')
      expect([refused.status, refused.json.error?.code]).toEqual([429, 'quota_exceeded'])
      expect(refused.json.error?.message).toContain('2 cron jobs')
      expect((await deploy('few', 'a', '1 0 29 2 *')).json).toMatchObject({ replaced: true })
      expect((await deploy('many', 'c')).status).toBe(200)
      expect((await lab.get(ann, '/v1/delete/cronjob/few/b')).status).toBe(200)
      expect((await deploy('few', 'c')).status).toBe(200)
    })

    test('each change of one is told, and the list says when it is due next', async () => {
      const heard: ChangeEvent[] = []
      const unsubscribe = lab.services.events.subscribe((event) => heard.push(event))
      const { json } = await deploy('many', 'told')
      await deploy('many', 'told', '1 0 29 2 *')
      await lab.system('schedule.suspend', { schedule: 'many/told' })
      await lab.system('schedule.resume', { schedule: 'many/told' })
      const listed = (await lab.system('schedule.list', { namespace: 'many' })) as { items: { name: string; next_at: string | null }[] }
      expect(listed.items.find(({ name }) => name === 'told')?.next_at).toMatch(/-02-29T00:01:00/)
      await lab.get(ann, '/v1/delete/cronjob/many/told')
      unsubscribe()
      const ours = heard.filter(({ kind, id }) => kind === 'schedule' && id === json.id)
      expect(ours.map(({ state }) => state)).toEqual(['created', 'updated', 'suspended', 'resumed', 'deleted'])
      expect(ours.every(({ name, resource_id: resource, data }) => name === 'told' && resource !== null && data?.namespace === 'many')).toBe(true)
    })
  })
}
