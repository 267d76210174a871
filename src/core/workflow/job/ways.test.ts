import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { artifact, decision, documentOf, trigger } from './workflow.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { TestApp } from '../../../../test/support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await openApp()
})
afterAll(() => app.close())

let count = 0

async function create(steps: readonly JsonObject[], paths: readonly string[], more: { type?: 'snippet' } = {}): Promise<string> {
  return (await app.system('workflow.create', { document: documentOf({ name: `ways ${++count}`, steps, paths, ...more }) })).id
}

async function activate(...[steps, paths, more]: Parameters<typeof create>): Promise<string> {
  const id = await create(steps, paths, more)
  await app.system('workflow.activate', { workflow: id })
  return id
}

async function ended(job: string) {
  await until('the job has ended', async () => (await app.system('job.get', { job })).ended_at !== null)
  const artifacts = (await app.system('job.list-artifacts', { job })).items.map(({ content }: { content: string }) => content)
  const view = await app.system('job.get', { job })
  return { ...view, artifacts, taken: view.traversed_paths.map(({ id }: { id: string }) => id) }
}

async function run(steps: readonly JsonObject[], paths: readonly string[], message: JsonObject = {}) {
  return ended((await app.system('workflow.run', { workflow: await activate([trigger, ...steps], paths), message })).id)
}

const loop = (id: string, parameters: JsonObject, more: JsonObject = {}): JsonObject => ({ id, type: 'loop', parameters, ...more })
const filter = (id: string, rule: string, more: JsonObject = {}): JsonObject => ({
  id,
  type: 'filter',
  parameters: { stepControlParam: { expressionText: rule } },
  ...more,
})

describe('a disabled decision', () => {
  const join = (...edges: string[]): JsonObject => ({
    id: 'j',
    type: 'join',
    parameters: { decisionEdgeIds: edges, variableSets: [{ name: 'v', variables: Object.fromEntries(edges.map((edge) => [edge, edge])) }] },
  })

  test('takes its default and no other path, and joins with the values of that one', async () => {
    const job = await run(
      [decision('d', { a: 'true', b: '' }, { is_disabled: true }), artifact('a', 'a'), artifact('b', 'b'), join('d>a', 'd>b')],
      ['start>d', 'd>a', 'd>b', 'a>j', 'b>j', 'j>'],
    )
    expect(job).toMatchObject({ status: 'succeeded', artifacts: ['b'], taken: ['start>d', 'd>b', 'b>j', 'j>'] })
    expect(job.context.data).not.toHaveProperty('d')
    expect(job.context.data.j).toEqual({ v: 'd>b', $success: true })
  })

  test('of a person takes the path for nobody’s answer: who is not asked has consented to nothing', async () => {
    const choices = ['a', 'b', 'late'].map((to) => ({ edgeId: `h>${to}`, isTimeoutOnly: to === 'late' }))
    const asked = (parameters: JsonObject): JsonObject => ({
      id: 'h',
      type: 'human_decision',
      is_disabled: true,
      parameters: { stepControlParams: choices, ...parameters },
    })
    const ways = [artifact('a', 'a'), artifact('b', 'b'), artifact('late', 'late')]
    const paths = ['start>h', 'h>a', 'h>b', 'h>late', 'a>', 'b>', 'late>']
    expect((await run([asked({ timeout: 60, timeoutEdgeId: 'h>late' }), ...ways], paths)).artifacts).toEqual(['late'])
    expect((await run([asked({}), ...ways], paths)).artifacts).toEqual(['a'])
  })

  test('and a disabled loop take no path into what is passed over', async () => {
    const job = await run(
      [
        loop('L', { repeatCount: 2, innerEdgeId: 'L>x', nextEdgeId: 'L>z' }, { is_disabled: true }),
        artifact('x', 'x', { parent_id: 'L' }),
        artifact('z', 'z'),
      ],
      ['start>L', 'L>x', 'x>', 'L>z', 'z>'],
    )
    expect(job).toMatchObject({ artifacts: ['z'], taken: ['start>L', 'L>z', 'z>'] })
  })
})

