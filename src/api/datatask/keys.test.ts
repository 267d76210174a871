import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../../test/support/server.ts'
import { until } from '../../../test/support/until.ts'
import { manifestSchema, pipelineSchema, publishedSchema } from '../../core/deploy/manifest-schema.ts'
import { openDeployLab } from './deploy-lab.suite.ts'
import type { Work } from '../../ports/runtime.ts'
import type { Answer, DeployLab, Person } from './deploy-lab.suite.ts'

// Every key of manifest.json and pipeline.json, and what is different because of it. A key that nothing depends on is a defect.

/** The keys of the contract (§6.1, §7.1), written down anew. */
const manifestKeys = [
  ...['type', 'name', 'labels', 'image-destination', 'image', 'image-pull-policy', 'cmd', 'args'],
  ...['env', 'env[].name', 'env[].value', 'env[].valueFrom', 'env[].valueFrom.secretKeyRef'],
  ...['name', 'key', 'optional'].map((member) => `env[].valueFrom.secretKeyRef.${member}`),
  ...['cpu-limit', 'cpu-request', 'memory-limit', 'memory-request', 'schedule', 'replicas', 'container-port'],
  ...['published', 'published.access', 'published.prefix', 'published.rewrite', 'published.timeout_ms', 'published.sticky_sessions'],
  ...['published.bypass_auth', 'retries', 'timeout-seconds', 'termination-grace-seconds', 'concurrency-policy'],
]
const pipelineKeys = [
  ...['name', 'original', 'tasks', 'tasks[].name', 'tasks[].namespacetask', 'tasks[].dependance', 'tasks[].run-if-error'],
  ...['tasks[].env', 'tasks[].env[].name', 'tasks[].env[].value'],
]

/** A lab whose work is only noted down, and never ends by itself. */
let lab: DeployLab
/** One whose services are programs behind a gateway. */
let web: DeployLab
let gateway: string
let ann: Person
let eve: Person
let webAnn: Person
let ownAddress: string

const echo = `
require('node:http')
  .createServer((request, response) => request.url.endsWith('/slow') || response.end(request.url))
  .listen(Number(process.env.PORT), '127.0.0.1')`

beforeAll(async () => {
  lab = await openDeployLab({ config: { cpuCapacity: 2, memoryCapacityBytes: 2 ** 30 }, knobs: { behaviour: 'hang' } })
  ann = await lab.person('ann', { administrator: true })
  await lab.repository(
    'keys',
    {
      'one/manifest.json': {
        type: 'job',
        cmd: ['x'],
        env: [
          { name: 'A', value: 'of the manifest' },
          { name: 'B', value: 'kept' },
        ],
      },
      'one/code/Dockerfile': 'FROM scratch',
      'two/manifest.json': { type: 'job', cmd: ['x'] },
      'two/code/run.sh': 'true',
      'report/pipeline.json': { name: 'report', tasks: [{ name: 'only', namespacetask: 'keys/one' }] },
    },
    { owner: ann.principal },
  )
  await lab.system('secret.set', { name: 'db', key: 'password', value: 'one two three', scope: 'namespace:keys' })

  const port = await freePort()
  gateway = `http://127.0.0.1:${port}`
  web = await openDeployLab({ config: { defaultRuntime: 'process', unsandboxed: 'allow', gatewayPort: port, gatewayUrl: gateway } })
  webAnn = await web.person('ann', { administrator: true })
  eve = await web.person('eve')
  await web.system('group.create', { name: 'analysts' })
  await web.system('group.add-member', { group: 'analysts', user: 'ann' })
  const service = (name: string, published: object) =>
    web.post(webAnn, '/v2/task/deploy/with-configuration', {
      namespace: 'keys',
      configuration: JSON.stringify({
        ...{ type: 'service', name, cmd: [process.execPath, '-e', echo], 'container-port': 80, 'termination-grace-seconds': 1 },
        published,
      }),
    })
  const made = [
    await service('open', { prefix: '/open/', rewrite: '/base', bypass_auth: true }),
    await service('closed', { prefix: '/closed/', access: 'analysts', timeout_ms: 300, sticky_sessions: true }),
    await service('inside', {}),
  ]
  for (const { json } of made) await web.until(`/v1/task/state/${json.id}`, ['running'])
  const { services } = (await web.get(null, '/v1/list/tasks/keys')).json
  ownAddress = (services as { name: string; internal_url: string }[]).find(({ name }) => name === 'inside')?.internal_url ?? ''
  await until('the gateway leads to both', async () => (await visit('/open/')).status === 200 && (await visit('/closed/', webAnn)).status === 200)
}, 60_000)
afterAll(() => Promise.all([lab?.close(), web?.close()]))

