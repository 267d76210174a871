import { describe, expect, test } from 'vitest'
import { until } from '../../../../test/support/until.ts'
import { delay, jobLab, loop } from './job-lab.suite.ts'
import { artifact, trigger } from './workflow.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Config } from '../../../config/load.ts'

type Listed = { readonly id: string; readonly status: string }
type Step = { readonly step: string; readonly input: unknown; readonly error: string | null; readonly loop_index: number }

/** What a job tells of its steps, and lists of jobs, over the store that `config` names. */
export function toldSuite(store: string, config: () => Promise<Partial<Config>>): void {
  describe(`what is told of jobs over ${store}`, () => {
    const { app, activate, start, ended, runOf, artifactsOf } = jobLab(config)
    const stepsOf = async (job: string): Promise<Step[]> => (await app().system('job.list-steps', { job })).items
    const errorOf = async (job: string, step: string) => (await stepsOf(job)).findLast((each) => each.step === step)?.error
    const chat = (id: string, more: JsonObject = {}): JsonObject => ({ id, name: `Say ${id}`, type: 'action_chatops', ...more })
    const why = 'A step of type "action_chatops" is not supported'

    test('a failure inside of a snippet or a loop is told with the name of its step, never by its key', async () => {
      const part = await activate({ name: 'part', type: 'snippet', steps: [{ id: 'map', type: 'snippet_map' }, chat('boom')], paths: ['map>boom'] })
      const sub = (more: JsonObject = {}) => ({
        id: 'sub',
        name: 'Sub flow',
        type: 'snippet',
        parameters: { workflow_uid: part, input: { w: 'x' } },
        ...more,
      })
      const plain = await runOf({ name: 'plain', steps: [trigger, sub()], paths: ['start>sub'] })
      expect(plain.failed_step).toMatchObject({ name: 'Sub flow', message: expect.stringContaining(`The step "Say boom" of "part" failed: ${why}`) })
      expect(plain.message).toBe('The step "Sub flow" failed.')
      expect((await stepsOf(plain.id))[1]).toMatchObject({ input: { w: 'x' }, error: plain.failed_step.message })
      for (const parallel of [undefined, 2]) {
        const parameters = parallel === undefined ? {} : { parallel }
        const looped = await runOf(
          {
            name: `looped ${parallel}`,
            steps: [trigger, loop('L', 'L>sub', parameters), sub({ parent_id: 'L' })],
            paths: ['start>L', 'L>sub', 'sub>'],
          },
          { list: [1] },
        )
        expect(looped.failed_step).toMatchObject({ name: 'Sub flow', message: expect.stringContaining('The step "Say boom" of "part"') })
        expect(await errorOf(looped.id, 'L')).toContain(`The step "Sub flow" failed in round 1: The step "Say boom" of "part" failed: ${why}`)
      }
    })

    test('a loop with an empty body makes its rounds, and gives what it gives of them', async () => {
      const counting = { repeatVariable: '', repeatCount: 3, nextEdgeId: 'L>out', customOutput: [{ name: 'n', outputType: 'count', input: {} }] }
      const job = await runOf({
        name: 'empty',
        steps: [trigger, loop('L', 'L>', counting), artifact('out', '{{[L].[n]}} {{[L].[$outputs]}}')],
        paths: ['start>L', 'L>', 'L>out'],
      })
      expect(job).toMatchObject({ status: 'succeeded', failed_step: null })
      expect(await artifactsOf(job.id)).toEqual(['3 [{},{},{}]'])
    })

    const ids = (paths: readonly { id: string }[]) => paths.map(({ id }) => id)

    test('a job that stands in a loop tells the paths of the step where it stands, also those that a round before took', async () => {
      const ask = { id: 'ask', type: 'human_decision', parent_id: 'L', parameters: { stepControlParams: [{ edgeId: 'ask>a' }, { edgeId: 'ask>b' }] } }
      const workflow = await activate({
        name: 'stands',
        steps: [
          trigger,
          loop('L', 'L>ask', { nextEdgeId: 'L>out' }),
          ask,
          ...['a', 'b'].map((id) => artifact(id, id, { parent_id: 'L' })),
          artifact('out', 'x'),
        ],
        paths: ['start>L', 'L>ask', 'ask>a:A', 'ask>b:B', 'a>', 'b>', 'L>out'],
      })
      const job = await start(workflow, { list: [1, 2] })
      for (const [round, taken] of [
        [0, ['start>L', 'L>ask']],
        [1, ['start>L', 'L>ask', 'ask>a', 'a>']],
      ] as const) {
        await until('the round asks', async () => (await app().system('job.get', { job })).waiting_for[0]?.loop_index === round)
        const now = await app().system('job.get', { job })
        expect({ taken: ids(now.traversed_paths), next: ids(now.potential_next_paths), steps: now.next_steps }).toEqual({
          taken,
          next: ['ask>a', 'ask>b'],
          steps: ['ask'],
        })
        await app().system('job.decide', { job, step: 'ask', path: 'ask>a' })
      }
      expect(await ended(job)).toMatchObject({ potential_next_paths: [], next_steps: [] })
    })

    test('a job that failed in a loop, or before its first round, or left it by a break, tells the paths of where it stopped', async () => {
      const drawn = (name: string, inside: JsonObject) => ({
        name,
        steps: [
          trigger,
          loop('L', 'L>x', { nextEdgeId: 'L>out' }),
          { parent_id: 'L', id: 'x', ...inside },
          artifact('y', 'y', { parent_id: 'L' }),
          artifact('out', 'x'),
        ],
        paths: ['start>L', 'L>x', 'x>y', 'y>', 'L>out'],
      })
      const failed = await runOf(drawn('stopped', { type: 'action_chatops' }), { list: [1] })
      expect([ids(failed.traversed_paths), ids(failed.potential_next_paths)]).toEqual([['start>L', 'L>x'], ['x>y']])
      const none = await runOf(drawn('no list', { type: 'action_chatops' }), { list: 'none' })
      expect([ids(none.traversed_paths), ids(none.potential_next_paths)]).toEqual([['start>L'], ['L>out']])
      const empty = await runOf(drawn('no rounds', { type: 'action_chatops' }), { list: [] })
      expect([ids(empty.traversed_paths), ids(empty.potential_next_paths)]).toEqual([['start>L', 'L>out'], []])
      const left = await runOf(drawn('broken', { type: 'break', parameters: { stepControlParam: { expressionText: 'true' } } }), { list: [1, 2] })
      expect([ids(left.traversed_paths), ids(left.potential_next_paths)]).toEqual([['start>L', 'L>x', 'L>out'], []])
      const on = await runOf(
        {
          ...drawn('goes on', { type: 'action_chatops' }),
          steps: drawn('', { type: 'action_chatops' }).steps.map((step) =>
            'type' in step && step.type === 'loop' ? { ...step, continue_on_failure: true } : step,
          ),
        },
        { list: [1] },
      )
      expect([on.status, ids(on.traversed_paths), ids(on.potential_next_paths)]).toEqual(['succeeded', ['start>L', 'L>x', 'L>out'], []])
    })

    test('an artifact shows as its input what its content became', async () => {
      const job = await runOf({ name: 'input', steps: [trigger, artifact('a', 'for {{[start].[w]}}')], paths: ['start>a'] }, { w: 'you' })
      expect((await stepsOf(job.id))[1]).toMatchObject({ input: { content: 'for you' } })
    })

    test('a job that was cancelled between two rounds goes on with the round that it had come to', async () => {
      const pausing = { repeatVariable: '', repeatCount: 3, repeatDelay: 3600, nextEdgeId: 'L>out' }
      const workflow = await activate({
        name: 'pausing',
        steps: [trigger, loop('L', 'L>a', pausing), artifact('a', 'round {{[L].[$index]}}', { parent_id: 'L' }), artifact('out', 'out')],
        paths: ['start>L', 'L>a', 'a>', 'L>out'],
      })
      const job = await start(workflow)
      const pauses = async (id: string) =>
        (await app().services.store.reader.steps.ofRun(id)).some(({ key, state }) => key === 'L/2/L~pause' && state === 'waiting')
      await until('it pauses', () => pauses(job))
      await app().system('job.cancel', { job })
      await ended(job)
      const again = (await app().system('job.rerun', { job, from: 'failed_step' })).id
      await until('the next round pauses', () => pauses(again))
      // The first round is the one of before, and was not made a second time.
      const idsOf = async (id: string) => (await app().system('job.list-artifacts', { job: id })).items.map((item: { id: string }) => item.id)
      expect(await idsOf(again)).toEqual(await idsOf(job))
      expect(await artifactsOf(again)).toEqual(['round 0'])
      await app().system('job.cancel', { job: again })
      await ended(again)
    })

    test('a list in another order has every job once, also when jobs change their places while it is read', async () => {
      const waits = { name: 'places', steps: [trigger, delay('wait', 3600)], paths: ['start>wait'] }
      const workflow = await activate(waits)
      const jobs: string[] = []
      for (let at = 0; at < 6; at++) jobs.push(await start(workflow))
      const sort = [{ by: 'updated', direction: 'desc' }]
      const { items } = await app().system('job.list-ids', { workflow, sort })
      expect([...items].sort()).toEqual([...jobs].sort())
      expect(await app().system('job.list-ids', { workflow, sort, offset: 1, limit: 2 })).toEqual({ items: items.slice(1, 3) })
      const first = (await app().system('job.list', { jobs: items.slice(0, 3) })).items
      await app().system('job.cancel', { job: items[4] })
      await start(workflow)
      const rest = (await app().system('job.list', { jobs: items.slice(3), details: true })).items
      expect([...first, ...rest].map(({ id }: Listed) => id)).toEqual(items)
      expect(rest[1]).toMatchObject({ id: items[4], status: 'cancelled', next_steps: [] })
    })

    test('a list of named jobs has those that the caller may read, and no rounds', async () => {
      const workflow = await activate({ name: 'named', steps: [trigger, artifact('a', 'x')], paths: ['start>a'] })
      const job = await start(workflow)
      const reader = await app().person('reader')
      const listed = async (): Promise<Listed[]> => (await reader.ok('job.list', { jobs: [job, '6f1d0c1a-2b7e-4c55-9d10-000000000099'] })).items
      expect(await listed()).toEqual([])
      await app().system('grant.set', { to: 'user:reader', on: 'workflow:named', level: 'read' })
      expect((await listed()).map(({ id }) => id)).toEqual([job])
    })
  })
}
