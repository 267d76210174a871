import { expect } from 'vitest'
import { artifact } from '../../src/core/workflow/job/workflow.suite.ts'
import { processesWith } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { action, calls, repeated } from './workflow-lab.ts'
import type { JsonObject } from '../../src/core/kernel/json.ts'
import type { WorkflowPoint } from './workflow-points.ts'

const group = 'while rounds run at once'
const interrupted = /interrupted by a restart/

const inside = { parent_id: 'L' }
/** A loop over the list of the event, and what its body begins with. */
const loop = (first: string, parameters: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  id: 'L',
  type: 'loop',
  parameters: { repeatVariable: '{{[start].[list]}}', innerEdgeId: `L>${first}`, parallel: 3, ...parameters },
  ...more,
})
const before = artifact('before', '{{[L].[$item]}} begins', inside)
const after = artifact('after', '{{[L].[$item]}} ends {{[L].[$index]}}', inside)
const last = artifact('last', 'last')
const paths = ['start>L', 'L>before', 'before>call', 'call>after', 'after>', 'L>last']
const both = (item: string, index: number) => [`${item} begins`, `${item} ends ${index}`]

/** Moments at which rounds of a loop with `parallel` are somewhere between their beginnings and their ends. */
export const roundPoints: readonly WorkflowPoint[] = [
  {
    group,
    name: 'calls of a later chunk are in flight that may be made twice',
    async to(lab) {
      const list = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
      const name = (item: string) => `chunk-${item}`
      const url = lab.counter.address('gate', 'chunk-{{[L].[$item]}}')
      for (const item of ['a', 'b', 'c', 'e']) lab.counter.open(name(item))
      const steps = [loop('before'), before, calls('call', url, inside, repeated), after, last]
      const id = await lab.start(await lab.workflow('chunks', steps, paths), { list })
      await until('two rounds of the second chunk call, and the third has ended', async () => {
        const waits = ['d', 'f'].every((item) => lab.counter.visits(name(item)) === 1)
        return waits && (await lab.artifacts(id)).includes('e ends 4')
      })
      return {
        down() {
          for (const item of list) lab.counter.open(name(item))
        },
        async after() {
          expect(await lab.ended(id)).toMatchObject({ status: 'succeeded', failed_step: null })
          expect(await lab.artifacts(id)).toEqual([...list.flatMap(both), 'last'])
          expect(list.map((item) => lab.counter.visits(name(item)))).toEqual([1, 1, 1, 2, 1, 2, 1])
          expect((await lab.job(id)).context.data.L.$outputs).toHaveLength(list.length)
        },
      }
    },
  },
  {
    group,
    name: 'a call is in flight that nobody said may be made twice',
    async to(lab) {
      const list = ['a', 'b', 'c', 'd']
      const begin = async (kind: string, more: JsonObject, ofLoop: JsonObject = {}) => {
        const name = (item: string) => `${kind}-${item}`
        const url = lab.counter.address('gate', `${kind}-{{[L].[$item]}}`)
        for (const item of ['a', 'c', 'd']) lab.counter.open(name(item))
        const steps = [loop('before', {}, ofLoop), before, calls('call', url, { ...inside, ...more }), after, last]
        const id = await lab.start(await lab.workflow(`rounds, ${kind}`, steps, paths), { list })
        await until('one round calls, and those beside it have ended', async () => {
          const kept = await lab.artifacts(id)
          return lab.counter.visits(name('b')) === 1 && kept.includes('a ends 0') && kept.includes('c ends 2')
        })
        return { id, visits: () => list.map((item) => lab.counter.visits(name(item))) }
      }
      const goOn = { continue_on_failure: true }
      const [stops, goes, passes] = [await begin('stops', {}), await begin('goes', goOn), await begin('passes', {}, goOn)]
      return {
        async after() {
          const job = await lab.ended(stops.id)
          expect(job).toMatchObject({ status: 'failed', failed_step: { message: expect.stringMatching(interrupted) } })
          expect(await lab.step(stops.id, 'call')).toMatchObject({ key: 'L/3/call', status: 'succeeded' })
          const { items } = await lab.server.admin.ok('job.list-steps', { job: stops.id })
          const cut = items.filter(({ step, status }: JsonObject) => step === 'call' && status === 'failed')
          expect(cut).toMatchObject([{ key: 'L/2/call', loop_index: 1, error: expect.stringMatching(interrupted) }])
          // Its chunk is ended, and no other begun.
          expect(await lab.artifacts(stops.id)).toEqual([...both('a', 0), 'b begins', ...both('c', 2)])
          expect(stops.visits()).toEqual([1, 1, 1, 0])
          expect((await lab.ended(goes.id)).status).toBe('succeeded')
          expect(await lab.artifacts(goes.id)).toEqual([...list.flatMap(both), 'last'])
          expect(goes.visits()).toEqual([1, 1, 1, 1])
          expect(await lab.ended(passes.id)).toMatchObject({ status: 'succeeded', context: { data: { L: { $success: false } } } })
          expect(await lab.artifacts(passes.id)).toEqual([...both('a', 0), 'b begins', ...both('c', 2), 'last'])
          // Who knows that it may be made twice begins the loop again.
          lab.counter.open('stops-b')
          const { job_id: again } = await lab.post(`/v2/jobs/${stops.id}/rerun`, { from: 'failed_step' })
          expect((await lab.ended(again)).status).toBe('succeeded')
          expect(await lab.artifacts(again)).toEqual([...list.flatMap(both), 'last'])
        },
      }
    },
  },
  {
    group,
    name: 'rounds wait for people, and one of them was just answered',
    async to(lab) {
      const ask = { id: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'ask>yes' }, { edgeId: 'ask>no' }] }, ...inside }
      const answer = (id: string) => artifact(id, '{{[L].[$item]}} {{[ask].[path]}} by {{[ask].[user_name]}}', inside)
      const ways = ['start>L', 'L>ask', 'ask>yes:Yes', 'ask>no:No', 'yes>', 'no>', 'L>last']
      const workflow = await lab.workflow('rounds ask', [loop('ask'), ask, answer('yes'), answer('no'), last], ways)
      const id = await lab.start(workflow, { list: ['a', 'b', 'c'] })
      const waiting = async (count: number) => (await lab.job(id)).waiting_for.length === count
      await until('all of them wait', () => waiting(3))
      await lab.waits(id)
      return {
        last: () => lab.decide(id, 'ask', 'ask>yes'),
        async after() {
          await until('two wait again', () => waiting(2))
          await lab.waits(id)
          expect((await lab.jobs(workflow)).map(({ status }) => status)).toEqual(['waiting'])
          for (const left of [1, 0]) {
            await lab.decide(id, 'ask', 'ask>no')
            await until('it has its answer', () => waiting(left))
          }
          expect((await lab.ended(id)).status).toBe('succeeded')
          expect(await lab.artifacts(id)).toEqual(['a Yes by ann', 'b No by ann', 'c No by ann', 'last'])
          expect((await lab.send(`/v2/jobs/${id}/steps/ask/decision`, { path_uid: 'ask>no' })).status).toBe(409)
        },
      }
    },
  },
  {
    group,
    name: 'rounds pause, of a loop inside of a loop',
    async to(lab) {
      const outer = { id: 'O', type: 'loop', parameters: { repeatCount: 2, innerEdgeId: 'O>L' } }
      const pause = { ...action('call', 'capstan/timers/1.0.0', 'delay', { delay: 1.5 }), ...inside }
      const kept = artifact('after', '{{[O].[$index]}}{{[L].[$item]}}', inside)
      const ways = ['start>O', 'O>L', 'L>call', 'call>after', 'after>', 'O>last']
      const id = await lab.start(await lab.workflow('rounds pause', [outer, loop('call', {}, { parent_id: 'O' }), pause, kept, last], ways), {
        list: ['a', 'b', 'c'],
      })
      await until('three rounds pause, a second time', async () => {
        const { next_steps } = await lab.job(id)
        return next_steps.filter((step: string) => step === 'call').length === 3 && (await lab.artifacts(id)).length === 3
      })
      return {
        async after() {
          expect((await lab.ended(id)).status).toBe('succeeded')
          expect(await lab.artifacts(id)).toEqual(['0a', '0b', '0c', '1a', '1b', '1c', 'last'])
        },
      }
    },
  },
  {
    group: 'while steps call something',
    name: 'a plugin is called by rounds at once',
    async to(lab) {
      await lab.slowPlugin()
      const call = (seconds: string, identifier: string) => ({
        ...action('call', 'example/slow/1.0.0', identifier, { seconds }),
        ...inside,
      })
      const [long, short] = ['617.5', '2.625']
      const stops = await lab.start(await lab.workflow('plugin in rounds', [loop('before'), before, call(long, 'wait'), after, last], paths), {
        list: ['a', 'b'],
      })
      const goes = await lab.start(await lab.workflow('plugin in rounds ends', [loop('before'), before, call(short, 'wait'), after, last], paths), {
        list: ['a', 'b'],
      })
      const processes = (seconds: string) => processesWith(`SLOW_SECONDS=${seconds}`)
      await until('all processes run', () => [long, short].every((seconds) => processes(seconds).length >= 2))
      const first = processes(long)
      return {
        async after() {
          expect((await lab.ended(goes)).status).toBe('succeeded')
          expect(await lab.artifacts(goes)).toEqual([...both('a', 0), ...both('b', 1), 'last'])
          expect(processes(long)).toEqual(first)
          await lab.post(`/v2/jobs/${stops}/cancel`)
          expect((await lab.ended(stops)).status).toBe('cancelled')
          expect(await lab.artifacts(stops)).toEqual(['a begins', 'b begins'])
          await until('their processes are gone', () => processes(long).length === 0)
        },
      }
    },
  },
]
