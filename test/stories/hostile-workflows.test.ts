import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { artifact, decision, documentOf, trigger } from '../../src/core/workflow/job/workflow.suite.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { JsonObject } from '../../src/core/kernel/json.ts'
import type { Reply } from '../support/client.ts'
import type { Person, Server } from '../support/server.ts'

// Somebody who may edit workflows, and nothing else, tries to stop the server with what a workflow may hold.

vi.setConfig({ testTimeout: 60_000 })

/** The longest that anybody else may have to wait meanwhile, on a machine that other tests share. */
const longestStallMs = 3_000

let server: Server
let eve: Person
beforeAll(async () => {
  server = await startServer()
  eve = await server.person('eve')
  await server.admin.ok('grant.set', { to: 'user:eve', on: 'system:system', level: 'none', extras: ['workflow.modify'] })
}, 60_000)
afterAll(() => server?.close(), 30_000)

/** What came of it, while others were answered all the time. */
async function meanwhile<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  let longest = 0
  let going = true
  const others = (async () => {
    while (going) {
      const began = performance.now()
      expect((await server.nobody.get('/healthz')).status).toBe(200)
      longest = Math.max(longest, performance.now() - began)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  try {
    return await work()
  } finally {
    going = false
    await others
    expect(longest, `others waited while ${what}`).toBeLessThan(longestStallMs)
  }
}

let count = 0
const headers = { 'content-type': 'application/json' }
const post = (path: string, body: JsonObject = {}) => eve.request('POST', path, { headers, body: JSON.stringify(body) })
const create = (document: JsonObject) => post('/v2/workflows', document)
const named = (drawing: Omit<Parameters<typeof documentOf>[0], 'name'>): JsonObject => documentOf({ name: `hostile ${++count}`, ...drawing })
const ok = (reply: Reply) => {
  expect(reply.status, reply.text.slice(0, 500)).toBe(200)
  return reply.json
}
const refused = (reply: Reply) => {
  expect(reply.status, reply.text.slice(0, 500)).toBeGreaterThanOrEqual(400)
  expect(reply.status, reply.text.slice(0, 500)).toBeLessThan(500)
  return reply
}
const stored = async (document: JsonObject): Promise<string> => ok(await create(document)).workflow_uid
const activate = (workflow: string) => post(`/v2/workflows/${workflow}/activate`)
async function activated(document: JsonObject): Promise<string> {
  const workflow = await stored(document)
  ok(await activate(workflow))
  return workflow
}
/** What stands against activating a document. */
async function findingsOf(document: JsonObject): Promise<JsonObject[]> {
  const { json } = refused(await activate(await stored(document)))
  return json.errors
}
async function run(workflow: string, message: JsonObject = {}) {
  const { job_id: id } = ok(await post(`/v2/workflows/${workflow}/events`, message))
  await until('the job has ended', async () => !['queued', 'running', 'waiting'].includes((await eve.ok('run.get', { run: id })).state), 50_000)
  return eve.ok('job.get', { job: id })
}
const line = (steps: readonly JsonObject[]) => steps.map(({ id }, at) => `${String(at === 0 ? 'start' : steps[at - 1]?.id)}>${String(id)}`)

describe('a document', () => {
  test('of ten thousand steps is made, checked and activated, and runs', async () => {
    const steps = Array.from({ length: 9_000 }, (_, at) => artifact(`s${at}`, at % 100 ? 'x' : '{{[start].[a]}}'))
    const document = named({ steps: [trigger, ...steps], paths: line(steps) })
    const workflow = await meanwhile('a long workflow is activated', () => activated(document))
    const job = await meanwhile('a long workflow runs', () => run(workflow))
    expect(job.status).toBe('succeeded')
    await meanwhile('its steps are shown', () => eve.ok('job.list-steps', { job: job.id }))
    await meanwhile('it is compared', () => eve.call('workflow.diff', { workflow, from: job.version, to: job.version }))
  })

  test('of more than the engine could run is refused by its number of steps, paths and triggers', async () => {
    const many = (length: number) => Array.from({ length }, () => ({}))
    for (const [member, number] of [
      ['steps', 300_000],
      ['paths', 300_000],
      ['triggers', 300_000],
    ] as const) {
      const document = { ...named({ steps: [], paths: [] }), [member]: many(number) }
      const reply = await meanwhile(`too many ${member} are refused`, () => create(document))
      expect(refused(reply).text).toMatch(new RegExp(`has ${number} ${member}`))
    }
  })

  test('of sixty thousand paths out of one decision is checked, asked and shown in no time', async () => {
    const paths = Array.from({ length: 60_000 }, (_, at) => ({ id: `p${at}`, from_step: 'd', to_step: '' }))
    const rules = Object.fromEntries(paths.map((_, at) => [String(at), '']))
    const controls = paths.map(({ id }) => ({ edgeId: id }))
    const ways = { ...named({ steps: [trigger, { ...decision('d', rules), parameters: { stepControlParams: controls } }], paths: ['start>d'] }) }
    const document: JsonObject = { ...ways, paths: [...(ways.paths as JsonObject[]), ...paths] }
    await meanwhile('the decision is activated', () => activated(document))
    const asked = { id: 'd', name: 'd', type: 'human_decision', parameters: { stepControlParams: controls } }
    const question = { ...document, steps: [(document.steps as JsonObject[])[0] ?? {}, asked], name: `hostile ${++count}` }
    const workflow = await meanwhile('the question is activated', () => activated(question))
    const { id } = await meanwhile('the question is asked', () => eve.ok('workflow.run', { workflow }))
    await meanwhile('the question is shown', () => eve.ok('job.get', { job: id }))
    await eve.ok('job.cancel', { job: id })
  })

  test('of megabytes in one text is kept, or refused by its size', async () => {
    const large = named({ steps: [trigger, artifact('a', 'x'.repeat(8_000_000))], paths: ['start>a'] })
    const job = await meanwhile('a large text is kept', async () => run(await activated(large)))
    expect(job.status).toBe('succeeded')
    const tooLarge = named({ steps: [trigger, artifact('a', 'x'.repeat(12_000_000))], paths: ['start>a'] })
    expect((await meanwhile('a larger one is refused', () => create(tooLarge))).status).toBe(413)
  })

  test('that is deep is refused, also as a file, an event and a part of a change', async () => {
    for (const depth of [100, 5_000, 500_000]) {
      const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`
      const inside = `{"name":"deep","steps":[{"id":"a","name":"a","type":"artifact","parameters":{"input":${deep}}}],"paths":[]}`
      for (const [path, body] of [
        ['/api/v1/workflow.create', `{"document":${inside}}`],
        ['/v2/workflows', inside],
        ['/v2/workflows/import', `{"workflows":[${inside}]}`],
        ['/v2/workflows/import', `{"kom":{"komFileVersion":"2.0.0","workflowVersions":[{"name":"x","steps":{"a":${deep}}}]}}`],
      ] as const) {
        const reply = await meanwhile(`depth ${depth} at ${path}`, () => eve.request('POST', path, { headers, body }))
        if (depth > 100) refused(reply)
        else expect(reply.status).toBeLessThan(500)
      }
    }
  })

  const tricks = [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'a/b',
    'x~items',
    'step0',
    '..',
    '\u202eevil',
    '☃ 🙂',
    ' ',
    'a"b\\',
    '{{x}}',
    'a]b',
    '\ud800',
  ]
  test('with names that mean something elsewhere runs, each step by its own name', async () => {
    const steps = tricks.map((name, at) => artifact(name, `${at}`, { name }))
    const job = await meanwhile('tricky names run', async () => run(await activated(named({ steps: [trigger, ...steps], paths: line(steps) }))))
    expect(job.status).toBe('succeeded')
    expect((await eve.ok('job.list-artifacts', { job: job.id })).items.map(({ content }: { content: string }) => content)).toEqual(
      tricks.map((_, at) => `${at}`),
    )
    expect(Object.keys(job.context.data)).toContain('__proto__')
    expect(({} as { $success?: boolean }).$success).toBeUndefined()
  })

  test('with members named like those of a prototype changes nothing but itself', async () => {
    const content = '{{[start].[__proto__].[x]}}{{[start].[constructor].[name]}}!'
    const body = JSON.stringify(named({ steps: [trigger, artifact('a', content)], paths: ['start>a'] }))
    const sent = body.replace('"parameters":{}', '"parameters":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}')
    expect(sent).toContain('polluted')
    const made = await eve.request('POST', '/v2/workflows', { headers, body: sent })
    expect(made.status, made.text).toBe(200)
    ok(await activate(made.json.workflow_uid))
    const event = await eve.request('POST', `/v2/workflows/${made.json.workflow_uid}/events`, {
      headers,
      body: '{"__proto__":{"x":"own"},"constructor":5,"prototype":[]}',
    })
    expect(event.status).toBe(200)
    const job = await until('it has ended', async () => {
      const found = await eve.ok('job.get', { job: event.json.job_id })
      return found.ended_at === null ? null : found
    })
    expect(job.status).toBe('succeeded')
    expect((await eve.ok('job.list-artifacts', { job: job.id })).items[0].content).toBe('own!')
  })

  test('of loops in loops without end, circles and steps in themselves is told so, and its test is refused', async () => {
    const nested = Array.from({ length: 3_000 }, (_, at) => ({
      id: `l${at}`,
      type: 'loop',
      parent_id: at === 0 ? '' : `l${at - 1}`,
      parameters: { repeatCount: 2, innerEdgeId: `l${at}>l${at + 1}` },
    }))
    const documents = [
      named({ steps: [trigger, ...nested], paths: ['start>l0', ...nested.map(({ id }, at) => `${id}>l${at + 1}`)] }),
      named({ steps: [trigger, artifact('a', 'x'), artifact('b', 'x')], paths: ['start>a', 'a>b', 'b>a'] }),
      named({
        steps: [trigger, { id: 'L', type: 'loop', parent_id: 'L', parameters: { repeatCount: 1, innerEdgeId: 'L>L' } }],
        paths: ['start>L', 'L>L'],
      }),
      named({
        steps: [trigger, { id: 'a', type: 'loop', parent_id: 'b' }, { id: 'b', type: 'loop', parent_id: 'a' }],
        paths: ['start>a', 'a>b', 'b>a'],
      }),
      named({ steps: Array.from({ length: 5_000 }, () => trigger), paths: [] }),
      named({ steps: [trigger, trigger, artifact('start', 'x')], paths: ['start>start', 'start>start'] }),
    ]
    for (const document of documents) {
      const id = await stored(document)
      const { json } = refused(await meanwhile('it is activated', () => activate(id)))
      expect(json.errors.length).toBeGreaterThan(0)
      expect(json.errors.length).toBeLessThanOrEqual(1000)
      const tested = await meanwhile('it is tested', () => eve.call('workflow.test', { workflow: id }))
      expect(tested.status, tested.text).toBeLessThan(500)
      await meanwhile('it is shown', () => eve.ok('workflow.get', { workflow: id }))
    }
  })
})

describe('texts of a workflow', () => {
  const big = { list: Array.from({ length: 60_000 }, (_, at) => at), text: 'a'.repeat(1_500_000) }
  const texts: [string, string][] = [
    ['rounds in rounds', '{{#each [start].[list]}}{{#each [start].[list]}}x{{/each}}{{/each}}'],
    ['a large text again and again', '{{#each [start].[list]}}{{[start].[text]}}{{/each}}'],
    ['comparisons of large texts', '{{#each [start].[list]}}{{#equal [start].[text] [start].[text]}}{{/equal}}{{/each}}'],
    ['comparisons of large lists', '{{#each [start].[list]}}{{#equal [start].[list] [start].[list]}}{{/equal}}{{/each}}'],
  ]
  test.each(texts)('of templates end: %s', async (what, content) => {
    const workflow = await activated(named({ steps: [trigger, artifact('a', content)], paths: ['start>a'] }))
    const job = await meanwhile(what, () => run(workflow, big))
    expect(job.status).toBe('failed')
    expect(job.failed_step.message).toMatch(/more rounds|larger than|more text/)
  })

  const again = (rule: string, times: number) => Array.from({ length: times }, () => rule).join(' OR ')
  const rules: [string, string][] = [
    ['searches in a large text', again('{{[start].[text]}} contains "b"', 190)],
    ['patterns with many wild parts', again('{{[start].[text]}} like "%a%a%a%a%a%a%b"', 190)],
    ['lengths', again('length({{[start].[text]}}) = 0', 190)],
    ['orders', again('{{[start].[text]}} < {{[start].[text]}}', 190)],
    ['large values that are equal', again('{{[start].[list]}} != {{[start].[list]}}', 190)],
    ['errors that are caught', again('if_error({{[start].[text]}} < 1, false)', 190)],
  ]
  test.each(rules)('of rules end: %s', async (what, rule) => {
    const workflow = await activated(
      named({ steps: [trigger, decision('d', { a: rule, b: '' }), artifact('a', 'a'), artifact('b', 'b')], paths: ['start>d', 'd>a', 'd>b'] }),
    )
    const job = await meanwhile(what, () => run(workflow, big))
    expect(['failed', 'succeeded']).toContain(job.status)
  })

  test('of expressions without end are refused where they are written', async () => {
    const endless = [
      '('.repeat(60_000),
      `${'1+'.repeat(30_000)}1`,
      `${'NOT '.repeat(16_000)}true`,
      `[${'['.repeat(30_000)}`,
      `"${'x'.repeat(900_000)}" = "y"`,
      '{{'.repeat(30_000),
    ]
    for (const rule of endless) {
      const document = named({
        steps: [trigger, decision('d', { a: rule, b: '' }), artifact('a', 'a'), artifact('b', 'b')],
        paths: ['start>d', 'd>a', 'd>b'],
      })
      const findings = await meanwhile('an endless rule', () => findingsOf(document))
      expect(findings).toMatchObject([{ step: 'd', input: 'stepControlParams.0.expressionText' }])
    }
    for (const content of [
      '{{#if x}}'.repeat(200_000),
      '{{'.repeat(1_000_000),
      `{{${'('.repeat(500_000)}`,
      `{{${'../'.repeat(500_000)}x}}`,
      `{{a${'.b'.repeat(1_000_000)}}}`,
    ]) {
      const document = named({ steps: [trigger, artifact('a', content)], paths: ['start>a'] })
      await meanwhile('an endless template', async () => expect((await activate(await stored(document))).status).toBeLessThan(500))
    }
  })

  test('of patterns that explode end within their second, and others are matched meanwhile', async () => {
    const patterns = ['(a|a)*b', '((a+)+)+b', '(?:(?:a{1,30}){1,30})b', `(${'a?'.repeat(300)}${'a'.repeat(300)})+b`, '(.*)(.*)(.*)(.*)(.*)b']
    const steps = patterns.map((pattern, at) => ({
      id: `m${at}`,
      type: 'pattern_match',
      continue_on_failure: true,
      parameters: { input: '{{[start].[text]}}', expressionText: `{{x:/${pattern}/}}`, captureAll: true },
    }))
    const workflow = await activated(named({ steps: [trigger, ...steps], paths: line(steps) }))
    const job = await meanwhile('patterns explode', () => run(workflow, { text: 'a'.repeat(1_000_000) }))
    expect(job.status).toBe('succeeded')
    expect(job.time_spent).toBeLessThan(patterns.length * 3)
    const many = Array.from({ length: 400 }, (_, at) => ({
      ...steps[2],
      id: `c${at}`,
      parameters: { input: 'a', expressionText: `{{x:/(a{1,30}){1,30}${at}/}}` },
    }))
    await meanwhile('many patterns are checked', () =>
      eve.call('workflow.validate', { document: named({ steps: [trigger, ...many], paths: line(many) }) }),
    )
  })
})
