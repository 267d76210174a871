import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createFakeRuntime } from '../../../adapters/runtime/fake/runtime.ts'
import { createApp } from '../../../app.ts'
import { loadConfig } from '../../../config/load.ts'
import { system } from '../../identity/principal.ts'
import { systemClock } from '../../kernel/clock.ts'
import { silentLog } from '../../kernel/log.ts'
import { invoke } from '../../operation/invoke.ts'
import { until } from '../../../../test/support/until.ts'
import { documentOf, trigger } from '../job/workflow.suite.ts'
import { callTest } from './testing/call.ts'
import type { JsonObject } from '../../kernel/json.ts'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

async function serverOn(folder: string) {
  const environment = { CAPSTAN_DATA: join(folder, 'data'), CAPSTAN_PORT: '0', CAPSTAN_GATEWAY_PORT: '0', CAPSTAN_SAMPLE: 'false' }
  const config = { ...(await loadConfig({ folder, environment })), defaultRuntime: 'fake' }
  const app = await createApp(config, { log: silentLog, runtimes: [createFakeRuntime({ clock: systemClock })] })
  await app.listen()
  const origin = { via: 'test', peer: '', requestId: 'test' }
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of outputs as scripts of operators do
  const system_ = (operation: string, input: JsonObject): Promise<any> => invoke(app.services, { principal: system, origin }, operation, input)
  return { ...app, system: system_ }
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-builtin-'))
  folders.push(folder)
  return folder
}

type Server = Awaited<ReturnType<typeof serverOn>>

async function start(
  server: Server,
  name: string,
  steps: readonly JsonObject[],
  paths: readonly string[],
  message: JsonObject = {},
): Promise<string> {
  const { id } = await server.system('workflow.create', { document: documentOf({ name, steps: [trigger, ...steps], paths }) })
  await server.system('workflow.activate', { workflow: id })
  return (await server.system('workflow.run', { workflow: id, message })).id
}

test('a step that waits for a run goes on waiting after a restart', async () => {
  const folder = await newFolder()
  const before = await serverOn(folder)
  const ask = { id: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'ask>' }] } }
  const awaited = await start(before, 'asks', [ask], ['start>ask', 'ask>:Yes'])
  const about = { plugin_name: 'capstan', plugin_vendor: 'capstan', plugin_version: '1.0.0', step_id: 'wait_for_run' }
  const wait = { id: 'wait', type: 'action', parameters: { ...about, input: { run: '{{[start].[run]}}' } } }
  const waiting = await start(before, 'waits', [wait], ['start>wait'], { run: awaited })
  await until('it waits', async () => (await before.services.store.reader.steps.one(waiting, 'wait'))?.state === 'running')
  await before.close()

  const after = await serverOn(folder)
  await until('the question is asked again', async () => (await after.system('job.get', { job: awaited })).waiting_for.length === 1)
  await after.system('job.decide', { job: awaited, step: 'ask', path: 'ask>' })
  await until('it has ended', async () => (await after.system('job.get', { job: waiting })).ended_at !== null)
  const job = await after.system('job.get', { job: waiting })
  expect(job).toMatchObject({ status: 'succeeded', context: { data: { wait: { run: awaited, state: 'succeeded', succeeded: true } } } })
  await after.close()
})

test('a deployment that is called again after a restart finds what the first call started', async () => {
  const server = await serverOn(await newFolder())
  await server.system('user.create', { name: 'ann', administrator: true })
  const configuration = { type: 'job', name: 'once', cmd: ['/bin/true'], image: 'busybox' }
  await server.system('repository.create', { path: 'tools' })
  await server.system('repository.commit-files', { repository: 'tools', message: 'x', files: [{ path: 'job/code/x', text: 'x' }] })
  const call = (key: string) =>
    callTest(
      'capstan',
      'deploy_task',
      { repository: 'tools', directory: 'job', namespace: 'lab', configuration, wait: true },
      { services: server.services, starter: system, key },
    )
  const first = await call('run/step@0')
  expect(first).toMatchObject({ name: 'once', state: 'succeeded' })
  expect((await call('run/step@0')).run).toBe(first.run)
  expect((await call('run/step@1')).run).not.toBe(first.run)
  await server.close()
})

test('without a mail server a job waits all the same, and says that nobody was told', async () => {
  const server = await serverOn(await newFolder())
  const { serial } = await server.system('user.create', { name: 'bob', email: 'bob@lab.test' })
  const parameters = { stepControlParams: [{ edgeId: 'ask>' }], notifications: { userIdsForEmail: [serial] } }
  const job = await start(server, 'asks', [{ id: 'ask', type: 'human_decision', parameters }], ['start>ask', 'ask>:Yes'])
  await until('it waits', async () => (await server.system('job.get', { job })).status === 'waiting')
  const row = await server.services.store.reader.steps.one(job, 'ask~notify')
  expect(row?.output).toMatchObject({ sent: 0, not_sent: [{ why: expect.stringMatching(/No mail server is configured/) }] })
  await server.close()
})