test('steps of a draft that no path leads to do not run when it is tested', async () => {
  const id = await create(
    [
      trigger,
      loop('L', { repeatCount: 2, innerEdgeId: 'L>x' }),
      artifact('x', 'x', { parent_id: 'L' }),
      artifact('in', 'in', { parent_id: 'L' }),
      artifact('off', 'off'),
      artifact('z', 'z'),
    ],
    ['start>L', 'L>x', 'x>', 'L>z', 'off>z', 'z>'],
  )
  expect(await ended((await app.system('workflow.test', { workflow: id })).id)).toMatchObject({ status: 'succeeded', artifacts: ['x', 'x', 'z'] })
})

test('a question that nobody answers in time, without a path for that, takes none', async () => {
  const ask: JsonObject = {
    id: 'h',
    type: 'human_decision',
    parameters: { stepControlParams: [{ edgeId: 'h>a' }, { edgeId: 'h>b' }], timeout: 1 },
  }
  const job = await run([ask, artifact('a', 'a'), artifact('b', 'b')], ['start>h', 'h>a', 'h>b', 'a>', 'b>'])
  expect(job).toMatchObject({ status: 'failed', artifacts: [], taken: ['start>h'], potential_next_paths: [{ id: 'h>a' }, { id: 'h>b' }] })
})

test('a rule that cannot be told names the path of its step, also where the rule itself names none', async () => {
  const job = await run([filter('f', '{{nope}} = 1'), artifact('z', 'z')], ['start>f', 'f>z:go on', 'z>'])
  expect(job).toMatchObject({ status: 'failed', errors: [{ message: 'Error evaluating rule for path "go on": The variable nope wasn\'t defined' }] })
})

describe('a filter inside of a loop', () => {
  const list = { list: ['a', 'b', 'c'] }

  test('ends the job and not only its round, whatever is around the loop', async () => {
    const job = await run(
      [
        loop('A', { repeatCount: 2, innerEdgeId: 'A>B', nextEdgeId: 'A>z' }),
        loop('B', { repeatVariable: '{{[start].[list]}}', innerEdgeId: 'B>f', nextEdgeId: 'B>y' }, { parent_id: 'A' }),
        filter('f', '{{[B].[$item]}} != "b" or {{[A].[$index]}} = 0', { parent_id: 'B' }),
        artifact('x', '{{[A].[$index]}}{{[B].[$item]}}', { parent_id: 'B' }),
        artifact('y', 'y', { parent_id: 'A' }),
        artifact('z', 'z'),
      ],
      ['start>A', 'A>B', 'B>f', 'f>x', 'x>', 'B>y', 'y>', 'A>z', 'z>'],
      list,
    )
    expect(job).toMatchObject({ status: 'succeeded', artifacts: ['0a', '0b', '0c', 'y', '1a'] })
    expect(job.context.data).not.toHaveProperty('z')
    expect(job.taken.slice(-3)).toEqual(['B>f', 'f>x', 'x>'])
  })

  test('lets it go on where it stops nothing, and leaves what the loop gives as it is', async () => {
    const drawing = (rule: string) =>
      [
        loop('L', {
          repeatVariable: '{{[start].[list]}}',
          innerEdgeId: 'L>f',
          nextEdgeId: 'L>z',
          customOutput: [{ name: 'seen', outputType: 'array', input: { value: '{{[L].[$item]}}' } }],
        }),
        filter('f', rule, { parent_id: 'L' }),
        artifact('z', '{{[L].[seen]}}'),
      ] as const
    const paths = ['start>L', 'L>f', 'f>', 'L>z', 'z>']
    expect(await run(drawing('true'), paths, list)).toMatchObject({ artifacts: ['["a","b","c"]'] })
    const stopped = await run(drawing('{{[L].[$item]}} = "a"'), paths, list)
    expect(stopped).toMatchObject({ status: 'succeeded', artifacts: [] })
    expect(stopped.context.data.L).toMatchObject({ seen: ['a', 'b'], $success: true })
  })

  test('ends the job after the rounds that run at once with it', async () => {
    const job = await run(
      [
        loop('L', { repeatVariable: '{{[start].[list]}}', parallel: 2, innerEdgeId: 'L>f', nextEdgeId: 'L>z' }),
        filter('f', '{{[L].[$item]}} != "a"', { parent_id: 'L' }),
        artifact('x', '{{[L].[$item]}}', { parent_id: 'L' }),
        artifact('z', 'z'),
      ],
      ['start>L', 'L>f', 'f>x', 'x>', 'L>z', 'z>'],
      list,
    )
    expect(job).toMatchObject({ status: 'succeeded', artifacts: ['b'] })
  })
})

