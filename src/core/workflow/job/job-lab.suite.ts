import { afterAll, beforeAll } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { documentOf } from './workflow.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { TestApp } from '../../../../test/support/app.ts'
import type { Config } from '../../../config/load.ts'

type Drawn = Parameters<typeof documentOf>[0]

const loop = (id: string, inner: string, parameters: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  id,
  type: 'loop',
  parameters: { repeatVariable: '{{[start].[list]}}', innerEdgeId: inner, ...parameters },
  ...more,
})

const delay = (id: string, seconds: JsonObject[string], more: JsonObject = {}): JsonObject => ({
  id,
  type: 'action',
  parameters: { plugin_name: 'timers', plugin_vendor: 'capstan', plugin_version: '1.0.0', step_id: 'delay', input: { delay: seconds } },
  ...more,
})

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at)

/** An app of its own for a suite of jobs, and what its tests do with it again and again. */
function jobLab(config: () => Promise<Partial<Config>>) {
  let opened: TestApp | null = null
  beforeAll(async () => {
    opened = await openApp({ config: await config() })
  })
  afterAll(() => opened?.close())
  const app = (): TestApp => {
    if (!opened) throw new Error('the app is opened before the tests')
    return opened
  }

  async function activate(drawing: Drawn): Promise<string> {
    const { id } = await app().system('workflow.create', { document: documentOf(drawing) })
    await app().system('workflow.activate', { workflow: id })
    return id
  }
  const start = async (workflow: string, message: JsonObject = {}): Promise<string> => (await app().system('workflow.run', { workflow, message })).id
  async function ended(job: string) {
    await until('the job has ended', async () => (await app().system('job.get', { job })).ended_at !== null)
    return app().system('job.get', { job })
  }
  const runOf = async (drawing: Drawn, message: JsonObject = {}) => ended(await start(await activate(drawing), message))
  const artifactsOf = async (job: string): Promise<string[]> =>
    (await app().system('job.list-artifacts', { job })).items.map((item: { content: string }) => item.content)
  return { app, activate, start, ended, runOf, artifactsOf }
}

export type { Drawn }
export { jobLab, loop, delay, numbers }
