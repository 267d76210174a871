import { describe, expect, test } from 'vitest'
import { until } from '../../../../test/support/until.ts'
import { artifact, trigger } from './workflow.suite.ts'
import { delay, jobLab, loop, numbers } from './job-lab.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Config } from '../../../config/load.ts'
import type { Drawn } from './job-lab.suite.ts'

/** How rounds that run at once wait, ask and are cancelled, over the store that `config` names. */
export function waitingRoundsSuite(store: string, config: () => Promise<Partial<Config>>): void {
  describe(`rounds at once that wait over ${store}`, () => {
    const { app, activate, start, ended, artifactsOf } = jobLab(config)

    test('are cancelled with their job, and are no jobs of their own', async () => {
      const drawing: Drawn = {
        name: 'cancel at once',
        steps: [trigger, loop('L', 'L>wait', { parallel: 3 }), delay('wait', 3600, { parent_id: 'L' })],
        paths: ['start>L', 'L>wait', 'wait>'],
      }
      const workflow = await activate(drawing)
      const job = await start(workflow, { list: numbers(7) })
      await until(
        'three rounds wait',
        async () => (await app().system('job.get', { job })).next_steps.filter((step: string) => step === 'wait').length === 3,
      )
      for (const all_kinds of [false, true]) {
        const { items } = await app().system('job.list', { workflow, all_kinds })
        expect(items.map(({ id }: { id: string }) => id)).toEqual([job])
      }
      const listed = async (input: JsonObject) => (await app().system('run.list', { name: 'cancel at once', ...input })).items
      expect((await listed({})).map(({ id }: { id: string }) => id)).toEqual([job])
      expect(await listed({ kind: 'round' })).toHaveLength(3)
      const rounds = await app().services.store.reader.runs.childrenOf(job)
      expect(rounds).toHaveLength(3)
      await app().system('job.cancel', { job })
      expect((await ended(job)).status).toBe('cancelled')
      const states = async () => (await app().services.store.reader.runs.childrenOf(job)).map(({ state }) => state)
      await until('the rounds have ended', async () => (await states()).every((state) => state === 'cancelled'))
      await expect(app().system('run.retry', { run: rounds[0]?.id ?? '' })).rejects.toMatchObject({ code: 'state_conflict' })
    })

    const asking = (name: string): Drawn => ({
      name,
      steps: [
        trigger,
        loop('L', 'L>ask', { parallel: 3 }),
        { id: 'ask', type: 'human_decision', parent_id: 'L', parameters: { stepControlParams: [{ edgeId: 'ask>yes' }, { edgeId: 'ask>no' }] } },
        artifact('yes', '{{[L].[$item]}} {{[ask].[path]}}', { parent_id: 'L' }),
        artifact('no', '{{[L].[$item]}} {{[ask].[path]}}', { parent_id: 'L' }),
      ],
      paths: ['start>L', 'L>ask', 'ask>yes:Yes', 'ask>no:No', 'yes>', 'no>'],
    })
    const questions = async (job: string): Promise<{ key: string; loop_index: number; step: string }[]> =>
      (await app().system('job.get', { job })).waiting_for
    const asks = (job: string, count: number) => until(`${count} ask`, async () => (await questions(job)).length === count)

    test('may each ask a person, who answers their job: the first that waits when nobody says which', async () => {
      const job = await start(await activate(asking('ask at once')), { list: ['a', 'b'] })
      await asks(job, 2)
      // The second answer does not wait until the job has gone on with the first.
      await app().system('job.decide', { job, step: 'ask', path: 'ask>yes' })
      await app().system('job.decide', { job, step: 'ask', path: 'ask>no' })
      expect((await ended(job)).status).toBe('succeeded')
      expect(await artifactsOf(job)).toEqual(['a Yes', 'b No'])
    })

    test('take the answer that is meant for one of them, by its place in the job or its number', async () => {
      const job = await start(await activate(asking('ask which')), { list: ['a', 'b', 'c'] })
      await asks(job, 3)
      expect((await questions(job)).map(({ key, loop_index }) => [key, loop_index])).toEqual([
        ['L/1/ask', 0],
        ['L/2/ask', 1],
        ['L/3/ask', 2],
      ])
      const decide = (input: JsonObject) => app().system('job.decide', { job, step: 'ask', path: 'ask>yes', ...input })
      await decide({ key: 'L/3/ask' })
      await expect(decide({ key: 'L/3/ask' })).rejects.toMatchObject({ code: 'state_conflict' })
      for (const key of ['L/4/ask', 'ask', 'L/1', '']) await expect(decide({ key })).rejects.toMatchObject({ code: 'state_conflict' })
      const { items } = await app().system('job.list-steps', { job })
      const second = items.find(({ key }: { key: string }) => key === 'L/2/ask')
      await decide({ execution: second.execution, path: 'ask>no' })
      await asks(job, 1)
      expect(await questions(job)).toMatchObject([{ key: 'L/1/ask' }])
      await expect(decide({ execution: second.execution })).rejects.toMatchObject({ code: 'state_conflict' })
      await decide({})
      expect((await ended(job)).status).toBe('succeeded')
      expect(await artifactsOf(job)).toEqual(['a Yes', 'b No', 'c Yes'])
    })

    const statusOf = async (job: string): Promise<string> => (await app().system('job.get', { job })).status
    const isListed = async (job: string, status: string) =>
      (await app().system('job.list', { status, limit: 200 })).items.some(({ id }: { id: string }) => id === job)

    test('let their job wait when all of them only wait, and run when one of them does something', async () => {
      const waits = await start(await activate(asking('wait at once')), { list: ['a', 'b', 'c', 'd'] })
      await until('the job waits', async () => (await statusOf(waits)) === 'waiting')
      expect([await isListed(waits, 'waiting'), await isListed(waits, 'running')]).toEqual([true, false])
      for (const left of [2, 1]) {
        await app().system('job.decide', { job: waits, step: 'ask', path: 'ask>yes' })
        await asks(waits, left)
        await until('it waits again', async () => (await statusOf(waits)) === 'waiting')
      }
      await app().system('job.decide', { job: waits, step: 'ask', path: 'ask>yes' })
      // The next chunk has one round.
      await until('the last round asks', async () => (await questions(waits))[0]?.loop_index === 3)
      await until('it waits again', async () => (await statusOf(waits)) === 'waiting')
      await app().system('job.decide', { job: waits, step: 'ask', path: 'ask>yes' })
      expect((await ended(waits)).status).toBe('succeeded')

      const mixed = await start(
        await activate({
          name: 'wait and run at once',
          steps: [trigger, loop('L', 'L>wait', { parallel: 2 }), delay('wait', '{{[L].[$item]}}', { parent_id: 'L' })],
          paths: ['start>L', 'L>wait', 'wait>'],
        }),
        { list: [3600, 3600] },
      )
      await until('the job waits for the time', async () => (await statusOf(mixed)) === 'waiting')
      await app().system('job.cancel', { job: mixed })
      expect((await ended(mixed)).status).toBe('cancelled')
    })

    test('wait through loops inside of loops, and through snippets', async () => {
      const snippet = await activate({
        name: 'part that asks',
        type: 'snippet',
        steps: [
          { id: 'map', type: 'snippet_map' },
          { id: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'ask>told' }] } },
          { id: 'told', type: 'pattern_match', parameters: { input: 'x', expressionText: '{{w:/x/}}' } },
        ],
        paths: ['map>ask', 'ask>told:Told', 'told>'],
      })
      const inner = loop('M', 'M>sub', { repeatVariable: '{{[L].[$item]}}', parallel: 2 }, { parent_id: 'L' })
      const sub = { id: 'sub', type: 'snippet', parent_id: 'M', parameters: { workflow_uid: snippet, input: {} } }
      const job = await start(
        await activate({
          name: 'wait deep inside',
          steps: [trigger, loop('L', 'L>M', { parallel: 2 }), inner, sub],
          paths: ['start>L', 'L>M', 'M>sub', 'sub>'],
        }),
        { list: [['a', 'b'], ['c']] },
      )
      await until('the job waits', async () => (await statusOf(job)) === 'waiting')
      const parts = (await app().system('job.list', { workflow: snippet })).items
      expect(parts.map(({ status }: { status: string }) => status)).toEqual(['waiting', 'waiting', 'waiting'])
      for (const { id } of parts) await app().system('job.decide', { job: id, step: 'ask', path: 'ask>told' })
      expect((await ended(job)).status).toBe('succeeded')
    })
  })
}
