import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDeployLab } from '../../src/api/datatask/deploy-lab.suite.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { scheduleChanged } from '../../src/core/run/schedule.ts'
import { movedClock } from '../support/clock.ts'
import { startPostgres } from '../support/postgres.ts'
import type { DeployLab, Person } from '../../src/api/datatask/deploy-lab.suite.ts'

const postgres = await startPostgres({ durable: false })
const skip = 'missing' in postgres ? postgres.missing : null
const minute = 60_000

// Two whole servers over one database and one data folder, on a clock that both follow.
describe.skipIf(skip)(skip ? `cron jobs of two servers (skipped: ${skip})` : 'cron jobs of two servers', () => {
  const clock = movedClock(systemClock)
  let one: DeployLab
  let two: DeployLab
  let ann: Person

  beforeAll(async () => {
    if ('missing' in postgres) return
    const config = { databaseUrl: await postgres.database() }
    one = await openDeployLab({ clock, config, knobs: { behaviour: 'hang' } })
    two = await openDeployLab({ clock, config, folder: one.folder, knobs: { behaviour: 'hang' } })
    ann = await one.person('ann')
    await one.system('grant.set', { to: 'user:ann', on: 'namespace:shared', level: 'admin' })
  })
  afterAll(async () => {
    await two?.stop()
    await one?.close()
    if (!('missing' in postgres)) await postgres.stop()
  })

  const deploy = (lab: DeployLab, name: string, policy: string) => {
    const manifest = { type: 'job', name, cmd: ['x'], schedule: '* * * * *', 'concurrency-policy': policy, 'termination-grace-seconds': 1 }
    return lab.post(ann, '/v2/task/deploy/with-configuration', { namespace: 'shared', configuration: JSON.stringify(manifest) })
  }
  type Job = { id: string; name: string; state: string }
  const jobsOf = async (cron: string) => {
    const { jobs } = (await two.get(null, '/v1/list/tasks/shared')).json
    return (jobs as Job[]).filter(({ name }) => name.startsWith(`${cron}-`))
  }
  const step = () => {
    clock.move(minute - (clock.now() % minute) + 500)
    scheduleChanged(one.services.store)
    return Math.floor(clock.now() / minute)
  }

  test('an occurrence is one job, whichever of them looks first; what one deploys the other updates', async () => {
    const names = Array.from({ length: 12 }, (_, at) => `both-${String.fromCharCode(97 + at)}`)
    const first = await Promise.all(names.map((name, at) => deploy(at % 2 ? one : two, name, 'Allow')))
    expect(first.map(({ status }) => status)).toEqual(names.map(() => 200))
    const again = await deploy(two, 'both-a', 'Allow')
    expect(again.json).toMatchObject({ id: first[0]?.json.id, generation: 2, replaced: true })
    const slots = [step()]
    for (const name of names) await expect.poll(async () => (await jobsOf(name)).length, { timeout: 10_000 }).toBe(1)
    slots.push(step())
    for (const name of names) {
      await expect
        .poll(async () => (await jobsOf(name)).map((job) => job.name).sort(), { timeout: 10_000 })
        .toEqual(slots.map((slot) => `${name}-${slot}`))
    }
    for (const name of names) {
      const answer = await two.get(ann, `/v1/delete/cronjob/shared/${name}`)
      expect([...(answer.json.deleted_jobs as string[])].sort()).toEqual(slots.map((slot) => `${name}-${slot}`))
    }
    const { runs } = one.services.store.reader
    const active = async () => (await runs.page({ kinds: ['task'], active: true }, null, 'newest', { limit: 100, after: null })).items.length
    await expect.poll(active, { timeout: 15_000 }).toBe(0)
  }, 60_000)

  test('Forbid and Replace hold between them', async () => {
    await deploy(one, 'forbid', 'Forbid')
    await deploy(two, 'replace', 'Replace')
    const first = step()
    const running = async (cron: string) => (await jobsOf(cron)).filter(({ state }) => state === 'running').map(({ name }) => name)
    for (const cron of ['forbid', 'replace']) await expect.poll(() => running(cron), { timeout: 10_000 }).toEqual([`${cron}-${first}`])
    const second = step()
    await expect.poll(() => running('replace'), { timeout: 20_000 }).toEqual([`replace-${second}`])
    expect(await running('forbid')).toEqual([`forbid-${first}`])
    for (const name of ['forbid', 'replace']) await one.get(ann, `/v1/delete/cronjob/shared/${name}`)
  }, 60_000)

  test('of deploys of one new name at once on both, one makes it and the others update it', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, (_, at) => deploy(at % 2 ? one : two, 'race', 'Allow')))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1)
    expect(answers.filter(({ json }) => json.replaced === false)).toHaveLength(1)
    expect(answers.map(({ json }) => json.generation).sort()).toEqual([1, 2, 3, 4, 5, 6])
  })
})
