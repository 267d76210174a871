import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { artifact, decision, documentOf, trigger } from './workflow.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { TestApp } from '../../../../test/support/app.ts'
import type { Config } from '../../../config/load.ts'

type Drawn = Parameters<typeof documentOf>[0]

/** What jobs and versions of workflows do, over the store that `config` names. */
export function jobSuite(store: string, config: () => Promise<Partial<Config>>): void {
  describe(`workflows over ${store}`, () => {
    let app: TestApp
    beforeAll(async () => {
      app = await openApp({ config: await config() })
    })
    afterAll(() => app.close())

    async function activate(drawing: Drawn): Promise<string> {
      const { id } = await app.system('workflow.create', { document: documentOf(drawing) })
      await app.system('workflow.activate', { workflow: id })
      return id
    }

    async function start(workflow: string, message: JsonObject = {}): Promise<string> {
      return (await app.system('workflow.run', { workflow, message })).id
    }

    async function ended(job: string) {
      await until('the job has ended', async () => (await app.system('job.get', { job })).ended_at !== null)
      return app.system('job.get', { job })
    }

    const runOf = async (drawing: Drawn, message: JsonObject = {}) => ended(await start(await activate(drawing), message))
    const artifactsOf = async (job: string) =>
      (await app.system('job.list-artifacts', { job })).items.map((item: { content: string }) => item.content)

    describe('a job', () => {
      test('walks the paths, and keeps what each step gave beside what it began with', async () => {
        const job = await runOf(
          {
            name: 'walk',
            steps: [trigger, artifact('Report', '{{[start].[text]}} of {{$job.[$name]}}'), { id: 'end', type: 'end' }],
            paths: ['start>Report', 'Report>end'],
          },
          { text: 'hello', job_id: 'mine', $id: 'other' },
        )
        expect(job).toMatchObject({ status: 'succeeded', type: 'active', name: 'walk', group: job.id, failed_step: null, errors: [], next_steps: [] })
        expect(job.context.data).toMatchObject({
          $id: job.id,
          $name: 'walk',
          $start_message: { text: 'hello', job_id: 'mine', $id: 'other' },
          start: { text: 'hello', job_id: 'mine', $id: 'other', $success: true },
          Report: { $success: true },
        })
        expect(job.context.stack).toEqual([{ parent_step_uid: '', parent_step_name: '', loop_index: -1 }])
        expect(job.traversed_paths.map(({ id }: { id: string }) => id)).toEqual(['start>Report', 'Report>end'])
        expect(job.potential_next_paths).toEqual([])
        expect(await artifactsOf(job.id)).toEqual(['hello of walk'])
      })

      const decided: Drawn = {
        name: 'decide',
        steps: [
          trigger,
          decision('size', { small: '', large: '{{[start].[n]}} > 10 and {{[start].[name]}} =~ /^a/', odd: '{{[start].[n]}} < 0' }),
          artifact('large', 'large'),
          artifact('odd', 'odd'),
          artifact('small', 'small'),
          {
            id: 'both',
            type: 'join',
            parameters: {
              decisionEdgeIds: ['size>small', 'size>large', 'size>odd'],
              variableSets: [
                { name: 'v', variables: { 'size>large': '{{[start].[n]}}', 'size>small': 'tiny' } },
                { name: 'w', variables: { 'size>odd': 'x' } },
              ],
            },
          },
        ],
        paths: ['start>size', 'size>small:is small', 'size>large:is large', 'size>odd:odd', 'large>both', 'odd>both', 'small>both'],
      }

      test('takes the first path whose rule holds, else the default, and joins with the values of that branch', async () => {
        const workflow = await activate(decided)
        const large = await ended(await start(workflow, { n: 11, name: 'ann' }))
        expect(large.context.data).toMatchObject({ size: { path: 'is large', $success: true }, both: { v: 11, $success: true } })
        expect(large.context.data).not.toHaveProperty('small')
        const small = await ended(await start(workflow, { n: 11, name: 'bob' }))
        expect(small.context.data).toMatchObject({ size: { path: 'is small' }, both: { v: 'tiny' } })
        expect((await ended(await start(workflow, { n: -1, name: 'x' }))).context.data.both).toEqual({ w: 'x', $success: true })
      })

      test('fails with the rule that cannot be told, by the name of its path', async () => {
        const job = await ended(await start((await app.system('workflow.get', { workflow: 'decide' })).id, { name: 'ann' }))
        expect(job).toMatchObject({
          status: 'failed',
          failed_step: { name: 'size', message: `Error evaluating rule for path "is large": The variable start.n wasn't defined` },
          errors: [{ step: 'size', message: expect.stringContaining("wasn't defined") }],
          rerunnable: true,
        })
        expect(job.context.data.size).toEqual({ $success: false })
        expect(job.potential_next_paths.map(({ id }: { id: string }) => id)).toEqual(['size>small', 'size>large', 'size>odd'])
      })

      test('ends well where a filter stops it, and passes disabled steps over', async () => {
        const filter = (stop: boolean) => ({
          id: 'f',
          type: 'filter',
          parameters: { stopOnMatch: stop, stepControlParam: { expressionText: '{{[start].[go]}}' } },
        })
        const drawing = (name: string, stop: boolean): Drawn => ({
          name,
          steps: [trigger, filter(stop), artifact('off', 'x', { is_disabled: true }), artifact('after', 'after')],
          paths: ['start>f', 'f>off', 'off>after'],
        })
        const stopped = await runOf(drawing('filter', false), { go: false })
        expect(stopped.status).toBe('succeeded')
        expect(Object.keys(stopped.context.data)).not.toContain('after')
        const passed = await runOf(drawing('filter not', true), { go: false })
        expect(passed.context.data.after).toEqual({ $success: true })
        expect(passed.context.data).not.toHaveProperty('off')
      })

      test('goes over a list round by round, leaves at a break, and collects what it is told to', async () => {
        const drawing: Drawn = {
          name: 'loop',
          steps: [
            trigger,
            {
              id: 'L',
              type: 'loop',
              parameters: {
                repeatVariable: '{{[start].[list]}}',
                innerEdgeId: 'L>m',
                nextEdgeId: 'L>after',
                customOutput: [
                  { name: 'words', outputType: 'array', input: { expressionText: '{{[m].[$matched]}}', value: '{{[m].[w]}}!' } },
                  { name: 'n', outputType: 'count', input: { expressionText: '{{[L].[$index]}} > 0' } },
                  { name: 'any', outputType: 'boolean', input: { expressionText: '{{[L].[$item]}} = "b1"', condition: 'any' } },
                  { name: 'all', outputType: 'boolean', input: { expressionText: '{{[L].[$index]}} < 9', condition: 'all' } },
                ],
              },
            },
            {
              id: 'm',
              type: 'pattern_match',
              parent_id: 'L',
              parameters: { input: '{{[L].[$item]}}', expressionText: '{{w:/[a-z]+/}}', captureAll: false },
            },
            { id: 'b', type: 'break', parent_id: 'L', parameters: { stepControlParam: { expressionText: '{{[L].[$item]}} = "c"' } } },
            artifact('in', '{{[L].[$item]}}{{[L].[$index]}}', { parent_id: 'L' }),
            artifact(
              'after',
              '{{#each [L].[$outputs]}}{{[m].[w]}}{{#unless @last}},{{/unless}}{{/each}} {{[L].[words]}} {{[L].n}}{{[L].any}}{{[L].all}}',
            ),
          ],
          paths: ['start>L', 'L>m', 'm>b', 'b>in', 'in>', 'L>after'],
        }
        const job = await runOf(drawing, { list: ['a', 'b1', '22', 'c', 'never'] })
        expect(job).toMatchObject({ failed_step: null, message: null, status: 'succeeded' })
        expect(await artifactsOf(job.id)).toEqual(['a0', 'b11', '222', 'a,b,,c ["a!","b!","c!"] 3truetrue'])
        expect(job.context.data.L.$outputs).toHaveLength(4)
        expect(job.context.data.m).toEqual({ $matched: true, w: 'c', $success: true })
        expect((await runOf({ ...drawing, name: 'loop of none' }, { list: [] })).context.data.L).toMatchObject({
          $outputs: [],
          words: [],
          n: 0,
          any: false,
          all: true,
        })
        const wrong = await runOf({ ...drawing, name: 'loop of nothing' }, { list: 5 })
        expect(wrong).toMatchObject({ status: 'failed', context: { data: { start: { $success: true } } } })
      })

      test('counts rounds, and loops inside of loops see both', async () => {
        const loop = (id: string, parameters: JsonObject, parent = '') => ({ id, type: 'loop', parent_id: parent, parameters })
        const job = await runOf(
          {
            name: 'nested',
            steps: [
              trigger,
              loop('A', { repeatCount: 2, innerEdgeId: 'A>B' }),
              loop('B', { repeatVariable: '{{[start].[list]}}', innerEdgeId: 'B>x' }, 'A'),
              artifact('x', '{{[A].[$index]}}{{[B].[$item]}}', { parent_id: 'B' }),
              artifact('y', '{{#each [B].[$outputs]}}{{[x].[$success]}}{{/each}}', { parent_id: 'A' }),
            ],
            paths: ['start>A', 'A>B', 'B>x', 'x>', 'B>y', 'y>'],
          },
          { list: ['p', 'q'] },
        )
        expect(await artifactsOf(job.id)).toEqual(['0p', '0q', 'truetrue', '1p', '1q', 'truetrue'])
      })

      test('waits for a person, who may take only what is a choice', async () => {
        const workflow = await activate({
          name: 'ask',
          steps: [
            trigger,
            {
              id: 'ask',
              type: 'human_decision',
              parameters: {
                stepControlParams: [{ edgeId: 'ask>yes' }, { edgeId: 'ask>no' }, { edgeId: 'ask>late', isTimeoutOnly: true }],
                timeout: 3600,
                timeoutEdgeId: 'ask>late',
              },
            },
            artifact('yes', '{{[ask].[path]}} by {{[ask].[user_name]}}'),
            artifact('no', 'no'),
            artifact('late', 'late'),
          ],
          paths: ['start>ask', 'ask>yes:Go on', 'ask>no:Stop', 'ask>late:Nobody'],
        })
        const job = await start(workflow)
        await until('it waits', async () => (await app.system('job.get', { job })).status === 'waiting')
        const waiting = await app.system('job.get', { job })
        expect(waiting.waiting_for).toMatchObject([
          { step: 'ask', name: 'ask', choices: [{ edge: 'ask>yes' }, { edge: 'ask>no' }, { timeout_only: true }] },
        ])
        expect(waiting).toMatchObject({ next_steps: ['ask'], ended_at: null })
        await expect(app.system('job.decide', { job, step: 'ask', path: 'ask>late' })).rejects.toThrow('only when nobody answers')
        await expect(app.system('job.decide', { job, step: 'ask', path: 'yes>x' })).rejects.toThrow('no choice')
        await expect(app.system('job.decide', { job, step: 'yes', path: 'ask>yes' })).rejects.toMatchObject({ code: 'state_conflict' })
        await app.system('job.decide', { job, step: 'ask', path: 'ask>yes' })
        expect((await ended(job)).context.data.ask).toEqual({ path: 'Go on', user_name: 'system', $success: true })
        expect(await artifactsOf(job)).toEqual(['Go on by system'])
        await expect(app.system('job.decide', { job, step: 'ask', path: 'ask>no' })).rejects.toMatchObject({ code: 'state_conflict' })
      })

      test('takes the path for that when nobody decides in time, recorded as nobody', async () => {
        const job = await runOf({
          name: 'late',
          steps: [
            trigger,
            {
              id: 'ask',
              type: 'human_decision',
              parameters: { stepControlParams: [{ edgeId: 'ask>yes' }], timeout: 0.05, timeoutEdgeId: 'ask>late' },
            },
            artifact('yes', 'yes'),
            artifact('late', 'late {{[ask].[path]}}'),
          ],
          paths: ['start>ask', 'ask>yes:Yes', 'ask>late:Late'],
        })
        expect(job).toMatchObject({ status: 'succeeded', context: { data: { ask: { path: 'Late', user_name: '', $success: true } } } })
        expect(await artifactsOf(job.id)).toEqual(['late Late'])
      })

      test('fails by the name of the step when nobody decides in time and no path is there for that', async () => {
        const job = await runOf({
          name: 'too late',
          steps: [
            trigger,
            { id: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'ask>yes' }], timeout: 0.05 } },
            artifact('yes', 'yes'),
          ],
          paths: ['start>ask', 'ask>yes:Yes'],
        })
        expect(job).toMatchObject({ status: 'failed', failed_step: { name: 'ask', message: expect.stringContaining('Nobody decided in time') } })
        expect(job.context.data.ask).toEqual({ $success: false })
        expect(await artifactsOf(job.id)).toEqual([])
      })

      test('runs a snippet as a step, with its input, and gets what its steps gave', async () => {
        const snippet = await activate({
          name: 'part',
          type: 'snippet',
          steps: [
            { id: 'map', type: 'snippet_map', parameters: { variables: [{ name: 'word', type: 'string' }] } },
            { id: 'find', type: 'pattern_match', parameters: { input: '{{[map].[word]}}', expressionText: '{{digits:/\\d+/}}' } },
          ],
          paths: ['map>find'],
        })
        const job = await runOf(
          {
            name: 'whole',
            steps: [
              trigger,
              { id: 'sub', type: 'snippet', parameters: { workflow_uid: snippet, input: { word: '{{[start].[w]}}' } } },
              artifact('out', '{{[sub].[find].[digits]}}'),
            ],
            paths: ['start>sub', 'sub>out'],
          },
          { w: 'ab12c' },
        )
        expect(job.status).toBe('succeeded')
        expect(await artifactsOf(job.id)).toEqual(['12'])
      })

      test('goes on after a failure where the step says so, with an entry that says that it failed', async () => {
        const chat = { id: 'chat', type: 'action_chatops' }
        const job = await runOf({
          name: 'go on',
          steps: [trigger, { ...chat, continue_on_failure: true }, artifact('after', 'after {{[chat].[$success]}}')],
          paths: ['start>chat', 'chat>after'],
        })
        expect(job).toMatchObject({ status: 'succeeded', context: { data: { chat: { $success: false } } } })
        expect(await artifactsOf(job.id)).toEqual(['after false'])
        const failed = await runOf({ name: 'stop', steps: [trigger, chat, artifact('after', 'x')], paths: ['start>chat', 'chat>after'] })
        expect(failed).toMatchObject({ status: 'failed', failed_step: { name: 'chat', message: expect.stringContaining('not supported') } })
        const { items } = await app.system('job.list-steps', { job: failed.id })
        expect(items.map((item: { name: string; status: string }) => `${item.name} ${item.status}`)).toEqual(['start succeeded', 'chat failed'])
      })

      test('is run again from its failed step with a newer version, and is marked for that', async () => {
        const drawing: Drawn = {
          name: 'again',
          steps: [trigger, artifact('one', 'one'), { id: 'two', type: 'action_chatops' }],
          paths: ['start>one', 'one>two'],
        }
        const workflow = await activate(drawing)
        const job = await ended(await start(workflow, { n: 1 }))
        await expect(app.system('job.rerun', { job: job.id, from: 'nowhere' })).rejects.toMatchObject({ code: 'malformed_request' })
        const never = '6f1d0c1a-2b7e-4c55-9d10-000000000099'
        await expect(app.system('job.rerun', { job: job.id, from: never })).rejects.toMatchObject({ code: 'state_conflict' })
        await app.system('workflow.update', {
          workflow,
          document: documentOf({ ...drawing, steps: [trigger, artifact('one', 'changed'), artifact('two', 'mended {{[start].n}}')] }),
        })
        await app.system('workflow.activate', { workflow })
        const again = await ended((await app.system('job.rerun', { job: job.id, from: 'failed_step', version: 'active' })).id)
        expect(again).toMatchObject({ status: 'succeeded', group: job.id })
        expect(again.version).not.toBe(job.version)
        expect(await artifactsOf(again.id)).toEqual(['one', 'mended 1'])
        expect((await app.system('job.get', { job: job.id })).status).toBe('retried')
        const whole = await ended((await app.system('job.rerun', { job: again.id })).id)
        expect(await artifactsOf(whole.id)).toEqual(['changed', 'mended 1'])
        expect((await app.system('job.get', { job: again.id })).status).toBe('succeeded')
      })

      test('is run again from the step behind a decision, which is not made a second time', async () => {
        const steps = [trigger, decision('way', { left: '{{[start].n}} = 1', right: '' }), artifact('left', 'left'), artifact('right', 'right')]
        const workflow = await activate({ name: 'behind', steps, paths: ['start>way', 'way>left:L', 'way>right:R'] })
        const job = await ended(await start(workflow, { n: 1 }))
        const again = await ended((await app.system('job.rerun', { job: job.id, from: 'left' })).id)
        expect(again).toMatchObject({ status: 'succeeded', context: { data: { way: { path: 'L' }, left: { $success: true } } } })
        expect(again.context.data).not.toHaveProperty('right')
      })

      test('may be dismissed when it failed, given an owner, and cancelled while it goes on', async () => {
        const workflow = await activate({ name: 'marks', steps: [trigger, { id: 'c', type: 'action_chatops' }], paths: ['start>c'] })
        const { id: job } = await ended(await start(workflow))
        const { serial: owner } = await app.system('user.create', { name: 'looks-after', password: 'a long enough secret' })
        await app.system('job.update', { job, owned_by: owner, investigation: 'INC-1' })
        await expect(app.system('job.update', { job, owned_by: owner + 1 })).rejects.toMatchObject({ code: 'malformed_request' })
        expect(await app.system('job.dismiss', { job })).toMatchObject({ status: 'dismissed', owned_by: owner, investigation: 'INC-1' })
        await expect(app.system('job.dismiss', { job })).rejects.toMatchObject({ code: 'state_conflict' })
        await expect(app.system('job.cancel', { job })).rejects.toMatchObject({ code: 'state_conflict' })
        const waiting = await start((await app.system('workflow.get', { workflow: 'ask' })).id)
        await app.system('job.cancel', { job: waiting })
        expect((await ended(waiting)).status).toBe('cancelled')
      })
    })

    describe('starting a workflow', () => {
      const typed: Drawn = {
        name: 'typed',
        steps: [{ ...trigger, parameters: { trigger_config_id: 'tr' } }, artifact('out', '{{[start].[n]}}{{[start].[more]}}')],
        paths: ['start>out'],
        triggers: [
          {
            id: 'tr',
            name: 'Start',
            type: 'api_trigger',
            api_variables: [
              { name: 'n', type: 'integer' },
              { name: 'l', type: 'array' },
            ],
          },
        ],
      }

      test('keeps every character of a message, also those that no column takes as they are', async () => {
        const workflow = await activate({ name: 'characters', steps: [trigger, artifact('out', '{{[start].[a]}}')], paths: ['start>out'] })
        const message = { a: 'x\u0000y\ud800 \u{1f600}', '\u0000': '\u0000', ['__proto__']: { b: 1 } }
        const job = await ended(await start(workflow, message))
        expect(job.status).toBe('succeeded')
        expect(JSON.stringify(job.context.data.$start_message)).toBe(JSON.stringify(message))
        expect(await artifactsOf(job.id)).toEqual([message.a])
      })

      test('refuses variables of another type by name; what is not declared stays in the message', async () => {
        const workflow = await activate(typed)
        await expect(start(workflow, { n: 'five' })).rejects.toThrow('the variable "n" is a whole number')
        await expect(start(workflow, { n: 1, l: {} })).rejects.toThrow('the variable "l" is an array')
        const job = await ended(await start(workflow, { n: 5, more: 'x' }))
        expect(await artifactsOf(job.id)).toEqual(['5'])
        expect(job.context.data).toMatchObject({ $start_message: { n: 5, more: 'x' }, start: { n: 5, $success: true } })
      })

      test('is refused while it is not active, and a draft is only tested', async () => {
        const { id } = await app.system('workflow.create', { document: documentOf({ ...typed, name: 'drafted' }) })
        await expect(start(id)).rejects.toMatchObject({ code: 'state_conflict' })
        const job = await ended((await app.system('workflow.test', { workflow: id, message: { n: 1 } })).id)
        expect(job).toMatchObject({ type: 'test', status: 'succeeded' })
        await app.system('workflow.activate', { workflow: id })
        await app.system('workflow.deactivate', { workflow: id })
        await expect(start(id)).rejects.toMatchObject({ code: 'state_conflict' })
      })

      test('is refused to whoever may not see it, and to whoever may only read it', async () => {
        const eve = await app.person('eve')
        expect((await eve.call('workflow.run', { workflow: 'walk' })).status).toBe(404)
        await app.system('grant.set', { to: 'user:eve', on: 'workflow:walk', level: 'read' })
        expect((await eve.call('workflow.get', { workflow: 'walk' })).status).toBe(200)
        expect((await eve.call('workflow.run', { workflow: 'walk' })).status).toBe(403)
        await app.system('grant.set', { to: 'user:eve', on: 'workflow:walk', level: 'execute' })
        expect((await eve.call('workflow.run', { workflow: 'walk' })).status).toBe(200)
        expect((await eve.call('workflow.create', { document: documentOf({ name: 'hers', steps: [], paths: [] }) })).status).toBe(403)
      })
    })

    describe('a version', () => {
      test('is activated only when nothing stands against it, and everything that does is said at once', async () => {
        const { id } = await app.system('workflow.create', { document: documentOf({ name: 'broken', steps: [artifact('a', '{{#if}}')], paths: [] }) })
        await expect(app.system('workflow.activate', { workflow: id })).rejects.toMatchObject({
          code: 'content_invalid',
          details: { findings: [{ message: expect.stringContaining('exactly one trigger') }, { step: 'a', input: 'input.content' }] },
        })
        expect(await app.system('workflow.get', { workflow: id })).toMatchObject({ status: 'draft', published_version: null })
      })

      test('goes on while another draft is made, is compared with it, and is activated again', async () => {
        const drawing: Drawn = { name: 'versions', steps: [trigger, artifact('a', 'one')], paths: ['start>a'] }
        const workflow = await activate(drawing)
        const first = (await app.system('workflow.get', { workflow })).active_version
        await app.system('workflow.update', {
          workflow,
          document: { ...documentOf({ ...drawing, steps: [trigger, artifact('a', 'two')] }), tags: ['t'] },
        })
        const draft = await app.system('workflow.get', { workflow })
        expect(draft).toMatchObject({ status: 'active', active_version: first, draft_version: expect.any(String), tags: ['t'] })
        expect(await artifactsOf((await ended(await start(workflow))).id)).toEqual(['one'])
        const { differences } = await app.system('workflow.diff', { workflow, from: first, to: draft.draft_version })
        expect(differences).toEqual([
          { what: 'workflow', id: '', name: 'versions', change: 'changed', members: ['tags'] },
          { what: 'step', id: 'a', name: 'a', change: 'changed', members: ['parameters'] },
        ])
        await app.system('workflow.activate', { workflow })
        expect(await artifactsOf((await ended(await start(workflow))).id)).toEqual(['two'])
        await expect(app.system('workflow.activate', { workflow })).rejects.toMatchObject({ code: 'state_conflict' })
        const { items } = await app.system('workflow.list-versions', { workflow })
        expect(
          items.map(({ number, active, draft: isDraft }: { number: number; active: boolean; draft: boolean }) => [number, active, isDraft]),
        ).toEqual([
          [2, true, false],
          [1, false, false],
        ])
      })

      test('is exported and imported again: another workflow of another name', async () => {
        const { file } = await app.system('workflow.export', { workflow: 'decide' })
        const { items, warnings } = await app.system('workflow.import', { file })
        expect(items[0]).toMatchObject({ name: 'decide (2)', status: 'draft' })
        expect(warnings).toEqual(['decide: a workflow of that name exists, so it is called "decide (2)"'])
        const again = await app.system('workflow.export', { workflow: items[0].id })
        expect(again.file.workflows[0].steps).toEqual(file.workflows[0].steps)
        expect(again.file.workflows[0].paths).toEqual(file.workflows[0].paths)
      })
    })
  })
}