let count = 0
const post = (manifest: object, more: Record<string, string> = {}) =>
  lab.post(ann, '/v2/task/deploy/with-configuration', {
    namespace: 'keys',
    configuration: JSON.stringify({ type: 'job', name: `k${++count}`, cmd: ['x'], ...manifest }),
    ...more,
  })
const deploy = async (manifest: object, more: Record<string, string> = {}): Promise<Answer> => {
  const answer = await post(manifest, more)
  expect(answer.status, answer.text).toBe(200)
  return answer
}
const remove = ({ json: { namespace, name, type } }: Answer) => lab.system('task.delete', { namespace, name, type })
const problemsOf = ({ json }: Answer) =>
  ((json.error?.details.problems ?? []) as { path: string; code: string }[]).map(({ path, code }) => [path, code])
/** What the runtime was asked to start for a task. */
const startedFor = (id: unknown): Promise<Work> =>
  until(`the start of ${id}`, () => lab.runtime.started.find(({ labels }) => labels['deploy-api/task-id'] === id))
async function workOf(manifest: object, more: Record<string, string> = {}): Promise<Work> {
  const answer = await deploy(manifest, more)
  const work = await startedFor(answer.json.id)
  await remove(answer)
  return work
}
async function stateOf(manifest: object, states: readonly string[]): Promise<Record<string, unknown>> {
  const answer = await deploy(manifest)
  const state = await lab.until(`/v1/task/state/${answer.json.id}`, states)
  await remove(answer)
  return state
}
async function listedAs(kind: string, manifest: object): Promise<Record<string, unknown> | undefined> {
  const answer = await deploy(manifest)
  const list = (await lab.get(null, '/v1/list/tasks/keys')).json[kind] as Record<string, unknown>[]
  await remove(answer)
  return list.find(({ id }) => id === answer.json.id)
}
const secret = (secretKeyRef: object) => ({ env: [{ name: 'A', valueFrom: { secretKeyRef } }] })
const visit = (path: string, who: Person | null = null) =>
  fetch(gateway + path, { redirect: 'manual', ...(who && { headers: { authorization: `Bearer ${who.key}` } }) })
/** How the second occurrence of a cron job goes while the first one runs. */
async function second(policy: string | undefined) {
  const answer = await deploy({
    schedule: '0 0 1 1 *',
    ...(policy !== undefined && { 'concurrency-policy': policy }),
    'termination-grace-seconds': 0,
  })
  const occur = (minute: number) =>
    lab.system<{ outcome: string; run: string }>('schedule.start-occurrence', { schedule: String(answer.json.id), minute })
  const first = await occur(29_000_000)
  await lab.until(`/v1/task/state/${first.run}`, ['running'])
  const { outcome } = await occur(29_000_001)
  const { state } = (await lab.get(null, `/v1/task/state/${first.run}`)).json
  await remove(answer)
  return [outcome, outcome === 'blocked' ? 'stopped' : state]
}

const service = { type: 'service', 'container-port': 8080, 'termination-grace-seconds': 0 }

