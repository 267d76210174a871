import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { compileWorkflow } from './compile.ts'
import { artifact, documentOf, trigger } from './workflow.suite.ts'
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

/** What rounds do that run at once, over the store that `config` names. */
export function parallelSuite(store: string, config: () => Promise<Partial<Config>>): void {
  describe(`rounds at once over ${store}`, () => {
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
    const start = async (workflow: string, message: JsonObject = {}): Promise<string> => (await app.system('workflow.run', { workflow, message })).id
    async function ended(job: string) {
      await until('the job has ended', async () => (await app.system('job.get', { job })).ended_at !== null)
      return app.system('job.get', { job })
    }
    const runOf = async (drawing: Drawn, message: JsonObject = {}) => ended(await start(await activate(drawing), message))
    const artifactsOf = async (job: string) =>
      (await app.system('job.list-artifacts', { job })).items.map((item: { content: string }) => item.content)

    test('take the time of the chunks and not of the rounds', async () => {
      const drawing = (name: string, parallel: JsonObject): Drawn => ({
        name,
        steps: [trigger, loop('L', 'L>wait', parallel), delay('wait', 0.2, { parent_id: 'L' })],
        paths: ['start>L', 'L>wait', 'wait>'],
      })
      const one = await runOf(drawing('one by one', {}), { list: numbers(10) })
      const many = await runOf(drawing('at once', { parallel: 5 }), { list: numbers(10) })
      expect([one.status, many.status]).toEqual(['succeeded', 'succeeded'])
      const ratio = many.time_spent / one.time_spent
      process.stdout.write(`10 rounds of 200 ms: ${one.time_spent} s one by one, ${many.time_spent} s five at once\n`)
      expect(ratio).toBeLessThan(0.45)
      expect(many.context.data.L.$outputs).toEqual(one.context.data.L.$outputs)
    })

    const collecting = (name: string, parallel: JsonObject): Drawn => ({
      name,
      steps: [
        trigger,
        artifact('before', '{{[start].[word]}}'),
        { id: 'p', type: 'pattern_match', parameters: { input: '{{[start].[word]}}', expressionText: '{{w:/[a-z]+/}}' } },
        loop('L', 'L>m', {
          ...parallel,
          nextEdgeId: 'L>after',
          customOutput: [
            { name: 'words', outputType: 'array', input: { expressionText: '{{[m].[$matched]}}', value: '{{[m].[w]}}!' } },
            { name: 'n', outputType: 'count', input: { expressionText: '{{[L].[$index]}} > 0' } },
          ],
        }),
        { id: 'm', type: 'pattern_match', parent_id: 'L', parameters: { input: '{{[L].[$item]}}', expressionText: '{{w:/[a-z]+/}}' } },
        { id: 'b', type: 'break', parent_id: 'L', parameters: { stepControlParam: { expressionText: '{{[L].[$item]}} = "c"' } } },
        artifact('in', '{{[L].[$item]}}{{[L].[$index]}} {{[p].[w]}} {{[m].[$matched]}} {{[start].[word]}}', { parent_id: 'L' }),
        artifact('after', '{{#each [L].[$outputs]}}{{[m].[w]}},{{/each}} {{[L].[words]}} {{[L].n}}'),
      ],
      paths: ['start>before', 'before>p', 'p>L', 'L>m', 'm>b', 'b>in', 'in>', 'L>after'],
    })

    test('give in order what they would give one by one, and see the steps before their loop', async () => {
      const message = { word: 'abc', list: ['a', 'b1', '22', 'd', 'e', 'f', 'g'] }
      const one = await runOf(collecting('collect', {}), message)
      const many = await runOf(collecting('collect at once', { parallel: 3 }), message)
      expect(many).toMatchObject({ failed_step: null, status: 'succeeded' })
      expect(await artifactsOf(many.id)).toEqual(await artifactsOf(one.id))
      expect((await artifactsOf(many.id))[3]).toBe('222 abc false abc')
      for (const name of ['L', 'm', 'in', 'after']) expect(many.context.data[name]).toEqual(one.context.data[name])
      const stepsOf = async (job: string) =>
        (await app.system('job.list-steps', { job })).items.map((item: { key: string; loop_index: number; output: unknown }) => [
          item.key,
          item.loop_index,
          item.output,
        ])
      expect(await stepsOf(many.id)).toEqual(await stepsOf(one.id))
      const again = await ended((await app.system('job.rerun', { job: many.id, from: 'after' })).id)
      expect(again.status).toBe('succeeded')
      expect(await artifactsOf(again.id)).toEqual(await artifactsOf(one.id))
      expect(await app.services.store.reader.runs.childrenOf(again.id)).toEqual([])
      expect(many.traversed_paths).toEqual(one.traversed_paths)
    })

    test('end with their chunk when one of them breaks the loop', async () => {
      const job = await runOf(collecting('break at once', { parallel: 2 }), { word: 'x', list: ['a', 'b', 'c', 'd', 'e', 'f'] })
      expect(job.status).toBe('succeeded')
      expect(job.context.data.L.$outputs).toHaveLength(4)
      expect(job.context.data.L.words).toEqual(['a!', 'b!', 'c!', 'd!'])
      expect(await artifactsOf(job.id)).toHaveLength(5)
      expect((await runOf(collecting('none at once', { parallel: 2 }), { word: 'x', list: [] })).context.data.L).toMatchObject({
        $outputs: [],
        words: [],
        n: 0,
      })
    })

    const failing = (name: string, parameters: JsonObject, more: JsonObject = {}): Drawn => ({
      name,
      steps: [
        trigger,
        loop('L', 'L>f', { parallel: 2, ...parameters }, more),
        {
          id: 'f',
          type: 'automated_decision',
          parent_id: 'L',
          parameters: { stepControlParams: [{ edgeId: 'f>in', expressionText: '{{[L].[$item].[ok]}}' }] },
        },
        artifact('in', '{{[L].[$index]}}', { parent_id: 'L' }),
        artifact('after', 'after'),
      ],
      paths: ['start>L', 'L>f', 'f>in:ok', 'in>', 'L>after'],
    })
    const list = [{ ok: true }, { ok: true }, {}, { ok: true }, { ok: true }]

    test('fail their loop when one of them fails, after its chunk has ended; they are run again with their loop', async () => {
      const workflow = await activate(failing('fail at once', {}))
      const job = await ended(await start(workflow, { list }))
      expect(job).toMatchObject({ status: 'failed', failed_step: { name: expect.stringMatching(/^[Lf]$/) } })
      expect(await artifactsOf(job.id)).toEqual(['0', '1', '3'])
      const { items } = await app.system('job.list-steps', { job: job.id })
      expect(items.find(({ status, step }: { status: string; step: string }) => status === 'failed' && step === 'f')).toMatchObject({
        key: 'L/3/f',
        loop_index: 2,
      })
      expect(items.find(({ key }: { key: string }) => key === 'L')).toMatchObject({ status: 'failed' })
      for (const from of ['failed_step', 'in', 'L']) {
        const again = await ended((await app.system('job.rerun', { job: job.id, from })).id)
        expect(again).toMatchObject({ status: 'failed' })
        expect(await artifactsOf(again.id)).toEqual(['0', '1', '3'])
      }
    })

    test('fail nothing but their loop where it goes on after a failure', async () => {
      const job = await runOf(failing('go on at once', {}, { continue_on_failure: true }), { list })
      expect(job).toMatchObject({ status: 'succeeded', context: { data: { L: { $success: false } } } })
      expect(await artifactsOf(job.id)).toEqual(['0', '1', '3', 'after'])
    })

    const collected = {
      customOutput: [{ name: 'all', outputType: 'array', input: { expressionText: '', value: '{{[A].[$index]}}{{[C].[$item]}}' } }],
    }

    test('may have loops inside of them, and be inside of loops, each seeing all around it', async () => {
      const nested = (name: string, [a, b, c]: readonly JsonObject[]): Drawn => ({
        name,
        steps: [
          trigger,
          loop('A', 'A>B', a),
          loop('B', 'B>C', b, { parent_id: 'A' }),
          loop('C', 'C>x', { ...c, ...collected, repeatVariable: '{{[B].[$item]}}' }, { parent_id: 'B' }),
          artifact('x', '{{[A].[$index]}}{{[B].[$index]}}{{[C].[$item]}}', { parent_id: 'C' }),
          artifact('y', '{{[A].[$index]}}: {{#each [C].[$outputs]}}{{[x].[$success]}}{{/each}} {{[C].[all]}}', { parent_id: 'B' }),
          artifact('z', '{{#each [B].[$outputs]}}{{[y].[$success]}}{{/each}}', { parent_id: 'A' }),
        ],
        paths: ['start>A', 'A>B', 'B>C', 'C>x', 'x>', 'C>y', 'y>', 'B>z', 'z>'],
      })
      const message = { list: [['p', 'q', 'r'], ['s']] }
      const one = await runOf(nested('nested', [{}, {}, {}]), message)
      const wanted = await artifactsOf(one.id)
      expect(wanted).toHaveLength(14)
      const ways = [
        [{ parallel: 2 }, {}, {}],
        [{}, { parallel: 2 }, {}],
        [{}, {}, { parallel: 2 }],
        [{ parallel: 2 }, { parallel: 2 }, { parallel: 2 }],
      ]
      for (const [at, way] of ways.entries()) {
        const job = await runOf(nested(`nested ${at}`, way), message)
        expect(job.status, `way ${at}`).toBe('succeeded')
        expect(await artifactsOf(job.id), `way ${at}`).toEqual(wanted)
        expect(job.context.data.A).toEqual(one.context.data.A)
      }
    })

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
        async () => (await app.system('job.get', { job })).next_steps.filter((step: string) => step === 'wait').length === 3,
      )
      for (const all_kinds of [false, true]) {
        const { items } = await app.system('job.list', { workflow, all_kinds })
        expect(items.map(({ id }: { id: string }) => id)).toEqual([job])
      }
      const listed = async (input: JsonObject) => (await app.system('run.list', { name: 'cancel at once', ...input })).items
      expect((await listed({})).map(({ id }: { id: string }) => id)).toEqual([job])
      expect(await listed({ kind: 'round' })).toHaveLength(3)
      const rounds = await app.services.store.reader.runs.childrenOf(job)
      expect(rounds).toHaveLength(3)
      await app.system('job.cancel', { job })
      expect((await ended(job)).status).toBe('cancelled')
      const states = async () => (await app.services.store.reader.runs.childrenOf(job)).map(({ state }) => state)
      await until('the rounds have ended', async () => (await states()).every((state) => state === 'cancelled'))
      await expect(app.system('run.retry', { run: rounds[0]?.id ?? '' })).rejects.toMatchObject({ code: 'state_conflict' })
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
      (await app.system('job.get', { job })).waiting_for
    const asks = (job: string, count: number) => until(`${count} ask`, async () => (await questions(job)).length === count)

    test('may each ask a person, who answers their job: the first that waits when nobody says which', async () => {
      const job = await start(await activate(asking('ask at once')), { list: ['a', 'b'] })
      await asks(job, 2)
      // The second answer does not wait until the job has gone on with the first.
      await app.system('job.decide', { job, step: 'ask', path: 'ask>yes' })
      await app.system('job.decide', { job, step: 'ask', path: 'ask>no' })
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
      const decide = (input: JsonObject) => app.system('job.decide', { job, step: 'ask', path: 'ask>yes', ...input })
      await decide({ key: 'L/3/ask' })
      await expect(decide({ key: 'L/3/ask' })).rejects.toMatchObject({ code: 'state_conflict' })
      for (const key of ['L/4/ask', 'ask', 'L/1', '']) await expect(decide({ key })).rejects.toMatchObject({ code: 'state_conflict' })
      const { items } = await app.system('job.list-steps', { job })
      const second = items.find(({ key }: { key: string }) => key === 'L/2/ask')
      await decide({ execution: second.execution, path: 'ask>no' })
      await asks(job, 1)
      expect(await questions(job)).toMatchObject([{ key: 'L/1/ask' }])
      await expect(decide({ execution: second.execution })).rejects.toMatchObject({ code: 'state_conflict' })
      await decide({})
      expect((await ended(job)).status).toBe('succeeded')
      expect(await artifactsOf(job)).toEqual(['a Yes', 'b No', 'c Yes'])
    })

    const statusOf = async (job: string): Promise<string> => (await app.system('job.get', { job })).status
    const isListed = async (job: string, status: string) =>
      (await app.system('job.list', { status, limit: 200 })).items.some(({ id }: { id: string }) => id === job)

    test('let their job wait when all of them only wait, and run when one of them does something', async () => {
      const waits = await start(await activate(asking('wait at once')), { list: ['a', 'b', 'c', 'd'] })
      await until('the job waits', async () => (await statusOf(waits)) === 'waiting')
      expect([await isListed(waits, 'waiting'), await isListed(waits, 'running')]).toEqual([true, false])
      for (const left of [2, 1]) {
        await app.system('job.decide', { job: waits, step: 'ask', path: 'ask>yes' })
        await asks(waits, left)
        await until('it waits again', async () => (await statusOf(waits)) === 'waiting')
      }
      await app.system('job.decide', { job: waits, step: 'ask', path: 'ask>yes' })
      // The next chunk has one round.
      await until('the last round asks', async () => (await questions(waits))[0]?.loop_index === 3)
      await until('it waits again', async () => (await statusOf(waits)) === 'waiting')
      await app.system('job.decide', { job: waits, step: 'ask', path: 'ask>yes' })
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
      await app.system('job.cancel', { job: mixed })
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
      const parts = (await app.system('job.list', { workflow: snippet })).items
      expect(parts.map(({ status }: { status: string }) => status)).toEqual(['waiting', 'waiting', 'waiting'])
      for (const { id } of parts) await app.system('job.decide', { job: id, step: 'ask', path: 'ask>told' })
      expect((await ended(job)).status).toBe('succeeded')
    })

    test('run snippets, go on after failures where their steps say so, and show no secret', async () => {
      await app.system('secret.set', { name: 'rounds', value: 'hush-hush-round' })
      const snippet = await activate({
        name: 'part of a round',
        type: 'snippet',
        steps: [
          { id: 'map', type: 'snippet_map' },
          loop('S', 'S>find', { repeatVariable: '{{[map].[list]}}', parallel: 2 }),
          { id: 'find', type: 'pattern_match', parent_id: 'S', parameters: { input: '{{[S].[$item]}}', expressionText: '{{digits:/\\d+/}}' } },
        ],
        paths: ['map>S', 'S>find', 'find>'],
      })
      const job = await runOf(
        {
          name: 'whole of rounds',
          steps: [
            trigger,
            loop('L', 'L>chat', { parallel: 3 }),
            { id: 'chat', type: 'action_chatops', parent_id: 'L', continue_on_failure: true },
            {
              id: 'sub',
              type: 'snippet',
              parent_id: 'L',
              parameters: { workflow_uid: snippet, input: { list: ['{{[L].[$item]}}', 'b2'] } },
            },
            artifact('out', '{{#each [sub].[S].[$outputs]}}{{[find].[digits]}},{{/each}} {{[chat].[$success]}} {{[start].[secret]}}', {
              parent_id: 'L',
            }),
          ],
          paths: ['start>L', 'L>chat', 'chat>sub', 'sub>out', 'out>'],
        },
        { list: ['a1', 'a11', 'a111', 'a1111'], secret: 'hush-hush-round' },
      )
      expect(job).toMatchObject({ status: 'succeeded', message: null })
      const shown = await artifactsOf(job.id)
      expect(shown.map((content: string) => content.split(' ').slice(0, 2).join(' '))).toEqual([
        '1,2, false',
        '11,2, false',
        '111,2, false',
        '1111,2, false',
      ])
      const steps = await app.system('job.list-steps', { job: job.id })
      expect(steps.items.filter(({ step }: { step: string }) => step === 'sub')).toHaveLength(4)
      expect(JSON.stringify([shown, steps, job])).not.toContain('hush-hush-round')
    })

    test('are refused where they are no whole number of rounds over a list, or too many in all', async () => {
      const refused = async (name: string, parameters: JsonObject, inner: JsonObject = {}) => {
        const steps = [trigger, loop('L', 'L>M', parameters), loop('M', 'M>x', inner, { parent_id: 'L' }), artifact('x', 'x', { parent_id: 'M' })]
        const { id } = await app.system('workflow.create', { document: documentOf({ name, steps, paths: ['start>L', 'L>M', 'M>x', 'x>'] }) })
        const error = await app.system('workflow.activate', { workflow: id }).catch((thrown: unknown) => thrown)
        return (error as { details: { findings: { step: string; input: string; message: string }[] } }).details.findings
      }
      for (const parallel of [1, 101, 2.5, '5', null]) {
        expect(await refused(`refused ${parallel}`, { parallel })).toEqual([
          { step: 'L', input: 'parallel', message: expect.stringContaining('from 2 to 100') },
        ])
      }
      expect(await refused('counts', { parallel: 2, repeatVariable: '', repeatCount: 3 })).toMatchObject([
        { message: expect.stringContaining('this one counts') },
      ])
      expect(await refused('too many', { parallel: 20 }, { parallel: 6 })).toMatchObject([
        { step: 'M', message: expect.stringContaining('120 rounds') },
      ])
    })

    test('leave a document without them as it was compiled before, and are a graph of their own', async () => {
      const compiledOf = async (name: string, parameters: JsonObject) => {
        const steps = [trigger, loop('L', 'L>x', parameters), artifact('x', 'x', { parent_id: 'L' })]
        const { id } = await app.system('workflow.create', { document: documentOf({ name, steps, paths: ['start>L', 'L>x', 'x>'] }) })
        const { draft_version } = await app.system('workflow.get', { workflow: id })
        const document = await app.services.workflows.document({ spec: { version_id: draft_version } })
        return compileWorkflow(document).nodes.find((node) => node.id === 'L')
      }
      expect(await compiledOf('plain', {})).toMatchObject({
        over: { items: 'steps["L~items"].output.items' },
        body: { nodes: [{ id: 'x', kind: 'call', input: { loop: '{{loop}}' } }], edges: [] },
      })
      // Values that mean nothing are left to validation, and run one by one in a test of the draft.
      expect(await compiledOf('plain of one', { parallel: 1 })).toEqual(await compiledOf('plain again', {}))
      expect(await compiledOf('lanes', { parallel: 2 })).toMatchObject({
        over: { items: 'steps["L~items"].output.chunks' },
        body: { nodes: [{ kind: 'pass' }, { id: 'L~lane0', kind: 'run' }, { id: 'L~lane1', kind: 'run' }, { id: 'L~joined', kind: 'call' }] },
      })
    })

    test('do not concern reminders, which are refused unless they are so many seconds and somebody is told', async () => {
      const refused = async (name: string, parameters: JsonObject) => {
        const ask = { id: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'ask>' }], ...parameters } }
        const { id } = await app.system('workflow.create', {
          document: documentOf({ name, steps: [trigger, ask], paths: ['start>ask', 'ask>:Yes'] }),
        })
        const error = await app.system('workflow.activate', { workflow: id }).catch((thrown: unknown) => thrown)
        return (error as { details?: { findings: JsonObject[] } }).details?.findings ?? []
      }
      const notifications = { userIdsForEmail: [1] }
      for (const reminder of [0, 0.5, -1, 3_000_000, '60', null]) {
        expect(await refused(`reminder ${reminder}`, { reminder, notifications })).toMatchObject([{ step: 'ask', input: 'reminder' }])
      }
      expect(await refused('nobody told', { reminder: 60 })).toMatchObject([{ message: expect.stringContaining('nobody is told') }])
      expect(await refused('told', { reminder: 60, notifications })).toEqual([])
    })
  })
}
