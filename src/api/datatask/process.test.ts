import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDeployLab } from './deploy-lab.suite.ts'
import type { DeployLab, Person } from './deploy-lab.suite.ts'

// Real programs on the runtime that a fresh installation has.
let lab: DeployLab
let ann: Person
const samples = join(import.meta.dirname, '..', '..', '..', 'examples', 'sample')

beforeAll(async () => {
  lab = await openDeployLab({ config: { defaultRuntime: 'process', unsandboxed: 'allow' } })
  ann = await lab.person('ann')
  const names = (await readdir(samples, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  const files = await Promise.all(names.map(async (name) => [name.slice(samples.length + 1), await readFile(name)] as const))
  await lab.repository('sample', Object.fromEntries(files), { owner: ann.principal })
})
afterAll(() => lab.close())

async function logOf(id: unknown): Promise<string> {
  const { text } = await lab.as<{ text: string }>(ann.principal, 'run.log', { run: id, step: 'main' })
  return text
}

const manifest = (name: string, script: string, more: object = {}) => JSON.stringify({ type: 'job', name, cmd: ['/bin/sh', '-c', script], ...more })
const deploy = (configuration: string) => lab.post(ann, '/v2/task/deploy/with-configuration', { namespace: 'sample', configuration })

test('every job of the sample repository runs to its end', async () => {
  for (const name of ['hello', 'prepare', 'words', 'lines', 'summary', 'tidy']) {
    const { json, status } = await lab.get(ann, `/v1/task/deploy/sample/${name}`)
    expect(status).toBe(200)
    expect(await lab.until(`/v1/task/state/${json.id}`, ['succeeded', 'failed'])).toMatchObject({ state: 'succeeded', exit_code: 0 })
    if (name === 'hello') expect(await logOf(json.id)).toBe('Hello from hello in the namespace sample (attempt 1)\n')
  }
})

test('the pipeline of the sample repository runs to its end', async () => {
  const { json } = await lab.get(ann, '/v1/pipeline/runas/sample/report/first')
  const end = await lab.until(`/v1/pipeline/state/sample/${json.id}`, ['succeeded', 'failed'])
  expect(end.state).toBe('succeeded')
  const summary = (end.tasks as { name: string; task_id: string }[]).find((task) => task.name === 'summary')
  expect(await logOf(summary?.task_id)).toContain('The poem: words')
})

test('a program that fails says how: its exit code, its signal, its time', async () => {
  const ends = async (name: string, script: string, more: object = {}) => {
    const { json } = await deploy(manifest(name, script, more))
    return lab.until(`/v1/task/state/${json.id}`, ['succeeded', 'failed'])
  }
  expect(await ends('code', 'exit 3')).toMatchObject({ state: 'failed', reason: 'exit_nonzero', exit_code: 3 })
  expect(await ends('signal', 'kill -9 $$')).toMatchObject({ state: 'failed', reason: 'signal' })
  expect(await ends('slow', 'sleep 60', { 'timeout-seconds': 1, 'termination-grace-seconds': 1 })).toMatchObject({
    state: 'failed',
    reason: 'timeout',
  })
  const absent = await ends('absent', '', { cmd: ['/no/such/program'] })
  expect(absent.state).toBe('failed')
})

test('a secret of the namespace reaches the program, and neither its log nor any answer', async () => {
  await lab.as(ann.principal, 'secret.set', { name: 'weather', key: 'api-key', value: 'canary-7361', scope: 'namespace:sample' })
  const env = [
    { name: 'KEY', valueFrom: { secretKeyRef: { name: 'weather', key: 'api-key' } } },
    { name: 'NONE', valueFrom: { secretKeyRef: { name: 'no', key: 'no', optional: true } } },
  ]
  const { json } = await deploy(manifest('secret', 'test "$KEY" = canary-7361 && ! env | grep -q ^NONE= && echo "key=$KEY"', { env }))
  expect(await lab.until(`/v1/task/state/${json.id}`, ['succeeded', 'failed'])).toMatchObject({ state: 'succeeded' })
  expect(await logOf(json.id)).not.toContain('canary')
  for (const url of [`/v1/task/state/${json.id}`, '/v1/list/tasks', '/v1/list/pods']) expect((await lab.get(ann, url)).text).not.toContain('canary')
  const required = await deploy(manifest('required', 'true', { env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'no', key: 'no' } } }] }))
  const end = await lab.until(`/v1/task/state/${required.json.id}`, ['failed', 'succeeded'])
  expect(end).toMatchObject({ state: 'failed', reason: 'start_failed' })
  expect(String(end.message)).toContain('no/no')
})

