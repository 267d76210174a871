import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCounter } from '../support/counter.ts'
import { startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Counter } from '../support/counter.ts'
import type { Server } from '../support/server.ts'

const postgres = await startPostgres({ durable: false })
const skip = 'missing' in postgres ? postgres.missing : null

/** How soon another server goes on with the work of one that was killed. */
const takeOverMs = 10_000
const ends = ['succeeded', 'failed', 'cancelled', 'timed_out', 'lost']

// Two real programs over one database and one data folder, with real tasks, and a power cut for either of them.
describe.skipIf(skip)(skip ? `tasks of two servers (skipped: ${skip})` : 'tasks of two servers', () => {
  let one: Server
  let two: Server
  let counter: Counter

  beforeAll(async () => {
    if ('missing' in postgres) return
    counter = await startCounter()
    const environment = { CAPSTAN_DATABASE_URL: await postgres.database(), CAPSTAN_UNSANDBOXED: 'allow' }
    one = await startServer({ environment })
    two = await startServer({ environment: { ...environment, CAPSTAN_DATA: one.data } })
  }, 60_000)
  afterAll(async () => {
    await one?.close()
    await two?.close()
    await counter?.close()
    if (!('missing' in postgres)) await postgres.stop()
  }, 60_000)

  const deploy = async (server: Server, configuration: { name: string; [key: string]: unknown }) =>
    (await server.admin.ok('task.deploy', { namespace: 'shared', configuration: { 'termination-grace-seconds': 0, ...configuration } })).id as string
  const job = (name: string, script: string) => ({ type: 'job', name, cmd: ['/bin/sh', '-c', script] })
  const stateOf = async (server: Server, run: string) => (await server.admin.ok('run.get', { run })).state as string
  const instances = async (server: Server) => {
    const { items } = await server.admin.ok('run.list', { kind: 'replica', active: true, limit: 100 })
    return (items as { id: string }[]).map(({ id }) => id).sort()
  }
  const deploymentState = async (server: Server, name: string) => {
    const { items } = await server.admin.ok('task.list', { namespace: 'shared', type: 'deployment' })
    return (items as { name: string; state: string }[]).find((item) => item.name === name)?.state
  }

  test('each job that either of them accepts runs once, and one occurrence of a cron job is one job, whoever starts it', async () => {
    const names = Array.from({ length: 20 }, (_, at) => `once-${at}`)
    const ids = await Promise.all(names.map((name, at) => deploy(at % 2 ? one : two, job(name, counter.hit(name)))))
    for (const [at, id] of ids.entries()) {
      await until(`${id} has ended`, async () => ends.includes(await stateOf(at % 2 ? two : one, id)))
      expect([await stateOf(one, id), counter.visits(names[at] ?? '')]).toEqual(['succeeded', 1])
    }
    const schedule = await deploy(one, { ...job('cron', counter.hit('cron')), schedule: '0 0 1 1 *' })
    const occur = (server: Server) => server.admin.ok('schedule.start-occurrence', { schedule, minute: 29_000_000 })
    const outcomes = await Promise.all([one, two, one, two, one, two].map(occur))
    expect(new Set(outcomes.map(({ run }) => run)).size).toBe(1)
    await until('the job has ended', async () => ends.includes(await stateOf(two, outcomes[0].run)))
    expect(counter.visits('cron')).toBe(1)
  }, 60_000)

  test.each([
    ['the first', () => [one, two] as const],
    ['the second', () => [two, one] as const],
  ])(
    'when %s is killed, the other goes on with its jobs and its instances: nothing is lost and nothing done twice',
    async (which, servers) => {
      const [victim, other] = servers()
      const mark = which.replace(' ', '-')
      const names = Array.from({ length: 8 }, (_, at) => `${mark}-${at}`)
      const ids = await Promise.all(
        names.map((name, at) => deploy(at % 4 ? victim : other, job(name, `${counter.hit(name)} && ${counter.gate(mark)}`))),
      )
      const app = await deploy(victim, { type: 'deployment', name: `app-${mark}`, replicas: 2, cmd: ['/bin/sh', '-c', 'while :; do sleep 1; done'] })
      await until('the instances run', async () => (await deploymentState(other, `app-${mark}`)) === 'running')
      await until('the jobs run', () => names.every((name) => counter.visits(name) === 1))
      const before = await instances(other)
      expect(before.length).toBeGreaterThanOrEqual(2)

      await victim.kill()
      const began = performance.now()
      counter.open(mark)
      await until('the jobs have ended', async () => (await Promise.all(ids.map((id) => stateOf(other, id)))).every((state) => ends.includes(state)))
      const took = performance.now() - began
      expect(await Promise.all(ids.map((id) => stateOf(other, id)))).toEqual(ids.map(() => 'succeeded'))
      expect(names.map((name) => counter.visits(name))).toEqual(names.map(() => 1))
      expect(took).toBeLessThan(takeOverMs)

      // Instances were not touched, and somebody looks after them.
      expect(await instances(other)).toEqual(before)
      await deploy(other, { type: 'deployment', name: `app-${mark}`, replicas: 1, cmd: ['/bin/sh', '-c', 'while :; do sleep 1; done'] })
      await until('the next generation', async () => {
        const now = await instances(other)
        return now.length === before.length - 1 && (await deploymentState(other, `app-${mark}`)) === 'running'
      })
      expect(performance.now() - began).toBeLessThan(2 * takeOverMs)
      await other.admin.ok('task.delete', { namespace: 'shared', name: `app-${mark}`, type: 'deployment' })
      await until('they are gone', async () => (await instances(other)).length === before.length - 2)
      expect(app).toBeTruthy()
      await victim.start()
    },
    90_000,
  )
})