type Effect = readonly [seen: () => Promise<unknown>, is: unknown]
const effects: Record<string, Effect> = {
  type: [
    async () =>
      [await listedAs('jobs', {}), await listedAs('deployments', { type: 'deployment' }), await listedAs('services', service)].every(Boolean),
    true,
  ],
  name: [async () => (await listedAs('jobs', { name: 'My_Name' }))?.name, 'my-name'],
  labels: [
    async () => [
      (await workOf({ labels: 'app:x, tier:y' })).labels,
      (await listedAs('jobs', { labels: { app: 'z' } }))?.labels,
      (await listedAs('jobs', { labels: '' }))?.labels,
    ],
    [
      expect.objectContaining({ app: 'x', tier: 'y', 'deploy-api/managed': 'true' }),
      { app: 'z', 'deploy-api/managed': 'true', 'deploy-api/task-id': expect.any(String) },
      { 'deploy-api/managed': 'true', 'deploy-api/task-id': expect.any(String) },
    ],
  ],
  'image-destination': [
    async () => {
      const manifest = { 'image-destination': 'registry.test/a:1' }
      const codes = [await post(manifest), await post(manifest, { repository: 'keys', directory: 'two' })].map(({ json }) => json.error?.code)
      // Where nothing builds images the files themselves run (§13).
      const configuration = JSON.stringify({ type: 'job', name: 'files', cmd: ['/bin/true'], ...manifest })
      await web.repository('files', { 'one/code/Dockerfile': 'FROM scratch' }, { owner: webAnn.principal })
      const fields = { namespace: 'keys', configuration, repository: 'files', directory: 'one' }
      return [...codes, (await web.post(webAnn, '/v2/task/deploy/with-configuration', fields)).json.image]
    },
    ['source_required', 'dockerfile_not_found', 'registry.test/a:1'],
  ],
  image: [async () => (await workOf({ image: 'registry.test/a:1' })).image, 'registry.test/a:1'],
  'image-pull-policy': [
    async () => {
      const given = ['Always', 'IfNotPresent', 'Never'].map((policy) => ({ image: 'a:1', 'image-pull-policy': policy }))
      const left = ['a', 'a:latest', 'localhost:5000/a', 'a:1', `a@sha256:${'0'.repeat(64)}`].map((image) => ({ image }))
      return Promise.all([...given, ...left, {}].map(async (manifest) => (await workOf(manifest)).pull))
    },
    ['always', 'missing', 'never', 'always', 'always', 'always', 'missing', 'missing', undefined],
  ],
  cmd: [async () => (await workOf({ cmd: ['/bin/echo', '$HOME; "x"'] })).command, ['/bin/echo', '$HOME; "x"']],
  args: [async () => (await workOf({ cmd: ['/bin/echo'], args: ['a b', ''] })).command, ['/bin/echo', 'a b', '']],
  env: [async () => (await workOf({ env: [] })).environment.A, undefined],
  'env[].name': [async () => (await workOf({ env: [{ name: 'A' }] })).environment.A, ''],
  'env[].value': [async () => (await workOf({ env: [{ name: 'A', value: ' x\ny ' }] })).environment.A, ' x\ny '],
  'env[].valueFrom': [async () => (await workOf(secret({ name: 'db', key: 'password' }))).environment.A, 'one two three'],
  'env[].valueFrom.secretKeyRef': [
    async () => problemsOf(await post({ env: [{ name: 'A', valueFrom: {} }] })),
    [['/env/0/valueFrom/secretKeyRef', 'required']],
  ],
  'env[].valueFrom.secretKeyRef.name': [async () => (await stateOf(secret({ name: 'no', key: 'password' }), ['failed'])).reason, 'start_failed'],
  'env[].valueFrom.secretKeyRef.key': [async () => (await stateOf(secret({ name: 'db', key: 'no' }), ['failed'])).reason, 'start_failed'],
  'env[].valueFrom.secretKeyRef.optional': [
    async () => Object.hasOwn((await workOf(secret({ name: 'db', key: 'no', optional: true }))).environment, 'A'),
    false,
  ],
  'cpu-limit': [async () => [(await workOf({ 'cpu-limit': '250m' })).limits.cpu, (await workOf({})).limits.cpu], [0.25, null]],
  'memory-limit': [
    async () => [(await workOf({ 'memory-limit': '64Mi' })).limits.memoryBytes, (await workOf({})).limits.memoryBytes],
    [2 ** 26, null],
  ],
  'cpu-request': [
    async () => {
      const most = await deploy({ 'cpu-request': '1500m' })
      const waits = (await stateOf({ 'cpu-request': 1 }, ['pending'])).reason
      await remove(most)
      return [waits, problemsOf(await post({ 'cpu-request': 3 }))]
    },
    ['waiting_for_capacity', [['/cpu-request', 'capacity']]],
  ],
  'memory-request': [
    async () => {
      const most = await deploy({ 'memory-request': '1000Mi' })
      const waits = (await stateOf({ 'memory-request': '100M' }, ['pending'])).reason
      await remove(most)
      return [waits, problemsOf(await post({ 'memory-request': '2Gi' }))]
    },
    ['waiting_for_capacity', [['/memory-request', 'capacity']]],
  ],
  schedule: [
    async () => [(await listedAs('cronJobs', { schedule: '15 2 * * *' }))?.schedule, (await listedAs('jobs', { schedule: '' }))?.active],
    ['15 2 * * *', expect.any(Number)],
  ],
  replicas: [
    async () =>
      Promise.all(
        [{ replicas: 3 }, {}, { replicas: 0 }].map(
          async (more) => (await listedAs('deployments', { type: 'deployment', 'termination-grace-seconds': 0, ...more }))?.replicas,
        ),
      ),
    [3, 1, 0],
  ],
  'container-port': [
    async () => [(await listedAs('services', service))?.container_port, problemsOf(await post({ ...service, 'container-port': undefined }))],
    [8080, [['/container-port', 'required']]],
  ],
  published: [
    async () => Promise.all([null, '', {}].map(async (published) => (await listedAs('services', { ...service, published }))?.url)),
    [null, null, null],
  ],
  'published.prefix': [
    async () => [(await visit('/open/')).status, (await visit('/inside/')).status, (await fetch(ownAddress)).status],
    [200, 404, 200],
  ],
  'published.rewrite': [async () => [await (await visit('/open/x?y')).text(), await (await visit('/closed/x', webAnn)).text()], ['/base/x?y', '/x']],
  'published.access': [async () => [(await visit('/closed/', webAnn)).status, (await visit('/closed/', eve)).status], [200, 403]],
  'published.bypass_auth': [async () => [(await visit('/open/')).status, (await visit('/closed/')).status], [200, 401]],
  'published.timeout_ms': [async () => (await visit('/closed/slow', webAnn)).status, 504],
  'published.sticky_sessions': [
    async () => [(await visit('/closed/', webAnn)).headers.getSetCookie().length, (await visit('/open/')).headers.getSetCookie().length],
    [1, 0],
  ],
  retries: [async () => [(await stateOf({ retries: 4 }, ['running'])).max_attempts, (await stateOf({}, ['running'])).max_attempts], [5, 1]],
  'timeout-seconds': [async () => (await stateOf({ 'timeout-seconds': 1, 'termination-grace-seconds': 0 }, ['failed'])).reason, 'timeout'],
  'termination-grace-seconds': [
    async () => {
      for (const more of [{ 'termination-grace-seconds': 7 }, {}]) {
        const answer = await deploy(more)
        await lab.until(`/v1/task/state/${answer.json.id}`, ['running'])
        const before = lab.runtime.stopped.length
        await remove(answer)
        await until('the stop', () => lab.runtime.stopped.length > before)
      }
      return lab.runtime.stopped.slice(-2).map(({ graceMs }) => graceMs)
    },
    [7000, 30_000],
  ],
  'concurrency-policy': [
    async () => [await second(undefined), await second('Allow'), await second('Forbid'), await second('Replace')],
    [
      ['started', 'running'],
      ['started', 'running'],
      ['skipped', 'running'],
      ['blocked', 'stopped'],
    ],
  ],
}

