import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCounter } from '../support/counter.ts'
import { gitUrl, pushTree, shellTask } from '../support/git.ts'
import { holdBranch } from '../support/held-branch.ts'
import { startServer } from '../support/server.ts'
import { openSmallDisk } from '../support/small-disk.ts'
import { until } from '../support/until.ts'
import type { Reply } from '../support/client.ts'
import type { Counter } from '../support/counter.ts'
import type { HeldBranch } from '../support/held-branch.ts'
import type { Server } from '../support/server.ts'

// The real program on a disk that is really full: it says so, promises nothing that it cannot keep, and goes on by itself when there is room.
const disk = await openSmallDisk(48 * 1024 * 1024)
const skip = 'missing' in disk ? disk.missing : null

describe.skipIf(skip)(skip ? `a full disk (skipped: ${skip})` : 'a full disk', () => {
  if ('missing' in disk) return
  let server: Server
  let counter: Counter
  let repository: string
  /** Ids of what was acknowledged. */
  const kept = new Map<string, string>()
  const refused = new Set<string>()
  const began: Record<string, string> = {}
  let held: HeldBranch

  beforeAll(async () => {
    counter = await startCounter()
    server = await startServer({ environment: { CAPSTAN_DATA: join(disk.path, 'data') }, wrap: disk.wrap })
    repository = (await server.admin.ok('repository.create', { path: 'full', private: false })).id
    const tree = shellTask('hello', counter.hit('hello'))
    const pipeline = {
      name: 'line',
      tasks: [
        { name: 'held', namespacetask: 'full/held' },
        { name: 'after', namespacetask: 'full/hello', dependance: ['held'] },
      ],
    }
    const held = shellTask('held', `trap '' TERM\n${counter.hit('held')}\n${counter.gate('held')}`, { 'termination-grace-seconds': 1 })
    const talks = shellTask('talks', `echo before\n${counter.gate('talks')}\necho after\nexit 7`)
    const { code, err } = await pushTree(gitUrl(server.url, 'full', server.admin), { ...tree, ...held, ...talks, 'line/pipeline.json': pipeline })
    if (code !== 0) throw new Error(err)
  })
  afterAll(async () => {
    disk.free()
    await server?.close()
    await counter?.close()
    await disk.close()
  }, 30_000)

  const get = (path: string) => server.admin.get(path)
  const deploy = (configuration: object, headers: Record<string, string> = {}) =>
    server.admin.request('POST', '/v2/task/deploy/with-configuration', {
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ namespace: 'full', configuration }),
    })
  // It starts nothing for months, so all that it needs is its record.
  const cron = (name: string) =>
    deploy({
      type: 'job',
      name,
      schedule: '0 0 1 1 *',
      cmd: ['/bin/true'],
      env: [{ name: 'PADDING', value: 'x'.repeat(30_000) }],
    })
  const expectRefusal = ({ status, json, headers }: Reply) => {
    expect([status, json.error?.code]).toEqual([503, 'store_unavailable'])
    expect(json.error).toMatchObject({ message: expect.any(String), request_id: expect.any(String), details: {} })
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  }
  const cronNames = async () => ((await get('/v1/list/tasks/full')).json.cronJobs as { name: string }[]).map(({ name }) => name).sort()
  const ready = async () => (await server.nobody.get('/readyz')).status
  const load = (directory: string) => server.nobody.request('POST', `/v2/task/load/configuration/from-git/full/${directory}`)
  const loading = async () => (await server.nobody.get(`/v2/task/get/configuration-loading-state/${began.loading}`)).json

  test('is said with 503 by every route that has to write, and nothing is half done', async () => {
    began.talks = (await get('/v1/task/deploy/full/talks')).json.id
    began.line = (await get('/v1/pipeline/runas/full/line/line')).json.id
    await until('both run', () => counter.visits('held') === 2 && counter.visits('talks') === 1)
    held = holdBranch(join(disk.seen, 'data/repositories', `${repository}.git`))
    began.loading = (await load('hello')).json.work_id
    await until('it is being loaded', async () => (await loading()).step === 'fetching')
    disk.fill()
    // There may be room in files that the store has: it takes what fits and refuses what does not.
    for (let at = 0; refused.size < 3; at++) {
      const name = `cron-${at}`
      const answer = await cron(name)
      if (answer.status === 200) kept.set(name, answer.json.id)
      else {
        expectRefusal(answer)
        refused.add(name)
      }
      if (at > 500) throw new Error('The disk does not become full')
    }
    disk.fill()
    expectRefusal(await load('talks'))
    expect(await ready()).toBe(503)
    held.release()
    for (const path of [
      '/v1/task/deploy/full/hello',
      '/v1/pipeline/runas/full/line/other',
      `/v1/pipeline/kill/${began.line}`,
      `/v1/delete/job/full/talks`,
    ])
      expectRefusal(await get(path))
    expectRefusal(await deploy({ type: 'service', name: 'web', 'container-port': 80, cmd: ['/bin/sleep', '100'] }, { 'idempotency-key': 'web' }))
    expect((await pushTree(gitUrl(server.url, 'full', server.admin), shellTask('hello', 'exit 1'))).code).not.toBe(0)
    // What is only read goes on.
    expect((await server.nobody.get('/healthz')).status).toBe(200)
    expect(await cronNames()).toEqual([...kept.keys()].sort())
    expect((await get(`/v1/pipeline/state/full/${began.line}`)).json.state).toBe('running')
    expect((await get('/v1/list/pipelines/full')).json.pipelines).toHaveLength(1)
  }, 60_000)

  test('loses no end of what went on meanwhile', async () => {
    counter.open('talks')
    await until('it has ended', () => readdirSync(join(disk.seen, 'data/work', `${began.talks}-0-1`)).includes('exit.tmp'))
    disk.free()
    const state = await until('its end is told', async () => {
      const { json } = await get(`/v1/task/state/${began.talks}`)
      return json.state === 'running' ? null : json
    })
    expect(state).toMatchObject({ state: 'failed', reason: 'exit_nonzero', exit_code: 7 })
    expect((await get(`/api/v1/runs/${began.talks}/log`)).text).toMatch(/^before\n(after\n)?/)
    await until('the loading has ended', async () => (await loading()).state === 'succeeded')
    expect(await loading()).toMatchObject({ step: 'done', configuration: { name: 'hello' } })
  }, 30_000)

  test('needs no restart when there is room again, and what was refused can be repeated', async () => {
    await until('it is ready', async () => (await ready()) === 200)
    for (const name of refused) kept.set(name, (await cron(name)).json.id)
    const headers = { 'idempotency-key': 'web' }
    const web = { type: 'service', name: 'web', 'container-port': 80, cmd: ['/bin/sleep', '100'], replicas: 0 }
    expect((await deploy(web, headers)).status).toBe(200)
    const hello = (await get('/v1/task/deploy/full/hello')).json.id
    await until('it ran', async () => (await get(`/v1/task/state/${hello}`)).json.state === 'succeeded')
    expect(counter.visits('hello')).toBe(1)
    expect((await get(`/v1/pipeline/kill/${began.line}`)).json).toMatchObject({ accepted: true, state: 'killing' })
    await until('the pipeline was killed', async () => (await get(`/v1/pipeline/state/full/${began.line}`)).json.state === 'killed')
  }, 60_000)

  test('has taken nothing that was acknowledged, over a sudden end as well', async () => {
    disk.fill()
    for (let at = 0; at < 3; at++) {
      const answer = await cron(`last-${at}`)
      if (answer.status === 200) kept.set(`last-${at}`, answer.json.id)
    }
    await server.kill()
    disk.free()
    await server.start()
    expect(await cronNames()).toEqual([...kept.keys()].sort())
    for (const id of kept.values()) expect((await get(`/v1/task/state/${id}`)).json.id).toBe(id)
  }, 60_000)
})
