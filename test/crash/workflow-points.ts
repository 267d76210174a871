import { expect } from 'vitest'
import { artifact } from '../../src/core/workflow/job/workflow.suite.ts'
import { gitUrl, pushTree, shellTask } from '../support/git.ts'
import { processesWith } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { action, calls, repeated } from './workflow-lab.ts'
import type { JsonObject } from '../../src/core/kernel/json.ts'
import type { WorkflowCrashLab } from './workflow-lab.ts'

/** A moment at which the server is killed. */
export type WorkflowPoint = {
  /** Those of a group are reached together, and survive one kill. */
  readonly group: string
  readonly name: string
  /** Brings a job to that moment. */
  to(lab: WorkflowCrashLab): Promise<{
    /** The very last act before the kill. */
    last?: () => Promise<unknown>
    /** What happens while there is no server. */
    down?: () => void | Promise<void>
    /** What must be true after the next start. */
    after: () => Promise<void>
  }>
}

const asks = (id: string, more: JsonObject = {}): JsonObject => ({
  id,
  type: 'human_decision',
  parameters: { stepControlParams: [{ edgeId: `${id}>yes` }, { edgeId: `${id}>no` }], ...more },
})
const askPaths = ['start>ask', 'ask>yes:Yes', 'ask>no:No', 'yes>', 'no>']
const answers = [artifact('yes', '{{[ask].[path]}} by {{[ask].[user_name]}}'), artifact('no', 'no')]
const interrupted = /interrupted by a restart/