async function run(pipeline: object): Promise<Answer> {
  const configuration = JSON.stringify({ name: `p${++count}`, tasks: [{ name: 'a', namespacetask: 'keys/one' }], ...pipeline })
  const answer = await lab.post(ann, '/v2/pipeline/run/with-configuration', { namespace: 'keys', configuration })
  expect(answer.status, answer.text).toBe(200)
  return answer
}
type Task = { name: string; state: string; task_id: string }
const tasksOf = (json: Record<string, unknown>) => json.tasks as Task[]
const kill = async ({ json: { id } }: Answer) => {
  await lab.system('pipeline.kill', { pipeline: id, cleanup: false })
  await lab.until(`/v1/pipeline/state/keys/${id}`, ['killed'])
}
/** A pipeline once its first task runs. */
async function running(pipeline: object) {
  const answer = await run(pipeline)
  const url = `/v1/pipeline/state/keys/${answer.json.id}`
  const json = await lab.when(url, (seen) => tasksOf(seen)[0]?.state === 'running', 'its first task')
  return { answer, url, tasks: tasksOf(json) }
}
const task = (name: string, more: object = {}) => ({ name, namespacetask: 'keys/one', ...more })
async function environmentOf(env: object[]) {
  const { answer, tasks } = await running({ tasks: [task('a', { env })] })
  const { environment } = await startedFor(tasks[0]?.task_id)
  await kill(answer)
  return environment
}

