import { expect, test } from 'vitest'
import { freeze } from '../kernel/json.ts'
import { isError, readManifest } from './manifest.ts'
import { cpuCores, memoryBytes } from './quantity.ts'
import type { Json } from '../kernel/json.ts'

const job = { type: 'job', name: 'fetch', cmd: ['/bin/true'] }

async function problems(document: Json): Promise<string[]> {
  const reading = await readManifest(document)
  expect(reading.manifest === null).toBe(reading.problems.some(isError))
  return reading.problems.map((problem) => `${problem.severity} ${problem.path} ${problem.code}`)
}

test('a complete manifest is read with its defaults', async () => {
  const { manifest } = await readManifest({
    ...job,
    args: ['-v'],
    labels: 'app:x, tier:back',
    'cpu-limit': '200m',
    'memory-limit': '64Mi',
    'memory-request': '32Mi',
    env: [{ name: 'A' }],
  })
  expect(manifest).toMatchObject({
    type: 'job',
    cmd: ['/bin/true'],
    args: ['-v'],
    labels: { app: 'x', tier: 'back' },
    cpuLimit: 0.2,
    memoryLimit: 67_108_864,
    cpuRequest: null,
    memoryRequest: 33_554_432,
  })
  expect(manifest).toMatchObject({ retries: 0, timeoutSeconds: 0, graceSeconds: 30, schedule: '', env: [{ name: 'A', value: '', secret: null }] })
})

test('the examples of the contract are valid', async () => {
  const service = {
    type: 'service',
    name: 'forecast',
    labels: 'app:forecast',
    'image-destination': 'registry.local/weather/forecast:1',
    cmd: ['node', '/code/server.js'],
    env: [
      { name: 'UNITS', value: 'metric' },
      { name: 'API_KEY', valueFrom: { secretKeyRef: { name: 'weather', key: 'api-key' } } },
    ],
    'cpu-request': '0.1',
    'cpu-limit': '0.5',
    'memory-request': '64Mi',
    'memory-limit': '128Mi',
    replicas: 2,
    'container-port': 8080,
    published: { access: 'analysts', prefix: '/forecast/', timeout_ms: 10_000, sticky_sessions: true },
  }
  expect(await problems(service)).toEqual([])
  expect((await readManifest(service)).manifest?.env[1]).toEqual({
    name: 'API_KEY',
    value: null,
    secret: { name: 'weather', key: 'api-key', optional: false },
  })
  const nightly = {
    type: 'job',
    name: 'nightly_clean',
    image: 'registry.local/clean:3',
    cmd: ['python3'],
    schedule: '15 2 * * *',
    retries: 2,
    'timeout-seconds': 1800,
    'concurrency-policy': 'Forbid',
  }
  expect(await problems(nightly)).toEqual([])
})

test('everything wrong is said at once, each with its place', async () => {
  const found = await problems({
    type: 'jobs',
    name: '',
    cmd: [],
    env: [{ name: '1x', value: 'a' }],
    retries: 11,
    schedule: '61 * * * *',
    'cpu-limit': 'much',
  })
  expect(found.sort()).toEqual(
    [
      'error /cmd required',
      'error /cpu-limit quantity',
      'error /env/0/name pattern',
      'error /name minLength',
      'error /retries maximum',
      'error /schedule schedule',
      'error /type enum',
    ].sort(),
  )
})