/** The moments between an event and the end of its job. */
export const workflowPoints: readonly WorkflowPoint[] = [
  {
    group: 'between events and their jobs',
    name: 'an event of a workflow was acknowledged',
    async to(lab) {
      const workflow = await lab.workflow('accepted', [artifact('one', '{{[start].[n]}}'), artifact('two', 'two')])
      const jobs: string[] = []
      return {
        last: async () => jobs.push(...(await Promise.all([1, 2, 3, 4].map((n) => lab.start(workflow, { n }))))),
        async after() {
          for (const [at, id] of jobs.entries()) {
            expect((await lab.ended(id)).status).toBe('succeeded')
            expect(await lab.artifacts(id)).toEqual([String(at + 1), 'two'])
          }
          expect(await lab.jobs(workflow)).toHaveLength(jobs.length)
        },
      }
    },
  },
  {
    group: 'between events and their jobs',
    name: 'an event of a trigger was acknowledged',
    async to(lab) {
      const start = await lab.trigger('shared', { type: 'api_trigger' })
      const workflows = [
        await lab.workflow('shared one', [artifact('one', '{{[start].[n]}}')], undefined, start),
        await lab.workflow('shared two', [artifact('one', '{{[start].[n]}}')], undefined, start),
      ]
      const { trigger_config_id: id } = start.parameters as { trigger_config_id: string }
      return {
        last: () => Promise.all([1, 2, 3].map((n) => lab.post(`/v2/trigger/${id}/events`, { n }))),
        after: async () => {
          for (const workflow of workflows) expect(await contents(lab, workflow, 3)).toEqual(['1', '2', '3'])
        },
      }
    },
  },
  {
    group: 'between events and their jobs',
    name: 'a push was taken that starts a workflow',
    async to(lab) {
      await lab.server.admin.ok('repository.create', { path: 'crash-trigger' })
      const start = await lab.trigger('pushed', { type: 'push', repository: 'crash-trigger' })
      const workflow = await lab.workflow('pushed', [artifact('one', '{{[start].[branch]}}')], undefined, start)
      return {
        last: async () => {
          const { code, err } = await pushTree(gitUrl(lab.server.url, 'crash-trigger', lab.server.admin), { a: 'b' }, 'released')
          expect(code, err).toBe(0)
        },
        after: async () => expect(await contents(lab, workflow, 1)).toEqual(['released']),
      }
    },
  },
  {
    group: 'while jobs wait',
    name: 'a decision was answered',
    async to(lab) {
      const id = await lab.start(await lab.workflow('answered', [asks('ask'), ...answers], askPaths))
      await lab.waits(id)
      return {
        last: () => lab.decide(id, 'ask', 'ask>yes'),
        async after() {
          expect((await lab.ended(id)).context.data.ask).toEqual({ path: 'Yes', user_name: 'ann', $success: true })
          expect(await lab.artifacts(id)).toEqual(['Yes by ann'])
          expect((await lab.send(`/v2/jobs/${id}/steps/ask/decision`, { path_uid: 'ask>no' })).status).toBe(409)
        },
      }
    },
  },
  {
    group: 'while jobs wait',
    name: 'a job waits for a decision',
    async to(lab) {
      const late = { timeout: 3600, timeoutEdgeId: 'ask>no' }
      const id = await lab.start(await lab.workflow('waits', [asks('ask', late), ...answers], askPaths))
      await lab.waits(id)
      const { until: deadline } = (await lab.job(id)).waiting_for[0]
      return {
        async after() {
          const job = await lab.job(id)
          expect(job).toMatchObject({ status: 'waiting', waiting_for: [{ step: 'ask', until: deadline }] })
          await lab.decide(id, 'ask', 'ask>no')
          expect((await lab.ended(id)).status).toBe('succeeded')
          expect(await lab.artifacts(id)).toEqual(['no'])
        },
      }
    },
  },
  {
    group: 'while jobs wait',
    name: 'the time of a decision ends while there is no server',
    async to(lab) {
      const late = { timeout: 0.6, timeoutEdgeId: 'ask>no' }
      const workflow = await lab.workflow('late', [asks('ask', late), ...answers], askPaths)
      let id = ''
      return {
        last: async () => {
          id = await lab.start(workflow)
        },
        down: () => new Promise((resolve) => setTimeout(resolve, 700)),
        async after() {
          expect((await lab.ended(id)).context.data.ask).toEqual({ path: 'No', user_name: '', $success: true })
          expect(await lab.artifacts(id)).toEqual(['no'])
        },
      }
    },
  },
  {
    group: 'while jobs wait',
    name: 'a delay goes on',
    async to(lab) {
      const id = await lab.start(
        await lab.workflow('delay', [action('pause', 'capstan/timers/1.0.0', 'delay', { delay: 3 }), artifact('after', 'x')]),
      )
      await lab.waits(id)
      const due = async () => (await lab.server.admin.ok('run.get', { run: id })).steps.find(({ key }: { key: string }) => key === 'pause').due_at
      const promised = await due()
      return {
        async after() {
          const job = await lab.ended(id)
          expect(job.status).toBe('succeeded')
          const { ended_at: end } = await lab.step(id, 'pause')
          expect(Date.parse(end)).toBeGreaterThanOrEqual(Date.parse(promised))
          expect(await lab.artifacts(id)).toEqual(['x'])
        },
      }
    },
  },
  {
    group: 'while steps call something',
    name: 'a call is in flight that nobody said may be made twice',
    async to(lab) {
      const url = lab.counter.address('gate', 'once')
      const stops = await lab.start(await lab.workflow('in flight', [calls('call', url), artifact('after', 'x')]))
      const goes = await lab.start(
        await lab.workflow('in flight, goes on', [calls('call', url, { continue_on_failure: true }), artifact('after', '{{[call].[$success]}}')]),
      )
      await until('both calls are made', () => lab.counter.visits('once') === 2)
      return {
        async after() {
          const job = await lab.ended(stops)
          expect(job).toMatchObject({ status: 'failed', failed_step: { name: 'call', message: expect.stringMatching(interrupted) } })
          expect(job.context.data.call).toEqual({ $success: false })
          expect(await lab.step(stops, 'call')).toMatchObject({ status: 'failed', error: expect.stringMatching(interrupted) })
          expect(await lab.artifacts(stops)).toEqual([])
          expect((await lab.ended(goes)).status).toBe('succeeded')
          expect(await lab.artifacts(goes)).toEqual(['false'])
          expect(lab.counter.visits('once')).toBe(2)
          // Who knows that it may be done twice runs it again from there.
          lab.counter.open('once')
          const { job_id: again } = await lab.post(`/v2/jobs/${stops}/rerun`, { from: 'failed_step' })
          expect((await lab.ended(again)).status).toBe('succeeded')
        },
      }
    },
  },
  {
    group: 'while steps call something',
    name: 'a call is in flight whose step says that it may be made twice',
    async to(lab) {
      const url = lab.counter.address('gate', 'twice')
      const id = await lab.start(await lab.workflow('in flight again', [calls('call', url, {}, repeated), artifact('after', '{{[call].[status]}}')]))
      await until('the call is made', () => lab.counter.visits('twice') === 1)
      return {
        down: () => lab.counter.open('twice'),
        async after() {
          expect((await lab.ended(id)).status).toBe('succeeded')
          expect(await lab.artifacts(id)).toEqual(['200'])
          expect(lab.counter.visits('twice')).toBe(2)
        },
      }
    },
  },
  {
    group: 'while steps call something',
    name: 'a loop inside of a loop stands in a round',
    async to(lab) {
      const list = ['a', 'b', 'c', 'd']
      const loop = (id: string, parent: string, inner: string, parameters: JsonObject) => ({
        id,
        type: 'loop',
        parent_id: parent,
        parameters: { innerEdgeId: inner, ...parameters },
      })
      const url = `${lab.counter.address('gate', 'round')}-{{[outer].[$index]}}-{{[inner].[$item]}}`
      const workflow = await lab.workflow(
        'rounds',
        [
          loop('outer', '', 'outer>inner', { repeatCount: 2 }),
          loop('inner', 'outer', 'inner>before', { repeatVariable: '{{[start].[list]}}' }),
          artifact('before', '{{[outer].[$index]}}{{[inner].[$item]}}', { parent_id: 'inner' }),
          calls('call', url, { parent_id: 'inner' }, repeated),
          artifact('after', '{{[outer].[$outputs]}}'),
        ],
        ['start>outer', 'outer>inner', 'inner>before', 'before>call', 'call>', 'outer>after'],
      )
      const open = ['0-a', '0-b', '0-c', '0-d', '1-a', '1-c', '1-d']
      for (const name of open) lab.counter.open(`round-${name}`)
      const id = await lab.start(workflow, { list })
      await until('the loop stands in its sixth round', () => lab.counter.visits('round-1-b') === 1)
      return {
        down: () => lab.counter.open('round-1-b'),
        async after() {
          const job = await lab.ended(id)
          expect(job.status).toBe('succeeded')
          const made = (await lab.artifacts(id)).slice(0, -1)
          expect(made).toEqual(['0a', '0b', '0c', '0d', '1a', '1b', '1c', '1d'])
          expect(open.map((name) => lab.counter.visits(`round-${name}`))).toEqual(open.map(() => 1))
          expect(lab.counter.visits('round-1-b')).toBe(2)
          expect(job.context.data.outer.$outputs).toHaveLength(2)
        },
      }
    },
  },
  {
    group: 'while jobs wait',
    name: 'a counted loop pauses between its rounds',
    async to(lab) {
      const loop = { id: 'L', type: 'loop', parameters: { repeatCount: 3, repeatDelay: 1.5, innerEdgeId: 'L>in' } }
      const inner = artifact('in', '{{[L].[$index]}}', { parent_id: 'L' })
      const id = await lab.start(await lab.workflow('paused', [loop, inner, artifact('after', 'x')], ['start>L', 'L>in', 'in>', 'L>after']))
      await until(
        'the first round is over and it waits',
        async () => (await lab.artifacts(id)).length === 1 && (await lab.job(id)).status === 'waiting',
      )
      return {
        async after() {
          const job = await lab.ended(id)
          expect(job.status).toBe('succeeded')
          expect(await lab.artifacts(id)).toEqual(['0', '1', '2', 'x'])
          expect(Date.parse(job.ended_at) - Date.parse(job.started_at)).toBeGreaterThanOrEqual(2000)
        },
      }
    },
  },
  {
    group: 'while jobs wait',
    name: 'a sub-workflow waits for a decision',
    async to(lab) {
      const { id: part } = await lab.server.admin.ok('workflow.create', { document: partDocument })
      await lab.server.admin.ok('workflow.activate', { workflow: part })
      const sub = { id: 'sub', type: 'snippet', parameters: { workflow_uid: part, input: { word: 'w' } } }
      const id = await lab.start(await lab.workflow('whole', [sub, artifact('after', '{{[sub].[told].[$matched]}}')]))
      const child = await until('the part waits', async () => (await lab.jobs(part)).find(({ status }) => status === 'waiting'))
      return {
        async after() {
          await until('the part waits again', async () => (await lab.job(child.id)).waiting_for.length === 1)
          await lab.decide(child.id, 'ask', 'ask>told')
          expect((await lab.ended(id)).status).toBe('succeeded')
          expect(await lab.artifacts(id)).toEqual(['true'])
          expect(await lab.jobs(part)).toHaveLength(1)
        },
      }
    },
  },
  {
    group: 'after orders and ends',
    name: 'a re-run was accepted',
    async to(lab) {
      const chat = { id: 'chat', type: 'action_chatops', continue_on_failure: true }
      const end = { id: 'end', type: 'filter', parameters: { stepControlParam: { expressionText: '{{[none].[x]}}' } } }
      const id = await lab.start(await lab.workflow('again', [artifact('one', 'one'), chat, end, artifact('two', 'two')]))
      expect((await lab.ended(id)).status).toBe('failed')
      let again = ''
      return {
        last: async () => {
          again = (await lab.post(`/v2/jobs/${id}/rerun`, { from: 'failed_step' })).job_id
        },
        async after() {
          expect(await lab.ended(again)).toMatchObject({ status: 'failed', group: id })
          expect(await lab.artifacts(again)).toEqual(['one'])
          expect((await lab.job(id)).status).toBe('retried')
        },
      }
    },
  },
  {
    group: 'after orders and ends',
    name: 'a cancel was acknowledged',
    async to(lab) {
      const url = lab.counter.address('gate', 'cancelled')
      const ids = [
        await lab.start(await lab.workflow('cancelled', [calls('call', url), artifact('after', 'x')])),
        await lab.start(await lab.workflow('cancelled, repeats', [calls('call', url, {}, repeated), artifact('after', 'x')])),
      ]
      await until('both calls are made', () => lab.counter.visits('cancelled') === 2)
      return {
        last: () => Promise.all(ids.map((id) => lab.post(`/v2/jobs/${id}/cancel`))),
        async after() {
          for (const id of ids) {
            expect((await lab.ended(id)).status).toBe('cancelled')
            expect(await lab.artifacts(id)).toEqual([])
          }
          expect(lab.counter.visits('cancelled')).toBe(2)
        },
      }
    },
  },
  {
    group: 'while steps call something',
    name: 'a step waits for the task that it deployed',
    async to(lab) {
      const path = 'crash-deployed'
      await lab.server.admin.ok('repository.create', { path })
      const script = `${lab.counter.hit('deployed')}\n${lab.counter.gate('deployed-end')}`
      const { code, err } = await pushTree(gitUrl(lab.server.url, path, lab.server.admin), shellTask('task', script))
      expect(code, err).toBe(0)
      const input = { repository: path, directory: 'task', namespace: path, wait: true }
      const deploy = action('deploy', 'capstan/capstan/1.0.0', 'deploy_task', input)
      const id = await lab.start(await lab.workflow('deploys', [deploy, artifact('after', '{{[deploy].[state]}}')]))
      await until('the task runs', () => lab.counter.visits('deployed-end') === 1)
      return {
        down: () => lab.counter.open('deployed-end'),
        async after() {
          expect(await lab.ended(id)).toMatchObject({ status: 'succeeded', failed_step: null })
          expect(await lab.artifacts(id)).toEqual(['succeeded'])
          expect(lab.counter.visits('deployed')).toBe(1)
        },
      }
    },
  },
  {
    group: 'between events and their jobs',
    name: 'a time trigger fires each second',
    async to(lab) {
      const start = await lab.trigger('each second', { type: 'timer', trigger_name: 'periodic', input: { period: 1 / 60, message: 'tick' } })
      const workflow = await lab.workflow('ticks', [artifact('one', '{{[start].[time]}}')], undefined, start)
      await until('it has fired', async () => (await lab.jobs(workflow)).length > 0)
      return {
        down: () => new Promise((resolve) => setTimeout(resolve, 2500)),
        async after() {
          const before = (await lab.jobs(workflow)).length
          await until('it fires again', async () => (await lab.jobs(workflow)).length > before)
          await lab.server.admin.ok('workflow.deactivate', { workflow })
          const jobs = await lab.jobs(workflow)
          const times = await contents(lab, workflow, jobs.length)
          // One job for one occurrence, and one catch-up for all that were missed.
          expect(new Set(times).size).toBe(jobs.length)
        },
      }
    },
  },
  {
    group: 'after orders and ends',
    name: 'a job has ended',
    async to(lab) {
      const workflow = await lab.workflow('ended', [artifact('one', 'one')])
      const job = await lab.ended(await lab.start(workflow))
      return {
        async after() {
          const { time_spent: _, ...now } = await lab.job(job.id)
          const { time_spent: __, ...then } = job
          expect(now).toEqual(then)
          expect(await lab.jobs(workflow)).toHaveLength(1)
        },
      }
    },
  },
  {
    group: 'while steps call something',
    name: 'a plugin is called',
    async to(lab) {
      await lab.slowPlugin()
      // Brought to its moment after all others: one of its calls is short.
      const wait = (seconds: string, parameters: JsonObject = {}) => action('wait', 'example/slow/1.0.0', 'wait', { seconds }, parameters)
      const [long, short] = ['617.25', '2.375']
      const stops = await lab.start(await lab.workflow('plugin', [wait(long), artifact('after', 'x')]))
      const goes = await lab.start(await lab.workflow('plugin ends', [wait(short), artifact('after', '{{[wait].[done]}}')]))
      const processes = (seconds: string) => processesWith(`SLOW_SECONDS=${seconds}`)
      await until('both processes run', () => [long, short].every((seconds) => processes(seconds).length > 0))
      const first = processes(long)
      return {
        async after() {
          expect((await lab.ended(goes)).status).toBe('succeeded')
          expect(await lab.artifacts(goes)).toEqual(['true'])
          expect((await lab.job(stops)).status).toBe('running')
          expect(processes(long)).toEqual(first)
          await lab.post(`/v2/jobs/${stops}/cancel`)
          expect((await lab.ended(stops)).status).toBe('cancelled')
          await until('its process is gone', () => processes(long).length === 0)
        },
      }
    },
  },
]

