import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DeployLab, Labs, Person } from './deploy-lab.suite.ts'

/** Deployments and services as real programs, kept alive by the one engine. */
export function workloadSuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: deployments and services`, () => {
    let lab: DeployLab
    let ann: Person

    const server = `
const http = require('node:http')
http.createServer((request, response) => response.end(process.env.SAYS + ' ' + request.url)).listen(Number(process.env.PORT), '127.0.0.1')
`
    const node = process.execPath
    const service = (more: object = {}) => ({
      type: 'service',
      cmd: [node, '/code/server.js'],
      'container-port': 8080,
      env: [{ name: 'SAYS', value: 'one' }],
      'termination-grace-seconds': 1,
      ...more,
    })

    beforeAll(async () => {
      lab = await open({ config: { defaultRuntime: 'process', unsandboxed: 'allow' } })
      ann = await lab.person('ann')
      await lab.repository('weather', { 'web/manifest.json': service({ name: 'web' }), 'web/code/server.js': server }, { owner: ann.principal })
    })
    afterAll(() => lab.close())

    const deploy = (manifest: object, namespace = 'weather') =>
      lab.post(ann, '/v2/task/deploy/with-configuration', {
        namespace,
        configuration: JSON.stringify(manifest),
        repository: 'weather',
        directory: 'web',
      })
    const deployment = (name: string, script: string, more: object = {}) => ({
      type: 'deployment',
      name,
      cmd: ['/bin/sh', '-c', script],
      'termination-grace-seconds': 1,
      ...more,
    })
    const listed = async (kind: 'deployments' | 'services', name: string) =>
      ((await lab.get(null, '/v1/list/tasks/weather')).json[kind] as Record<string, unknown>[]).find((item) => item.name === name)
    const podsOf = async (id: unknown) =>
      ((await lab.get(null, '/v1/list/pods/weather')).json.pods as Record<string, unknown>[]).filter((pod) => pod.task_id === id)
    const replicaRuns = async (id: unknown) => (await lab.services.store.reader.runs.childrenOf(String(id))).filter((run) => run.active)

    test('a deployment keeps its instances alive, is updated in place, and is gone with its record', async () => {
      const first = await deploy(deployment('worker', 'while :; do sleep 1; done', { replicas: 2 }))
      expect(first.status).toBe(200)
      expect(first.json).toMatchObject({ type: 'deployment', state: 'pending', generation: 1, replaced: false })
      const { id } = first.json
      expect(await lab.until(`/v1/task/state/${id}`, ['running'])).toMatchObject({ replicas: 2, ready_replicas: 2, reason: null, attempt: 1 })
      const pods = await podsOf(id)
      expect(pods.map((pod) => [pod.phase, pod.ready, pod.owner])).toEqual(Array(2).fill(['Running', true, { kind: 'deployment', name: 'worker' }]))
      expect(String(pods[0]?.name)).toMatch(/^worker-[a-z0-9]{5}$/)

      const again = await deploy(deployment('worker', 'while :; do sleep 1; done', { replicas: 1 }))
      expect(again.json).toMatchObject({ id, generation: 2, replaced: true, state: 'pending' })
      await lab.when(`/v1/task/state/${id}`, (state) => state.state === 'running' && state.replicas === 1, 'the new generation')
      await expect.poll(async () => (await replicaRuns(id)).length, { timeout: 8000 }).toBe(1)
      expect(await listed('deployments', 'worker')).toMatchObject({ id, replicas: 1, ready_replicas: 1, service: null, state: 'running' })

      const none = await deploy(deployment('worker', 'true', { replicas: 0 }))
      expect(none.json.id).toBe(id)
      await expect.poll(async () => (await replicaRuns(id)).length, { timeout: 8000 }).toBe(0)
      expect((await lab.get(null, `/v1/task/state/${id}`)).json).toMatchObject({ state: 'running', replicas: 0, ready_replicas: 0 })

      const removed = await lab.get(ann, '/v1/delete/deployment/weather/Worker')
      expect(removed.json).toEqual({ kind: 'deployment', namespace: 'weather', name: 'worker', id, deleted: true })
      const state = await lab.get(null, `/v1/task/state/${id}`)
      expect([state.status, state.json.error?.code]).toEqual([404, 'task_not_found'])
      const twice = await lab.get(ann, '/v1/delete/deployment/weather/worker')
      expect([twice.status, twice.json.error?.code]).toEqual([404, 'deployment_not_found'])
    })

    test('an instance that ends is started again after a pause, and meanwhile the deployment is degraded and says why', async () => {
      const { json } = await deploy(deployment('flaky', 'exit 3'))
      const state = await lab.until(`/v1/task/state/${json.id}`, ['degraded'])
      expect(state).toMatchObject({ reason: 'exit_nonzero', exit_code: 3, ready_replicas: 0 })
      expect((await lab.get(ann, '/v1/delete/deployment/weather/flaky')).status).toBe(200)
    })

    test('a generation that never gets ready leaves the one before at work', async () => {
      const { json } = await deploy(deployment('careful', 'while :; do sleep 1; done'))
      await lab.until(`/v1/task/state/${json.id}`, ['running'])
      const [before] = await replicaRuns(json.id)
      await deploy(deployment('careful', 'exit 1'))
      expect(await lab.until(`/v1/task/state/${json.id}`, ['degraded'])).toMatchObject({ generation: 2, ready_replicas: 1 })
      expect((await replicaRuns(json.id)).map((run) => run.id)).toEqual([before?.id])
      await lab.get(ann, '/v1/delete/deployment/weather/careful')
      await expect.poll(async () => (await replicaRuns(json.id)).length, { timeout: 8000 }).toBe(0)
    })

    test('each instance of a service has a port of its own and is ready when it answers there; its deployment is listed and goes with it', async () => {
      const { json, text } = await deploy(service({ name: 'web', replicas: 2 }))
      expect(json.type, text).toBe('service')
      expect(await lab.until(`/v1/task/state/${json.id}`, ['running'])).toMatchObject({ replicas: 2, ready_replicas: 2 })
      const item = await listed('services', 'web')
      expect(item).toMatchObject({ deployment: 'web', container_port: 8080, url: null, published: null })
      expect(await (await fetch(`${item?.internal_url}/today`)).text()).toBe('one /today')
      const ports = (await replicaRuns(json.id)).map((run) => run.spec.port)
      expect(new Set(ports).size).toBe(2)
      expect(await listed('deployments', 'web')).toMatchObject({ service: 'web', replicas: 2 })

      const backs = await lab.get(ann, '/v1/delete/deployment/weather/web')
      expect([backs.status, backs.json.error?.code]).toEqual([409, 'deployment_backs_service'])
      const conflict = await deploy(deployment('web', 'true'))
      expect([conflict.status, conflict.json.error?.code]).toEqual([409, 'type_conflict'])
      const removed = await lab.get(ann, '/v1/delete/service/weather/web')
      expect(removed.json).toEqual({ kind: 'service', namespace: 'weather', name: 'web', id: json.id, deleted: true, deleted_deployment: 'web' })
      await expect.poll(async () => (await replicaRuns(json.id)).length, { timeout: 8000 }).toBe(0)
      expect((await lab.get(ann, '/v1/delete/service/weather/web')).json.error?.code).toBe('service_not_found')
    })

    test('a deploy with an Idempotency-Key is done once', async () => {
      const headers = { 'idempotency-key': 'once', 'content-type': 'application/json' }
      const payload = JSON.stringify({ namespace: 'weather', configuration: deployment('once', 'while :; do sleep 1; done') })
      const send = () => lab.request(ann, 'POST', '/v2/task/deploy/with-configuration', { headers, payload })
      const [first, second] = [await send(), await send()]
      expect(second.text).toBe(first.text)
      expect(second.headers['idempotency-replayed']).toBe('true')
      await lab.get(ann, '/v1/delete/deployment/weather/once')
    })

    test('a prefix that meets that of another service, or a group that is not there, is a problem of the manifest', async () => {
      const published = (prefix: string, more: object = {}) => ({ published: { prefix, ...more } })
      expect((await deploy(service({ name: 'front', replicas: 0, ...published('/front/') }))).status).toBe(200)
      for (const prefix of ['/front/', '/front/inner/']) {
        const met = await deploy(service({ name: 'other', replicas: 0, ...published(prefix, { access: 'nobody-here' }) }))
        expect(met.status).toBe(422)
        const problems = met.json.error?.details.problems as { path: string }[]
        expect(problems.map((problem) => problem.path)).toEqual(['/published/access', '/published/prefix'])
      }
      expect((await deploy(service({ name: 'front', replicas: 0, ...published('/front/') }))).json).toMatchObject({ generation: 2, replaced: true })
      await lab.get(ann, '/v1/delete/service/weather/front')
    })

    test('who may not write the namespace can neither deploy over a deployment nor delete it', async () => {
      const eve = await lab.person('eve')
      const { json } = await deploy(deployment('mine', 'while :; do sleep 1; done'))
      const taken = await lab.post(eve, '/v2/task/deploy/with-configuration', {
        namespace: 'weather',
        configuration: JSON.stringify(deployment('mine', 'true')),
      })
      expect(taken.status).toBe(403)
      expect((await lab.get(eve, '/v1/delete/deployment/weather/mine')).status).toBe(403)
      expect((await lab.get(null, '/v1/delete/deployment/weather/mine')).status).toBe(401)
      expect((await lab.get(null, `/v1/task/state/${json.id}`)).json.generation).toBe(1)
      await lab.get(ann, '/v1/delete/deployment/weather/mine')
    })
  })
}