describe('the outputs of a loop', () => {
  const match = (id: string, input: string, more: JsonObject = {}): JsonObject => ({
    id,
    type: 'pattern_match',
    parameters: { input, expressionText: '{{w:/.+/}}' },
    ...more,
  })

  test('hold those of the loops inside, round by round', async () => {
    const job = await run(
      [
        loop('A', { repeatVariable: '{{[start].[lists]}}', innerEdgeId: 'A>B' }),
        loop(
          'B',
          {
            repeatVariable: '{{[A].[$item]}}',
            innerEdgeId: 'B>m',
            customOutput: [{ name: 'n', outputType: 'count', input: {} }],
          },
          { parent_id: 'A' },
        ),
        match('m', '{{[B].[$item]}}', { parent_id: 'B' }),
        artifact('z', '{{#each [A].[$outputs]}}{{[B].n}}:{{#each [B].[$outputs]}}{{[m].w}}{{/each}} {{/each}}'),
      ],
      ['start>A', 'A>B', 'B>m', 'm>', 'A>z', 'z>'],
      { lists: [['p', 'q'], ['r']] },
    )
    expect(job.artifacts).toEqual(['2:pq 1:r '])
    const entry = (w: string) => ({ m: { $matched: true, w, $success: true } })
    expect(job.context.data.A.$outputs).toEqual([
      { B: { $success: true, $outputs: [entry('p'), entry('q')], n: 2 } },
      { B: { $success: true, $outputs: [entry('r')], n: 1 } },
    ])
  })

  test('hold what the runs of snippets gave, round by round', async () => {
    const snippet = await activate([{ id: 'in', type: 'snippet_map' }, match('m', '{{[in].v}}')], ['in>m', 'm>'], { type: 'snippet' })
    const job = await run(
      [
        loop('L', { repeatVariable: '{{[start].[list]}}', innerEdgeId: 'L>s' }),
        { id: 's', type: 'snippet', parent_id: 'L', parameters: { workflow_uid: snippet, input: { v: '{{[L].[$item]}}' } } },
        artifact('z', '{{#each [L].[$outputs]}}{{[s].m.w}};{{/each}}'),
      ],
      ['start>L', 'L>s', 's>', 'L>z', 'z>'],
      { list: ['a', 'b'] },
    )
    expect(job.artifacts).toEqual(['a;b;'])
    expect(job.context.data.L.$outputs).toMatchObject([{ s: { m: { w: 'a' }, $success: true } }, { s: { m: { w: 'b' } } }])
  })

  test('are made in turns with everything else, however many rounds and however large what they look at', async () => {
    const began = performance.now()
    let [last, longest] = [began, 0]
    const turns = setInterval(() => {
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
    }, 5)
    const job = await run(
      [
        loop('L', {
          repeatCount: 400,
          innerEdgeId: 'L>m',
          customOutput: [{ name: 'n', outputType: 'count', input: { expressionText: '{{[start].[list]}} contains {{[L].[$index]}}' } }],
        }),
        match('m', 'a', { parent_id: 'L' }),
      ],
      ['start>L', 'L>m', 'm>'],
      { list: Array.from({ length: 100_000 }, (_, at) => at + 390) },
    )
    clearInterval(turns)
    expect(job.context.data.L.n).toBe(10)
    expect(longest).toBeLessThan((performance.now() - began) / 3)
  })

  test('have nothing for a step that did not run in a round, and not what it gave in another', async () => {
    const job = await run(
      [
        loop('L', { repeatVariable: '{{[start].[list]}}', innerEdgeId: 'L>d' }),
        decision('d', { m: '{{[L].[$item]}} != "b"', n: '' }, { parent_id: 'L' }),
        match('m', '{{[L].[$item]}}', { parent_id: 'L' }),
        artifact('n', 'n', { parent_id: 'L' }),
        artifact('z', '{{#each [L].[$outputs]}}{{#if [m].[$success]}}{{[m].w}}{{else}}-{{/if}}{{[start].[x]}}{{/each}}'),
      ],
      ['start>L', 'L>d', 'd>m', 'd>n', 'm>', 'n>', 'L>z', 'z>'],
      { list: ['a', 'b', 'c'], x: '.' },
    )
    expect(job.artifacts).toEqual(['n', 'a.-.c.'])
  })
})