const partDocument: JsonObject = {
  name: 'part',
  type: 'snippet',
  steps: [
    { id: 'map', name: 'map', type: 'snippet_map', parent_id: '', parameters: { variables: [{ name: 'word', type: 'string' }] } },
    { id: 'ask', name: 'ask', type: 'human_decision', parent_id: '', parameters: { stepControlParams: [{ edgeId: 'ask>told' }] } },
    { id: 'told', name: 'told', type: 'pattern_match', parent_id: '', parameters: { input: '{{[map].[word]}}', expressionText: '{{w:/w/}}' } },
  ],
  paths: [
    { id: 'map>ask', from_step: 'map', to_step: 'ask' },
    { id: 'ask>told', from_step: 'ask', to_step: 'told', name: 'Told' },
  ],
}

/** What the jobs of a workflow have kept, when so many have ended, in the order of their texts. */
async function contents(lab: WorkflowCrashLab, workflow: string, count: number): Promise<string[]> {
  const jobs = await until(`${count} jobs have ended`, async () => {
    const found = await lab.jobs(workflow)
    return found.length >= count && found.every(({ ended_at }) => ended_at !== null) ? found : null
  })
  expect(jobs).toHaveLength(count)
  expect(jobs.map(({ status }) => status)).toEqual(jobs.map(() => 'succeeded'))
  return (await Promise.all(jobs.map(({ id }) => lab.artifacts(id)))).flat().sort()
}
