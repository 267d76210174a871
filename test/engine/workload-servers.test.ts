import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDeployLab } from '../../src/api/datatask/deploy-lab.suite.ts'
import { startPostgres } from '../support/postgres.ts'
import type { DeployLab, Person } from '../../src/api/datatask/deploy-lab.suite.ts'

const postgres = await startPostgres({ durable: false })
const skip = 'missing' in postgres ? postgres.missing : null

// Two whole servers over one database and one data folder: one of them keeps instances alive, whichever was asked.
describe.skipIf(skip)(skip ? `deployments of two servers (skipped: ${skip})` : 'deployments of two servers', () => {
  let one: DeployLab
  let two: DeployLab
  let ann: Person

  beforeAll(async () => {
    if ('missing' in postgres) return
    const config = { databaseUrl: await postgres.database() }
    one = await openDeployLab({ config, knobs: { behaviour: 'hang' } })
    two = await openDeployLab({ config, folder: one.folder, knobs: { behaviour: 'hang' } })
    ann = await one.person('ann')
    await one.system('grant.set', { to: 'user:ann', on: 'namespace:shared', level: 'admin' })
  }, 30_000)
  afterAll(async () => {
    await two?.close()
    if (!('missing' in postgres)) await postgres.stop()
  })

  const deploy = async (lab: DeployLab, name: string, replicas: number) => {
    const manifest = { type: 'deployment', name, cmd: ['x'], replicas, 'termination-grace-seconds': 1 }
    const { json, text } = await lab.post(ann, '/v2/task/deploy/with-configuration', { namespace: 'shared', configuration: JSON.stringify(manifest) })
    expect(json.type, text).toBe('deployment')
    return json
  }
  const activeOf = async (id: unknown) => (await two.services.store.reader.runs.childrenOf(String(id))).filter((run) => run.active)

  test('each instance is started once, whichever server is asked, and a change through the other is followed', async () => {
    const made = await Promise.all(Array.from({ length: 6 }, (_, at) => deploy(at % 2 ? one : two, `app-${at}`, 2)))
    for (const { id } of made) {
      await two.until(`/v1/task/state/${id}`, ['running'])
      expect(await activeOf(id)).toHaveLength(2)
    }
    expect((await deploy(two, 'app-0', 1)).id).toBe(made[0]?.id)
    await expect.poll(async () => (await activeOf(made[0]?.id)).length, { timeout: 10_000 }).toBe(1)
    expect((await two.get(ann, '/v1/delete/deployment/shared/app-1')).status).toBe(200)
    await expect.poll(async () => (await activeOf(made[1]?.id)).length, { timeout: 10_000 }).toBe(0)
  }, 30_000)

  test('when the one that did it stops, the other goes on', async () => {
    await one.stop()
    const { id } = await deploy(two, 'later', 1)
    await expect.poll(async () => (await two.get(null, `/v1/task/state/${id}`)).json.state, { timeout: 15_000 }).toBe('running')
  }, 30_000)
})
