import { describe, expect, test } from 'vitest'
import { compileWorkflow } from './compile.ts'
import { artifact, documentOf, trigger } from './workflow.suite.ts'
import { delay, jobLab, loop, numbers } from './job-lab.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Config } from '../../../config/load.ts'
import type { Drawn } from './job-lab.suite.ts'

/** What rounds give that run at once, over the store that `config` names. */
export function parallelSuite(store: string, config: () => Promise<Partial<Config>>): void {
  describe(`rounds at once over ${store}`, () => {
    const { app, activate, start, ended, runOf, artifactsOf } = jobLab(config)

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
        (await app().system('job.list-steps', { job })).items.map((item: { key: string; loop_index: number; output: unknown }) => [
          item.key,
          item.loop_index,
          item.output,
        ])
      expect(await stepsOf(many.id)).toEqual(await stepsOf(one.id))
      const again = await ended((await app().system('job.rerun', { job: many.id, from: 'after' })).id)
      expect(again.status).toBe('succeeded')
      expect(await artifactsOf(again.id)).toEqual(await artifactsOf(one.id))
      expect(await app().services.store.reader.runs.childrenOf(again.id)).toEqual([])
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
      const { items } = await app().system('job.list-steps', { job: job.id })
      expect(items.find(({ status, step }: { status: string; step: string }) => status === 'failed' && step === 'f')).toMatchObject({
        key: 'L/3/f',
        loop_index: 2,
      })
      expect(items.find(({ key }: { key: string }) => key === 'L')).toMatchObject({ status: 'failed' })
      for (const from of ['failed_step', 'in', 'L']) {
        const again = await ended((await app().system('job.rerun', { job: job.id, from })).id)
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

    test('run snippets, go on after failures where their steps say so, and show no secret', async () => {
      await app().system('secret.set', { name: 'rounds', value: 'hush-hush-round' })
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
      const steps = await app().system('job.list-steps', { job: job.id })
      expect(steps.items.filter(({ step }: { step: string }) => step === 'sub')).toHaveLength(4)
      expect(JSON.stringify([shown, steps, job])).not.toContain('hush-hush-round')
    })

    test('are refused where they are no whole number of rounds over a list, or too many in all', async () => {
      const refused = async (name: string, parameters: JsonObject, inner: JsonObject = {}) => {
        const steps = [trigger, loop('L', 'L>M', parameters), loop('M', 'M>x', inner, { parent_id: 'L' }), artifact('x', 'x', { parent_id: 'M' })]
        const { id } = await app().system('workflow.create', { document: documentOf({ name, steps, paths: ['start>L', 'L>M', 'M>x', 'x>'] }) })
        const error = await app()
          .system('workflow.activate', { workflow: id })
          .catch((thrown: unknown) => thrown)
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
        const { id } = await app().system('workflow.create', { document: documentOf({ name, steps, paths: ['start>L', 'L>x', 'x>'] }) })
        const { draft_version } = await app().system('workflow.get', { workflow: id })
        const document = await app().services.workflows.document({ spec: { version_id: draft_version } })
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
        const { id } = await app().system('workflow.create', {
          document: documentOf({ name, steps: [trigger, ask], paths: ['start>ask', 'ask>:Yes'] }),
        })
        const error = await app()
          .system('workflow.activate', { workflow: id })
          .catch((thrown: unknown) => thrown)
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