test('what a task is told about itself wins over its own environment', async () => {
  const { json } = await deploy(
    manifest('self', 'echo "$DEPLOY_NAMESPACE/$DEPLOY_TASK_NAME/$DEPLOY_TASK_ID"', { env: [{ name: 'DEPLOY_NAMESPACE', value: 'lies' }] }),
  )
  await lab.until(`/v1/task/state/${json.id}`, ['succeeded', 'failed'])
  expect(await logOf(json.id)).toBe(`sample/self/${json.id}\n`)
})

test('that its limits are not enforced here is still said when the program has ended', async () => {
  const { json } = await deploy(manifest('limited', 'true', { 'memory-limit': '64Mi' }))
  const end = await lab.until(`/v1/task/state/${json.id}`, ['succeeded', 'failed'])
  const enforced = lab.services.runtimes.get('process')?.capabilities.limits
  expect(end).toMatchObject({ state: 'succeeded', message: enforced ? null : expect.stringContaining('not enforced') })
})

test('an attempt that failed is repeated after a while, and says so while it waits', async () => {
  const { json } = await deploy(manifest('again', 'exit 1', { retries: 1 }))
  expect(await lab.when(`/v1/task/state/${json.id}`, ({ reason }) => reason === 'retry_wait', 'the wait')).toMatchObject({
    state: 'starting',
    attempt: 1,
    max_attempts: 2,
  })
  expect((await lab.get(ann, '/v1/delete/job/sample/again')).status).toBe(200)
})

test('a deleted program is stopped with everything it started, and the next job of the name starts after its end', async () => {
  const { json } = await deploy(manifest('long', 'sleep 300 & sleep 300', { 'termination-grace-seconds': 1 }))
  await lab.until(`/v1/task/state/${json.id}`, ['running'])
  await lab.get(ann, '/v1/delete/job/sample/long')
  const next = await deploy(manifest('long', 'true'))
  await lab.until(`/v1/task/state/${next.json.id}`, ['succeeded'])
  expect((await lab.services.store.reader.runs.byId(String(json.id)))?.active).toBe(false)
})

describe('the name of a job that was deleted and still ends', () => {
  const stubborn = JSON.stringify({
    type: 'job',
    name: 'w',
    cmd: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'],
    'termination-grace-seconds': 2,
  })
  const quick = JSON.stringify({ type: 'job', name: 'w', cmd: ['true'] })
  const ended = async (id: unknown) => {
    const { state, started_at, finished_at } = await lab.system<Record<string, string | null>>('run.get', { run: id })
    return { state, started_at, finished_at }
  }
  const begin = async () => {
    const { json } = await deploy(stubborn)
    await lab.until(`/v1/task/state/${json.id}`, ['running'])
    expect((await lab.get(ann, '/v1/delete/job/sample/w')).status).toBe(200)
    return json.id
  }

  test('is free at once; the new job says that it waits, and starts when the old one is gone', async () => {
    const old = await begin()
    const { status, json } = await deploy(quick)
    expect([status, json.replaced]).toEqual([200, false])
    expect((await ended(old)).finished_at).toBeNull()
    await lab.when(`/v1/task/state/${json.id}`, ({ reason }) => reason === 'still_running', 'the wait')
    expect(await lab.until(`/v1/task/state/${json.id}`, ['succeeded', 'failed'])).toMatchObject({ state: 'succeeded', reason: null, message: null })
    const { finished_at: gone } = await ended(old)
    const { finished_at: done } = await ended(json.id)
    expect(gone).not.toBeNull()
    expect(String(done) >= String(gone)).toBe(true)
    await lab.get(ann, '/v1/delete/job/sample/w')
  })

  test('is free again when the job that waits is deleted as well, which then never runs', async () => {
    await begin()
    const { json: second } = await deploy(quick)
    await lab.when(`/v1/task/state/${second.id}`, ({ reason }) => reason === 'still_running', 'the wait')
    expect((await lab.get(ann, '/v1/delete/job/sample/w')).status).toBe(200)
    const { json: third } = await deploy(quick)
    await lab.until(`/v1/task/state/${third.id}`, ['succeeded'])
    expect((await lab.system<{ steps: { started_at: unknown; exit_code: unknown }[] }>('run.get', { run: second.id })).steps).toMatchObject([
      { exit_code: null },
    ])
    expect(await ended(second.id)).toMatchObject({ state: 'cancelled' })
    await lab.get(ann, '/v1/delete/job/sample/w')
  })
})