test('the stack of a job is that of the loops it stands in, between their rounds too, and of none when it has left them', async () => {
  const workflow = await activate(
    [trigger, loop('L', { repeatCount: 2, repeatDelay: 1, innerEdgeId: 'L>x' }), artifact('x', 'x', { parent_id: 'L' })],
    ['start>L', 'L>x', 'x>'],
  )
  const { id } = await app.system('workflow.run', { workflow })
  const root = { parent_step_uid: '', parent_step_name: '', loop_index: -1 }
  const stack = async () => (await app.system('job.get', { job: id })).context.stack
  await until('it waits before its second round', async () => (await stack())[1]?.loop_index === 1)
  expect(await app.system('job.get', { job: id })).toMatchObject({
    status: 'waiting',
    context: { stack: [root, { parent_step_uid: 'L', parent_step_name: 'L', loop_index: 1 }] },
  })
  expect((await ended(id)).context.stack).toEqual([root])
})

test('an answer that comes with the end of its time is either taken or refused, and never taken and lost', async () => {
  const workflow = await activate(
    [
      trigger,
      {
        id: 'h',
        type: 'human_decision',
        parameters: {
          stepControlParams: [
            { edgeId: 'h>yes', isTimeoutOnly: false },
            { edgeId: 'h>late', isTimeoutOnly: true },
          ],
          timeout: 4,
          timeoutEdgeId: 'h>late',
        },
      },
      artifact('yes', 'yes'),
      artifact('late', 'late'),
    ],
    ['start>h', 'h>yes', 'h>late', 'yes>', 'late>'],
  )
  const jobs: string[] = []
  for (let at = 0; at < 24; at++) jobs.push((await app.system('workflow.run', { workflow })).id)
  const answered = await Promise.all(
    jobs.map(async (job, at) => {
      let due = 0
      await until('it waits', async () => {
        due = Date.parse((await app.system('job.get', { job })).waiting_for[0]?.until ?? '')
        return due > 0
      })
      // Spread over the moments around the end.
      await new Promise((resolve) => setTimeout(resolve, due - Date.now() + (at % 12) - 4))
      return app.system('job.decide', { job, step: 'h', path: 'h>yes' }).then(
        () => true,
        () => false,
      )
    }),
  )
  for (const [at, job] of jobs.entries())
    expect((await ended(job)).artifacts, `answer ${at} ${answered[at]}`).toEqual([answered[at] ? 'yes' : 'late'])
})
