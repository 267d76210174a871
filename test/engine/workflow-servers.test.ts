import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { artifact } from '../../src/core/workflow/job/workflow.suite.ts'
import { action, calls, openWorkflowCrashLab, repeated } from '../crash/workflow-lab.ts'
import { startPostgres } from '../support/postgres.ts'
import { processesWith } from '../support/processes.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { JsonObject } from '../../src/core/kernel/json.ts'
import type { WorkflowCrashLab } from '../crash/workflow-lab.ts'

const postgres = await startPostgres({ durable: false })
const skip = 'missing' in postgres ? postgres.missing : null

/** How soon another server goes on with the jobs of one that was killed. */
const takeOverMs = 10_000

const ask: JsonObject = { id: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'ask>yes' }, { edgeId: 'ask>no' }] } }
const asked = [ask, artifact('yes', '{{[ask].[path]}} by {{[ask].[user_name]}}'), artifact('no', 'no')]
const askPaths = ['start>ask', 'ask>yes:Yes', 'ask>no:No']

// Two real programs over one database and one data folder, and a power cut for one of them.
describe.skipIf(skip)(skip ? `workflows of two servers (skipped: ${skip})` : 'workflows of two servers', () => {
  let one: WorkflowCrashLab
  let two: WorkflowCrashLab

  beforeAll(async () => {
    if ('missing' in postgres) return
    const environment = { CAPSTAN_DATABASE_URL: await postgres.database(), CAPSTAN_UNSANDBOXED: 'allow', CAPSTAN_EGRESS_ALLOW: '127.0.0.0/8' }
    one = await openWorkflowCrashLab(environment)
    two = await openWorkflowCrashLab({}, await startServer({ environment: { ...environment, CAPSTAN_DATA: one.server.data } }))
  }, 90_000)
  afterAll(async () => {
    await two?.close()
    await one?.close()
    if (!('missing' in postgres)) await postgres.stop()
  }, 60_000)

  test('a decision is answered by way of either, at once, and only once', async () => {
    const workflow = await one.workflow('asked', asked, askPaths)
    for (const [owner, other] of [
      [one, two],
      [two, one],
    ] as const) {
      const id = await owner.start(workflow)
      await other.waits(id)
      const path = { path_uid: 'ask>yes' }
      const answers = await Promise.all([owner, other, owner, other].map((lab) => lab.send(`/v2/jobs/${id}/steps/ask/decision`, path)))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409])
      expect((await other.ended(id)).status).toBe('succeeded')
      expect(await owner.artifacts(id)).toEqual(['Yes by ann'])
    }
  }, 60_000)

  test('an event is one job for each workflow, whichever of them takes it, and a time trigger fires once for both', async () => {
    const start = await one.trigger('shared', { type: 'api_trigger' })
    const workflow = await two.workflow('shared', [artifact('n', '{{[start].[n]}}')], undefined, start)
    const { trigger_config_id: trigger } = start.parameters as { trigger_config_id: string }
    await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? one : two).post(`/v2/trigger/${trigger}/events`, { n })))
    const ticks = await two.trigger('ticks', { type: 'timer', trigger_name: 'periodic', input: { period: 1 / 60, message: 'x' } })
    const ticking = await one.workflow('ticks', [artifact('time', '{{[start].[time]}}')], undefined, ticks)
    await until('it has fired three times', async () => (await two.jobs(ticking)).length >= 3)
    await two.server.admin.ok('workflow.deactivate', { workflow: ticking })
    for (const of of [workflow, ticking]) {
      const jobs = await until('all have ended', async () => {
        const found = await one.jobs(of)
        return found.every(({ ended_at }) => ended_at !== null) ? found : null
      })
      const kept = (await Promise.all(jobs.map(({ id }) => two.artifacts(id)))).flat()
      expect(new Set(kept).size).toBe(jobs.length)
    }
    expect(await two.jobs(workflow)).toHaveLength(20)
  }, 60_000)

  test('when one is killed, the other goes on with its jobs within ten seconds', async () => {
    const { counter } = one
    const url = counter.address('gate', 'again')
    const waiting = await one.start(await one.workflow('taken over, waits', asked, askPaths))
    const calling = await one.start(await one.workflow('taken over, calls', [calls('call', url, {}, repeated), artifact('after', 'x')]))
    const lost = await one.start(await one.workflow('taken over, lost', [calls('call', url)]))
    const pause = action('pause', 'capstan/timers/1.0.0', 'delay', { delay: 2 })
    const delayed = await one.start(await one.workflow('taken over, delayed', [pause, artifact('after', 'x')]))
    await one.waits(waiting)
    await one.waits(delayed)
    await one.slowPlugin()
    const wait = action('wait', 'example/slow/1.0.0', 'wait', { seconds: '4.125' })
    const working = await one.start(await one.workflow('taken over, works', [wait, artifact('after', '{{[wait].[done]}}')]))
    const processes = () => processesWith('SLOW_SECONDS=4.125')
    await until('both calls are made, and the plugin works', () => counter.visits('again') === 2 && processes().length === 1)
    const first = processes()
    const start = await one.trigger('taken over', { type: 'api_trigger' })
    const started = await one.workflow('taken over, started', [artifact('n', '{{[start].[n]}}')], undefined, start)
    const { trigger_config_id: trigger } = start.parameters as { trigger_config_id: string }
    await Promise.all([1, 2, 3, 4, 5].map((n) => one.post(`/v2/trigger/${trigger}/events`, { n })))
    await one.server.kill()
    counter.open('again')
    const began = performance.now()
    expect(processes()).toEqual(first)
    // An answer that comes while nobody looks after the job is kept.
    await two.decide(waiting, 'ask', 'ask>yes')
    const jobs = await Promise.all([waiting, calling, lost, delayed, working].map((id) => two.ended(id)))
    await until('every event has its job', async () => {
      const found = await two.jobs(started)
      return found.length === 5 && found.every(({ ended_at }) => ended_at !== null)
    })
    expect(performance.now() - began).toBeLessThan(takeOverMs)
    expect(jobs.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'failed', 'succeeded', 'succeeded'])
    expect(jobs[2].failed_step.message).toContain('interrupted by a restart')
    expect(await Promise.all([waiting, calling, delayed, working].map((id) => two.artifacts(id)))).toEqual([['Yes by ann'], ['x'], ['x'], ['true']])
    expect(counter.visits('again')).toBe(3)
    await one.server.start()
    expect((await one.job(waiting)).status).toBe('succeeded')
  }, 90_000)
})