const pipelineEffects: Record<string, Effect> = {
  name: [
    async () => {
      const answer = await run({ name: 'A name_1' })
      await kill(answer)
      return answer.json.name
    },
    'A name_1',
  ],
  original: [
    async () => {
      const answers = [await run({ original: 'elsewhere' }), await run({ name: 'own' }), await lab.get(ann, '/v1/pipeline/runas/keys/report/x')]
      for (const answer of answers.slice(0, 2)) await kill(answer)
      return answers.map(({ json }) => json.original)
    },
    ['elsewhere', 'own', 'report'],
  ],
  tasks: [
    async () => {
      const { answer, tasks } = await running({ tasks: [task('a'), task('b')] })
      await kill(answer)
      return tasks.length
    },
    2,
  ],
  'tasks[].name': [
    async () => {
      const { answer, tasks } = await running({ name: 'line', tasks: [task('Step_1')] })
      const { name } = (await lab.get(null, `/v1/task/state/${tasks[0]?.task_id}`)).json
      await kill(answer)
      return [tasks[0]?.name, name]
    },
    ['Step_1', expect.stringMatching(/^line-step-1-[0-9a-f]{6}$/)],
  ],
  'tasks[].namespacetask': [
    async () => {
      const { answer, tasks } = await running({ tasks: [{ name: 'a', namespacetask: 'keys/two' }] })
      const { repository, directory, commit } = (await lab.get(null, `/v1/task/state/${tasks[0]?.task_id}`)).json
      await kill(answer)
      return [repository, directory, commit]
    },
    ['keys', 'two', expect.stringMatching(/^[0-9a-f]{40}$/)],
  ],
  'tasks[].dependance': [
    async () => {
      const { answer, tasks } = await running({ tasks: [task('a'), task('b', { dependance: ['a'] }), task('c')] })
      await kill(answer)
      return tasks.map(({ name, state }) => name === 'c' || [name, state])
    },
    [['a', 'running'], ['b', 'waiting'], true],
  ],
  'tasks[].run-if-error': [
    async () => {
      const { answer, tasks, url } = await running({
        tasks: [task('a'), task('b', { dependance: ['a'] }), task('c', { dependance: ['a'], 'run-if-error': true })],
      })
      const { name } = (await lab.get(null, `/v1/task/state/${tasks[0]?.task_id}`)).json
      await lab.system('task.delete', { namespace: 'keys', name })
      const json = await lab.when(url, (seen) => tasksOf(seen)[2]?.state === 'running', 'the clean-up')
      await kill(answer)
      return tasksOf(json).map(({ state }) => state)
    },
    ['failed', 'skipped', 'running'],
  ],
  'tasks[].env': [async () => environmentOf([]), expect.objectContaining({ A: 'of the manifest', B: 'kept' })],
  'tasks[].env[].name': [
    async () => environmentOf([{ name: 'C', value: 'new' }]),
    expect.objectContaining({ A: 'of the manifest', B: 'kept', C: 'new' }),
  ],
  'tasks[].env[].value': [async () => environmentOf([{ name: 'A', value: 'other' }]), expect.objectContaining({ A: 'other', B: 'kept' })],
}

test('the keys of the contract are the keys of the schemas, and each has an effect below', () => {
  const top = (keys: readonly string[]) => keys.filter((key) => !/[.[]/.test(key)).sort()
  const below = (keys: readonly string[], start: string) =>
    keys.flatMap((key) => (key.startsWith(start) && !/[.[]/.test(key.slice(start.length)) ? [key.slice(start.length)] : [])).sort()
  expect(Object.keys(manifestSchema.properties).sort()).toEqual(top(manifestKeys))
  expect(Object.keys(publishedSchema.properties).sort()).toEqual(below(manifestKeys, 'published.'))
  expect(Object.keys(manifestSchema.properties.env.items.properties).sort()).toEqual(below(manifestKeys, 'env[].'))
  expect(Object.keys(pipelineSchema.properties).sort()).toEqual(top(pipelineKeys))
  expect(Object.keys(pipelineSchema.properties.tasks.items.properties).sort()).toEqual(below(pipelineKeys, 'tasks[].'))
  expect(Object.keys(effects).sort()).toEqual([...manifestKeys].sort())
  expect(Object.keys(pipelineEffects).sort()).toEqual([...pipelineKeys].sort())
})

describe.each([
  ['manifest.json', effects],
  ['pipeline.json', pipelineEffects],
] as const)('in %s', (_, table) => {
  test.each(Object.entries(table))('"%s" has its effect', async (_, [seen, is]) => {
    expect(await seen()).toEqual(is)
  })
})
