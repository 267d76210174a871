import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { artifact, documentOf, trigger } from './workflow.suite.ts'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../kernel/json.ts'
import type { TestApp } from '../../../../test/support/app.ts'

vi.setConfig({ testTimeout: 60_000 })

let app: TestApp
// Takes what is sent and never answers.
const silent = createServer(() => {})
let url = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/` // it listens on TCP
  app = await openApp({ config: { egressAllow: ['127.0.0.0/8'] } })
})
afterAll(async () => {
  await app.close()
  silent.closeAllConnections()
  silent.close()
})

let count = 0

async function activate(steps: readonly JsonObject[], paths: readonly string[], more: { name?: string; type?: 'snippet'; start?: JsonObject } = {}) {
  const { name = `ends ${++count}`, start = trigger, ...type } = more
  const { id } = await app.system('workflow.create', { document: documentOf({ name, steps: [start, ...steps], paths, ...type }) })
  await app.system('workflow.activate', { workflow: id })
  return id as string
}
const start = async (workflow: string, message: JsonObject = {}): Promise<string> => (await app.system('workflow.run', { workflow, message })).id
const get = (job: string) => app.system('job.get', { job })
async function ended(job: string) {
  await until('the job has ended', async () => (await get(job)).ended_at !== null, 40_000)
  return get(job)
}
const jobsOf = async (workflow: string) =>
  (await app.system('job.list', { workflow, limit: 1000 })).items as { id: string; ended_at: string | null }[]
const action = (id: string, plugin: string, identifier: string, input: JsonObject, more: JsonObject = {}): JsonObject => ({
  id,
  type: 'action',
  parameters: { plugin_vendor: 'capstan', plugin_name: plugin, plugin_version: '1.0.0', step_id: identifier, input, ...more },
})
const loop = (id: string, parameters: JsonObject): JsonObject => ({ id, type: 'loop', parameters })
const ask: JsonObject = { id: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'ask>' }] } }

describe('a job that is cancelled', () => {
  const during: [string, () => Promise<{ steps: JsonObject[]; paths: string[] }>][] = [
    ['while it asks somebody', async () => ({ steps: [ask], paths: ['start>ask', 'ask>:Yes'] })],
    ['in a delay', async () => ({ steps: [action('at', 'timers', 'delay', { delay: 600 })], paths: ['start>at', 'at>'] })],
    ['in the call of an address', async () => ({ steps: [action('at', 'http', 'request', { url, timeout: 300 })], paths: ['start>at', 'at>'] })],
    [
      'between the tries of a call',
      async () => {
        const retry = { retry: { count: 5, delay: 600 } }
        return { steps: [action('at', 'http', 'request', { url: 'http://127.0.0.1:1/' }, retry)], paths: ['start>at', 'at>'] }
      },
    ],
    [
      'while it waits for a run',
      async () => {
        const run = await start(await activate([ask], ['start>ask', 'ask>:Yes']))
        return { steps: [action('at', 'capstan', 'wait_for_run', { run })], paths: ['start>at', 'at>'] }
      },
    ],
    [
      'in a sub-workflow',
      async () => {
        const map: JsonObject = { id: 'map', type: 'snippet_map' }
        const workflow = await activate([ask], ['map>ask', 'ask>:Yes'], { type: 'snippet', start: map })
        return { steps: [{ id: 'at', type: 'snippet', parameters: { workflow_uid: workflow } }], paths: ['start>at', 'at>'] }
      },
    ],
    [
      'in the pause of a loop',
      async () => ({
        steps: [loop('at', { repeatCount: 3, repeatDelay: 600, innerEdgeId: 'at>in' }), artifact('in', 'x', { parent_id: 'at' })],
        paths: ['start>at', 'at>in', 'in>', 'at>'],
      }),
    ],
    [
      'in the rounds of a loop',
      async () => ({
        steps: [loop('at', { repeatCount: 100_000, innerEdgeId: 'at>in' }), artifact('in', 'x', { parent_id: 'at' })],
        paths: ['start>at', 'at>in', 'in>', 'at>'],
      }),
    ],
  ]

  test.each(during)('%s ends at once, and nothing after it is done', async (_, draw) => {
    const { steps, paths } = await draw()
    const after = paths.map((path) => (path.endsWith('>') ? `${path}after` : path.replace('>:', '>after:')))
    const first = steps[0]?.id === 'ask' ? { ...ask, parameters: { stepControlParams: [{ edgeId: 'ask>after' }] } } : steps[0]
    const inner = after.map((path) => (path === 'in>after' ? 'in>' : path))
    const job = await start(await activate([first ?? {}, ...steps.slice(1), artifact('after', 'after')], inner))
    await until('it is there', async () => {
      const rows = await app.services.store.reader.steps.ofRun(job)
      return (
        rows.some(({ node, state }) => (node === 'at' || node === 'ask' || node === 'in') && state !== 'queued' && state !== 'succeeded') ||
        rows.length > 50
      )
    })
    const began = performance.now()
    await app.system('job.cancel', { job })
    expect(await ended(job)).toMatchObject({ status: 'cancelled', next_steps: [] })
    expect(performance.now() - began).toBeLessThan(8_000)
    const { items } = await app.system('job.list-artifacts', { job })
    expect(items.filter(({ name }: { name: string }) => name === 'after')).toEqual([])
    const { items: runs } = await app.services.store.reader.runs.page({ active: true, parentId: job }, null, 'newest', { limit: 10, after: null })
    expect(runs.filter(({ parent_id }) => parent_id === job)).toEqual([])
  })
})

describe('a workflow that would never end', () => {
  test('because its step starts it again comes to an end that says why', async () => {
    const name = `circle ${++count}`
    const workflow = await activate([action('again', 'capstan', 'run_workflow', { workflow: name, wait: true })], ['start>again'], { name })
    const first = await ended(await start(workflow))
    const jobs = await jobsOf(workflow)
    expect(jobs).toHaveLength(9)
    expect(first.status).toBe('failed')
    const last = await get(jobs[0]?.id ?? '')
    expect(last.failed_step.message).toMatch(/8 times in a row.*Let no workflow start itself/)
  })

  test('because it starts another one that starts it, by events too, comes to an end', async () => {
    const made = await app.system('trigger.create', { name: 'circle', type: 'api_trigger' })
    const begin = { id: 'start', type: 'api_trigger', parameters: { trigger_config_id: made.id } }
    const name = `circle ${++count}`
    const send = action('again', 'capstan', 'run_operation', { operation: 'trigger.send-event', input: { trigger: made.id, message: {} } })
    const one = await activate([send], ['start>again'], { name })
    const two = await activate([action('again', 'capstan', 'run_workflow', { workflow: name })], ['start>again'], { start: begin })
    await start(one)
    await until('the circle has ended', async () => {
      const jobs = [...(await jobsOf(one)), ...(await jobsOf(two))]
      const { items } = await app.system('trigger.list-events', { trigger: made.id })
      const open = jobs.some(({ ended_at }) => ended_at === null) || items.some(({ state }: { state: string }) => state === 'waiting')
      return jobs.length >= 9 && !open
    })
    expect([...(await jobsOf(one)), ...(await jobsOf(two))]).toHaveLength(9)
  })

  test('because it is a snippet in itself comes to an end that says why', async () => {
    const map: JsonObject = { id: 'map', type: 'snippet_map' }
    const name = `snippet ${++count}`
    const workflow = await activate([artifact('one', 'x')], ['map>one'], { type: 'snippet', name, start: map })
    const again = { id: 'sub', type: 'snippet', parameters: { workflow_uid: workflow } }
    await app.system('workflow.update', { workflow, document: documentOf({ name, type: 'snippet', steps: [map, again], paths: ['map>sub'] }) })
    await app.system('workflow.activate', { workflow })
    const job = await ended(await start(await activate([{ ...again }], ['start>sub'])))
    expect(job.status).toBe('failed')
    const jobs = await jobsOf(workflow)
    expect(jobs).toHaveLength(8)
    expect((await get(jobs[0]?.id ?? '')).failed_step.message).toMatch(/inside of itself.*at most 8 deep/)
  })
})

describe('a job', () => {
  test('whose outputs would pass what a run may keep fails by the name of the step', async () => {
    const text = 'x'.repeat(3 * 1024 * 1024)
    const steps = [loop('L', { repeatCount: 100, innerEdgeId: 'L>big' }), artifact('big', `{{[start].[text]}}`, { parent_id: 'L' })]
    const job = await ended(await start(await activate(steps, ['start>L', 'L>big', 'big>']), { text }))
    expect(job).toMatchObject({ status: 'failed', failed_step: { name: 'big' } })
    const rows = await app.services.store.reader.steps.ofRun(job.id)
    expect(rows.findLast(({ state, node }) => state === 'failed' && node === 'big')).toMatchObject({
      reason: 'context_too_large',
      message: expect.stringMatching(/^The step "L\/\d+\/big" would make the outputs of this run larger than 64 MiB$/),
    })
    expect(rows.filter(({ node }) => node === 'big').length).toBeLessThan(30)
  })

  test('whose rounds each carry a large element is bounded in all that it stores', async () => {
    const text = 'x'.repeat(4 * 1024 * 1024)
    const steps = [
      loop('A', { repeatVariable: '{{[start].[list]}}', innerEdgeId: 'A>B' }),
      { ...loop('B', { repeatCount: 100_000, innerEdgeId: 'B>in' }), parent_id: 'A' },
      artifact('in', 'x', { parent_id: 'B' }),
    ]
    const job = await ended(await start(await activate(steps, ['start>A', 'A>B', 'B>in', 'in>']), { list: [text] }))
    expect(job.status).toBe('failed')
    const rows = await app.services.store.reader.steps.ofRun(job.id)
    expect(rows.find(({ reason }) => reason === 'context_too_large')?.message).toMatch(/inputs of the steps of this run larger than 256 MiB/)
    expect(rows.length).toBeLessThan(200)
  })

  test('of ten thousand rounds takes no more memory than one of few', async () => {
    const rounds = (repeatCount: number) => [
      loop('L', { repeatCount, innerEdgeId: 'L>in' }),
      { id: 'in', type: 'pattern_match', parent_id: 'L', parameters: { input: '{{[L].[$index]}}', expressionText: '{{d:/\\d+/}}' } },
    ]
    const paths = ['start>L', 'L>in', 'in>']
    await ended(await start(await activate(rounds(10), paths)))
    const before = process.memoryUsage().heapUsed
    const job = await start(await activate(rounds(10_000), paths))
    let most = 0
    await until(
      'it has ended',
      async () => {
        most = Math.max(most, process.memoryUsage().heapUsed)
        return (await app.services.store.reader.runs.byId(job))?.active === false
      },
      50_000,
    )
    expect((await app.services.store.reader.runs.byId(job))?.state).toBe('succeeded')
    expect((most - before) / 1024 / 1024).toBeLessThan(120)
  })
})
