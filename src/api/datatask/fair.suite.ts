import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FakeKnobs } from '../../ports/runtime.ts'
import type { DeployLab, Labs, Person } from './deploy-lab.suite.ts'

const places = 8
const crowd = 5000

/** Who has to wait, for how long, and what it is told. */
export function fairSuite({ store, open }: Labs): void {
  describe(`waiting over ${store}`, () => {
    describe('few places and many jobs of 100 ms', () => {
      let lab: DeployLab
      let ann: Person

      beforeAll(async () => {
        lab = await open({ config: { maxRunningPerTarget: places, openRoutes: 'all' }, knobs: { durationMs: 100 } })
        ann = await lab.person('ann', { administrator: true })
      })
      afterAll(() => lab.close())

      const deploy = (namespace: string, name: string) =>
        lab.as<{ id: string }>(ann.principal, 'task.deploy', { namespace, configuration: { type: 'job', name, cmd: ['x'] } })
      const waiting = async () => {
        const filter = { kinds: ['task'], namespace: 'crowd', active: true }
        return (await lab.services.store.reader.runs.page(filter, null, 'newest', { limit: 2 * crowd, after: null })).items.length
      }

      test(`${crowd} queued in one namespace hold up the first job of another by less than a second`, async () => {
        let count = 0
        // What ended while the others were still on their way comes again.
        for (let missing = crowd; missing > 100; missing = crowd - (await waiting())) {
          const names = Array.from({ length: missing }, () => `j${++count}`)
          while (names.length > 0) await Promise.all(names.splice(0, 250).map((name) => deploy('crowd', name)))
        }
        for (const name of ['one', 'two', 'three']) {
          const began = performance.now()
          const { id } = await deploy(name, name)
          await lab.until(`/v1/task/state/${id}`, ['running', 'succeeded'], ann)
          expect(performance.now() - began).toBeLessThan(1000)
        }
        expect(await waiting()).toBeGreaterThan(0.9 * crowd)
      }, 120_000)
    })

    test.each<[string, FakeKnobs, object, Record<string, unknown>]>([
      ['its program fails', { exitCode: 3 }, {}, { state: 'failed', reason: 'exit_nonzero', exit_code: 3, attempt: 1, max_attempts: 1 }],
      ['it cannot be started', { behaviour: 'refuse' }, {}, { state: 'failed', reason: 'start_failed', message: expect.any(String) }],
      ['it vanishes', { behaviour: 'crash' }, {}, { state: 'failed', reason: 'lost', exit_code: null }],
      ['it takes too long', { behaviour: 'hang' }, { 'timeout-seconds': 1 }, { state: 'failed', reason: 'timeout' }],
      ['its next attempt is due later', { failFirst: 9 }, { retries: 1 }, { state: 'starting', reason: 'retry_wait', attempt: 1, max_attempts: 2 }],
      [
        'it vanished and is repeated',
        { behaviour: 'crash' },
        { retries: 2 },
        { state: 'starting', reason: 'retry_wait', attempt: 1, max_attempts: 3 },
      ],
    ])('a job says why when %s', async (_, knobs, more, state) => {
      const lab = await open({ knobs })
      try {
        const ann = await lab.person('ann', { administrator: true })
        const configuration = JSON.stringify({ type: 'job', name: 'x', cmd: ['x'], 'termination-grace-seconds': 0, ...more })
        const { json } = await lab.post(ann, '/v2/task/deploy/with-configuration', { namespace: 'lab', configuration })
        expect(await lab.when(`/v1/task/state/${json.id}`, ({ reason }) => reason === state.reason, String(state.reason))).toMatchObject(state)
        await lab.get(ann, '/v1/delete/job/lab/x')
      } finally {
        await lab.close()
      }
    })
  })
}
