import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../../../test/support/until.ts'
import { createFakeRuntime } from '../../../adapters/runtime/fake/runtime.ts'
import { createApp } from '../../../app.ts'
import { loadConfig } from '../../../config/load.ts'
import { system } from '../../identity/principal.ts'
import { systemClock } from '../../kernel/clock.ts'
import { silentLog } from '../../kernel/log.ts'
import { invoke } from '../../operation/invoke.ts'
import { artifact, documentOf, trigger } from './workflow.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-rounds-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function openServer() {
  const environment = { CAPSTAN_DATA: join(folder, 'data'), CAPSTAN_PORT: '0', CAPSTAN_GATEWAY_PORT: '0', CAPSTAN_SAMPLE: 'false' }
  const config = { ...(await loadConfig({ folder, environment })), defaultRuntime: 'fake' }
  const app = await createApp(config, { log: silentLog, runtimes: [createFakeRuntime({ clock: systemClock })] })
  await app.listen()
  const origin = { via: 'test', peer: '', requestId: 'test' }
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of outputs as scripts of operators do
  const call = (operation: string, input: JsonObject): Promise<any> => invoke(app.services, { principal: system, origin }, operation, input)
  return { ...app, call }
}

test('rounds that run at once go on after each restart: none is lost, none is done twice', async () => {
  let server = await openServer()
  const about = { plugin_name: 'timers', plugin_vendor: 'capstan', plugin_version: '1.0.0', step_id: 'delay', input: { delay: 0.15 } }
  const steps = [
    trigger,
    { id: 'L', type: 'loop', parameters: { repeatVariable: '{{[start].[list]}}', innerEdgeId: 'L>first', parallel: 3 } },
    artifact('first', '{{[L].[$item]}} begins', { parent_id: 'L' }),
    { id: 'wait', type: 'action', parent_id: 'L', parameters: about },
    artifact('last', '{{[L].[$item]}} ends', { parent_id: 'L' }),
  ]
  const { id } = await server.call('workflow.create', {
    document: documentOf({ name: 'rounds', steps, paths: ['start>L', 'L>first', 'first>wait', 'wait>last', 'last>'] }),
  })
  await server.call('workflow.activate', { workflow: id })
  const list = Array.from({ length: 12 }, (_, at) => at)
  const job = (await server.call('workflow.run', { workflow: id, message: { list } })).id
  const contents = async (): Promise<string[]> =>
    (await server.call('job.list-artifacts', { job })).items.map((item: { content: string }) => item.content)
  for (const count of [1, 9, 14]) {
    await until(`${count} artifacts are there`, async () => (await contents()).length >= count)
    await server.close()
    server = await openServer()
  }
  await until('it has ended', async () => (await server.call('job.get', { job })).ended_at !== null)
  expect((await server.call('job.get', { job })).status).toBe('succeeded')
  expect(await contents()).toEqual(list.flatMap((item) => [`${item} begins`, `${item} ends`]))
  expect(await server.services.store.reader.runs.childrenOf(job)).toHaveLength(12)
  await server.close()
})