test.each<[string, Json, string]>([
  ['no type', { cmd: ['a'] }, 'error /type required'],
  ['an array', [], 'error  type'],
  ['nothing to run', { type: 'job' }, 'error /cmd required'],
  ['image and destination', { ...job, image: 'a', 'image-destination': 'b' }, 'error /image exclusive'],
  ['blank in an image', { ...job, image: 'a b' }, 'error /image pattern'],
  ['a variable twice', { ...job, env: [{ name: 'A' }, { name: 'A' }] }, 'error /env/1/name duplicate'],
  [
    'value and valueFrom',
    { ...job, env: [{ name: 'A', value: '', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } }] },
    'error /env/0 exclusive',
  ],
  ['NUL in a value', { ...job, env: [{ name: 'A', value: 'a\0b' }] }, 'error /env/0/value nul'],
  ['NUL in the command', { ...job, cmd: ['/bin/sh\0x'] }, 'error /cmd/0 nul'],
  ['an empty program', { ...job, cmd: [''] }, 'error /cmd/0 empty'],
  ['more requested than allowed (cpu)', { ...job, 'cpu-request': '1', 'cpu-limit': '0.5' }, 'error /cpu-request limit'],
  ['more requested than allowed (memory)', { ...job, 'memory-request': '1Gi', 'memory-limit': '512Mi' }, 'error /memory-request limit'],
  ['no memory at all', { ...job, 'memory-limit': 0 }, 'error /memory-limit quantity'],
  ['labels that are none', { ...job, labels: 'app' }, 'error /labels pattern'],
  ['a label twice', { ...job, labels: 'a:1,a:2' }, 'error /labels duplicate'],
  ['a label of another type', { ...job, labels: { a: 1 } }, 'error /labels/a type'],
  ['a service without port', { type: 'service', cmd: ['a'] }, 'error /container-port required'],
  ['a scheduled deployment', { type: 'deployment', cmd: ['a'], schedule: '@daily' }, 'error /schedule not_allowed'],
  ['a published job', { ...job, published: { prefix: '/a/' } }, 'error /published not_allowed'],
  ['a prefix without end', { type: 'service', cmd: ['a'], 'container-port': 1, published: { prefix: '/a' } }, 'error /published/prefix pattern'],
  ['published without prefix', { type: 'service', cmd: ['a'], 'container-port': 1, published: { access: 'x' } }, 'error /published/prefix required'],
  ['a day that never comes', { ...job, schedule: '0 0 31 2 *' }, 'error /schedule schedule'],
  ['six fields', { ...job, schedule: '0 0 0 1 1 *' }, 'error /schedule schedule'],
  ['a time zone in the schedule', { ...job, schedule: 'TZ=UTC 0 0 * * *' }, 'error /schedule schedule'],
])('%s is a problem', async (_, document, problem) => {
  expect(await problems(document)).toContain(problem)
})

test('unknown members are kept and only warned of; what is left empty means nothing', async () => {
  expect(await problems({ ...job, 'restart-policy': 'Never', published: '', schedule: '', labels: '' })).toEqual(['warning /restart-policy unknown'])
  for (const published of [null, '', {}]) expect(await problems({ ...job, published })).toEqual([])
})

test('quantities are those of Kubernetes', () => {
  expect(['0.20', '200m', 0.5, '2'].map(cpuCores)).toEqual([0.2, 0.2, 0.5, 2])
  expect(['', '1.2345', '-1', 'm', '1e3', 0, Number.NaN, null].map(cpuCores)).toEqual(Array(8).fill(null))
  expect(['200Mi', '1k', '1.5Ki', 1024].map(memoryBytes)).toEqual([209_715_200, 1000, 1536, 1024])
  expect(['', '1 Mi', '1mi', '-1', '9'.repeat(30), 1.5, 0].map(memoryBytes)).toEqual(Array(7).fill(null))
})

test('a document that cannot change is read once, and what was read cannot change either', async () => {
  const document = freeze({ type: 'job', cmd: ['/bin/true'], labels: { team: 'x' } })
  const first = await readManifest(document)
  expect(await readManifest(document)).toBe(first)
  expect(() => Object.assign(first.manifest?.labels ?? {}, { team: 'y' })).toThrow(TypeError)
  const problem = { path: '/x', code: 'duplicate', message: 'is given twice', severity: 'error' } as const
  expect((await readManifest(document, [problem])).problems).toEqual([problem])
  expect((await readManifest({ ...document })).manifest).toEqual(first.manifest)
})
