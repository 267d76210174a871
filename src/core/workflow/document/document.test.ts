import { afterAll, describe, expect, test } from 'vitest'
import { WorkerPatterns } from '../../../adapters/patterns/patterns.ts'
import { documentDiff } from './diff.ts'
import { komFile, iconFile, uuid } from './document.suite.ts'
import { readWorkflowFile, versionBody, writeWorkflowFile } from './file.ts'
import { validateDocument } from './validate.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Catalog } from './validate.ts'
import type { WorkflowDocument, WorkflowStep } from './model.ts'

const patterns = new WorkerPatterns()
afterAll(() => patterns.close())
const by = { at: 0, user_name: 'bob', first_name: '', last_name: '', email: '' }

function only(file: Json): WorkflowDocument {
  const [document, ...others] = readWorkflowFile(file).documents
  if (!document || others.length > 0) throw new Error('one workflow is expected')
  return document
}

describe('a .kom file', () => {
  test('is read into steps that say what is called, with the names of one format', () => {
    const document = only(komFile())
    expect(document).toMatchObject({ format: 'kom', name: 'Look up', type: 'normal', tags: [], description: '' })
    expect(document.steps[1]).toMatchObject({
      id: uuid(11),
      type: 'action',
      continue_on_failure: true,
      plugin: { vendor: 'capstan', name: 'base64', version: '1.0.0', identifier: 'encode' },
      connection: 7,
      parameters: { input: { content: '{{[Start].[text]}}' }, mystery: 1 },
    })
    expect(document.paths[0]).toMatchObject({ from: uuid(10), to: uuid(11) })
    expect(document.triggers).toHaveLength(1)
  })

  test.each([7, 'Main'])('may name a connection by %j alone, and is written again so', (connection) => {
    const file = JSON.parse(JSON.stringify(komFile()))
    file.workflows[0].steps[1].parameters.connection = connection
    const document = only(file)
    expect(document.steps[1]?.connection).toBe(connection)
    expect(writeWorkflowFile(document, 'kom', by).file).toEqual(file)
  })

  test('is written again equal member by member, unknown ones included; only secrets of connections are masked', () => {
    const expected = JSON.parse(JSON.stringify(komFile()).replace('hunter22', '********').replace('"secretKey":"s"', '"secretKey":"********"'))
    expect(writeWorkflowFile(only(komFile()), 'kom', by)).toEqual({ file: expected, warnings: [] })
  })

  test('keeps a change that was made here and nothing else of it changes', () => {
    const document = only(komFile())
    const steps = document.steps.map((step): WorkflowStep => (step.type === 'action' ? { ...step, name: 'Renamed', connection: 'Other' } : step))
    const file = writeWorkflowFile({ ...document, steps }, 'kom', by).file
    const again = only(file)
    expect(documentDiff(document, again)).toEqual([
      { what: 'step', id: uuid(11), name: 'Renamed', change: 'changed', members: ['name', 'connection'] },
    ])
    expect(JSON.stringify(file)).toContain('"colour":"red"')
  })
})

describe('an .icon file', () => {
  test('is read into the same model, with default values of its parameters', () => {
    const document = only(iconFile())
    expect(document).toMatchObject({ format: 'icon', name: 'Sort out', parameters: { Threshold: 5 }, tags: ['a', 'b'] })
    expect(document.steps.map(({ id, parent }) => `${id}<${parent}`)).toEqual(['t<', 'd<', 'a<', 'j<', 'l<', 'p<l', 'b<l'])
    expect(document.steps[0]?.parameters).toEqual({ trigger_config_id: 'tr-1' })
    expect(document.steps[2]?.plugin).toEqual({ vendor: 'capstan', name: 'http', version: '1.0.0', identifier: 'get' })
  })

  test('is written again equal member by member, unknown ones included', () => {
    expect(writeWorkflowFile(only(iconFile()), 'icon', by)).toEqual({ file: iconFile(), warnings: [] })
  })

  test('as a .kom file names steps by name, and says what is lost', () => {
    const { file, warnings } = writeWorkflowFile(only(iconFile()), 'kom', by)
    const document = only(file)
    expect(warnings).toEqual([
      'what only the icon format has is left out: version, humanCostSeconds, humanCostDisplayUnit, defaultImageData, isCloud',
    ])
    expect(document.format).toBe('kom')
    expect(document.steps.find(({ id }) => id === 'a')?.parameters).toEqual({ input: { url: 'http://{{[Hook].[host]}}/' } })
    expect(JSON.stringify(document.steps.find(({ id }) => id === 'd')?.parameters)).toContain('{{[Hook].[size]}} > 10 AND {{[Hook].[name]}} =~ /^a/')
    const back = only(writeWorkflowFile(document, 'icon', by).file)
    expect(back.steps.find(({ id }) => id === 'p')?.parameters.input).toBe('{{[l].[$item]}}')
    expect(back.paths.map(({ id, from, to }) => [id, from, to])).toEqual(only(iconFile()).paths.map(({ id, from, to }) => [id, from, to]))
  })

  test('is shown by the API in the members of a .kom workflow', () => {
    const body = versionBody(only(iconFile()))
    expect(body).toMatchObject({ name: 'Sort out', type: 'normal', steps: expect.any(Array), paths: expect.any(Array) })
    expect((body.steps as JsonObject[])[2]).toMatchObject({ id: 'a', type: 'action', parameters: { step_id: 'get', plugin_vendor: 'capstan' } })
  })
})

test.each([
  ['a list', []],
  ['nothing known', { a: 1 }],
  ['steps that are no list', { workflows: [{ name: 'x', steps: {} }] }],
  ['steps that are no objects', { workflows: [{ name: 'x', steps: [1] }] }],
  ['an unknown type', { workflows: [{ name: 'x', type: 'odd' }] }],
  ['an unknown version', { kom: { komFileVersion: '3.0.0' } }],
  ['an edge that is no object', { kom: { workflowVersions: [{ name: 'x', graph: { edges: { e: 1 } } }] } }],
] as [string, Json][])('a file with %s is refused with a reason', (_, file) => {
  expect(() => readWorkflowFile(file)).toThrow(expect.objectContaining({ code: 'malformed_request' }))
})

test('names of prototypes in a file are data like any other', () => {
  const text = '{"workflows":[{"name":"x","__proto__":{"polluted":1},"steps":[{"id":"__proto__","name":"constructor","type":"end"}],"paths":[]}]}'
  const { file } = writeWorkflowFile(only(JSON.parse(text) as Json), 'kom', by)
  expect(JSON.stringify(file)).toContain('"__proto__":{"polluted":1}')
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  const icon = '{"kom":{"workflowVersions":[{"name":"x","graph":{"nodes":{},"edges":{}},"steps":{"__proto__":{"type":"trigger"}}}]}}'
  expect(only(JSON.parse(icon) as Json).steps.map(({ id }) => id)).toEqual(['__proto__'])
})

describe('validation', () => {
  const catalog: Catalog = {
    component: (plugin) =>
      Promise.resolve(
        plugin.name === 'gone'
          ? { missing: 'the plugin capstan/gone 1.0.0 is not installed' }
          : { required: plugin.name === 'base64' ? ['content'] : [], needsConnection: plugin.name === 'http' },
      ),
    connection: (connection) => Promise.resolve(connection === 7 ? null : `there is no connection ${connection}`),
    snippet: (uid) => Promise.resolve(uid === uuid(1) ? null : 'that workflow is no active snippet'),
  }
  const check = (document: WorkflowDocument) => validateDocument(document, catalog, patterns)
  const texts = async (document: WorkflowDocument) => (await check(document)).map(({ step, input, message }) => `${step}|${input}|${message}`)

  test('finds nothing in what is whole', async () => {
    expect(await check(only(komFile()))).toEqual([])
    const icon = only(iconFile())
    const steps = icon.steps.map((step) => (step.id === 'a' ? { ...step, connection: 7 } : step))
    expect(await check({ ...icon, steps })).toEqual([])
  })

  test('finds everything at once: what hangs together wrongly, what does not parse, and what is missing', async () => {
    const document = only(komFile())
    const [start, encode, report, end] = document.steps as [WorkflowStep, WorkflowStep, WorkflowStep, WorkflowStep]
    const broken: WorkflowDocument = {
      ...document,
      steps: [
        start,
        { ...encode, connection: 8, parameters: { input: { content: '' } } },
        { ...report, name: '$Report', parameters: { input: { content: '{{#if x}}' } } },
        { ...report, id: 'island', name: 'Island', type: 'odd' },
        { ...encode, id: 'gone', name: 'Start', plugin: { vendor: 'capstan', name: 'gone', version: '1.0.0', identifier: 'x' } },
        { ...report, id: 'b', name: 'Break', type: 'break', parameters: { stepControlParam: { expressionText: '{{a}} ==' } } },
        { ...report, id: 'm', name: 'Match', type: 'pattern_match', parameters: { expressionText: '({{a:/x/}}' } },
        { ...report, id: 's', name: 'Sub', type: 'snippet', parameters: { workflow_uid: 'none' } },
        end,
      ],
      paths: [
        ...document.paths,
        { id: uuid(20), from: 'gone', to: uuid(11), name: '', description: '', parent: '', kept: {} },
        { id: 'x1', from: uuid(11), to: 'nowhere', name: '', description: '', parent: '', kept: {} },
        { id: 'x2', from: uuid(12), to: uuid(11), name: '', description: '', parent: '', kept: {} },
      ],
    }
    expect(await texts(broken)).toEqual([
      '$Report||names of steps do not begin with "$"',
      'Island||steps of type "odd" are not known here',
      'Start||two steps have this name',
      `Start||two paths have the id "${uuid(20)}"`,
      'Encode||a path leads to a step "nowhere" that is not there',
      'Encode||3 paths lead to this step; only a join may have more than one',
      'Encode||2 paths come out of this step; only decisions and loops may have more than one',
      '$Report||2 paths come out of this step; only decisions and loops may have more than one',
      'Encode||the workflow goes in a circle here; rounds are made by a loop',
      'Island||no path leads to this step',
      'Start||no path leads to this step',
      'Break||no path leads to this step',
      'Break||a break is inside of a loop',
      'Match||no path leads to this step',
      'Sub||no path leads to this step',
      '$Report|input.content|"{{#if}}" is never closed (character 1)',
      'Break|stepControlParam.expressionText|the rule ends too early (character 9)',
      expect.stringMatching(/^Match\|expressionText\|the pattern cannot be used: .*missing closing/) as unknown as string,
      'Encode|content|this input is required',
      'Encode|connection|there is no connection 8',
      'Start||the plugin capstan/gone 1.0.0 is not installed',
      'Sub|workflow_uid|that workflow is no active snippet',
    ])
  })

  test.each<[string, (document: WorkflowDocument) => WorkflowDocument, string]>([
    [
      'no trigger',
      (document) => ({ ...document, steps: document.steps.filter(({ type }) => type !== 'trigger') }),
      'a workflow has exactly one trigger; this one has 0',
    ],
    [
      'a path out of a loop',
      (document) => ({ ...document, paths: document.paths.map((path) => (path.id === 'e-out' ? { ...path, to: 'j' } : path)) }),
      'the path to "Both" leads out of a loop',
    ],
    [
      'a loop without an inner path',
      (document) => ({ ...document, paths: document.paths.filter(({ id }) => id !== 'e-in') }),
      'a loop has exactly one inner path, named by "innerEdgeId"',
    ],
    [
      'a choice without a path',
      (document) => ({ ...document, paths: document.paths.filter(({ id }) => id !== 'e-large') }),
      'a choice leads to a path "e-large" that does not come out of this step',
    ],
    [
      'a trigger inside of a loop',
      (document) => ({ ...document, steps: document.steps.map((step) => (step.type === 'trigger' ? { ...step, parent: 'l' } : step)) }),
      'what a workflow begins with is inside of no loop',
    ],
    [
      'a path to the trigger',
      (document) => ({ ...document, paths: document.paths.map((path) => (path.id === 'e-next' ? { ...path, to: 't' } : path)) }),
      'no path leads to what a workflow begins with',
    ],
    [
      'another beginning than a trigger',
      (document) => ({ ...document, steps: document.steps.map((step) => (step.type === 'trigger' ? { ...step, type: 'snippet_map' } : step)) }),
      'a workflow has exactly one trigger; this one begins with a step of type "snippet_map"',
    ],
    ['a connection that is needed and missing', (document) => document, 'the plugin capstan/http needs a connection'],
  ])('finds %s', async (_, change, message) => {
    const findings = await check(change(only(iconFile())))
    expect(findings.map((finding) => finding.message)).toContain(message)
  })

  test.each<[string, string, JsonObject, string, string]>([
    ['a number of rounds that does not parse', 'loop', { innerEdgeId: 'x', repeatCount: '{{#if}}' }, 'repeatCount', 'a reference is expected'],
    [
      'an output of a loop that does not parse',
      'loop',
      { innerEdgeId: 'x', repeatCount: 1, customOutput: [{ name: 'v', outputType: 'array', input: { expressionText: '{{a}} = 1', value: '{{' } }] },
      'customOutput.0.input.value',
      'a reference is expected',
    ],
    ['content that does not parse', 'artifact', { content: '{{/each}}' }, 'content', 'nothing is open'],
  ])('finds %s, wherever templates are filled', async (_, type, parameters, input, message) => {
    const document = only(komFile())
    const [start, , report] = document.steps as [WorkflowStep, WorkflowStep, WorkflowStep]
    const steps = [start, { ...report, type, parameters }]
    expect(await check({ ...document, steps, paths: [] })).toContainEqual({ step: report.name, input, message: expect.stringContaining(message) })
  })

  test.each<[string, string, JsonObject, string, string]>([
    ['a filter without a rule', 'filter', {}, 'stepControlParam', 'the step has no rule'],
    ['a decision without a choice', 'automated_decision', {}, 'stepControlParams', 'a decision has at least one choice'],
    ['a question that nobody could answer', 'human_decision', {}, 'stepControlParams', 'nobody could ever answer'],
    [
      'a time to answer in that is no number',
      'human_decision',
      { stepControlParams: [{ edgeId: 'x' }], timeout: 'soon' },
      'timeout',
      'a number of seconds',
    ],
    ['a loop over nothing', 'loop', { innerEdgeId: 'x' }, 'repeatVariable', 'a loop goes over a list'],
    ['too many rounds', 'loop', { innerEdgeId: 'x', repeatCount: 100_001 }, 'repeatCount', 'a whole number from 0 to 100000'],
    ['a pause that is no number', 'loop', { innerEdgeId: 'x', repeatCount: '3', repeatDelay: 'long' }, 'repeatDelay', 'a number of seconds'],
    ['a helper that is none', 'helpers', {}, 'helperIdentifier', '"append_global_artifacts" and "lookup_global_artifacts"'],
    ['retries that are no number', 'action', { retry: { count: 'many' } }, 'retry.count', 'a whole number from 0 to 100'],
    ['retries that are no object', 'action', { retry: 3 }, 'retry', 'an object with "count", "delay" and "backoff"'],
  ])('finds %s, and names the step and the input', async (_, type, parameters, input, message) => {
    const document = only(komFile())
    const [start, , report] = document.steps as [WorkflowStep, WorkflowStep, WorkflowStep]
    const plugin = type === 'action' ? { vendor: 'capstan', name: 'x', version: '1', identifier: 'y' } : null
    const paths = [
      { id: 'p', from: start.id, to: report.id, name: '', description: '', parent: '', kept: {} },
      { id: 'x', from: report.id, to: '', name: '', description: '', parent: '', kept: {} },
    ]
    const whole: WorkflowDocument = { ...document, steps: [start, { ...report, type, parameters, plugin }], paths }
    expect((await check(whole)).filter((finding) => finding.input !== '')).toContainEqual({
      step: 'Report',
      input,
      message: expect.stringContaining(message) as string,
    })
    const passedOver = { ...whole, steps: whole.steps.map((step) => ({ ...step, is_disabled: true })) }
    if (type !== 'action') expect((await check(passedOver)).filter((finding) => finding.input !== '')).toEqual([])
  })

  test('of ten thousand steps in a row takes no stack and little time', async () => {
    const document = only(komFile())
    const [start, , report] = document.steps as [WorkflowStep, WorkflowStep, WorkflowStep]
    const steps = [start, ...Array.from({ length: 9_999 }, (_, at): WorkflowStep => ({ ...report, id: `s${at}`, name: `s${at}` }))]
    const paths = steps
      .slice(1)
      .map((step, at) => ({ id: `p${at}`, from: steps[at]?.id ?? '', to: step.id, name: '', description: '', parent: '', kept: {} }))
    expect(await check({ ...document, steps, paths })).toEqual([])
  })
})

test('the difference of two versions names what was added, removed and changed, by members', () => {
  const before = only(iconFile())
  const after: WorkflowDocument = {
    ...before,
    tags: ['a'],
    steps: [
      ...before.steps.filter(({ id }) => id !== 'b').map((step) => (step.id === 'p' ? { ...step, name: 'Find', is_disabled: true } : step)),
      { ...(before.steps[0] as WorkflowStep), id: 'new', name: 'New' },
    ],
    paths: before.paths.filter(({ id }) => id !== 'e-out'),
  }
  expect(documentDiff(before, after)).toEqual([
    { what: 'workflow', id: '', name: 'Sort out', change: 'changed', members: ['tags'] },
    { what: 'step', id: 'p', name: 'Find', change: 'changed', members: ['name', 'is_disabled'] },
    { what: 'step', id: 'new', name: 'New', change: 'added', members: [] },
    { what: 'step', id: 'b', name: 'Enough', change: 'removed', members: [] },
    { what: 'path', id: 'e-out', name: '', change: 'removed', members: [] },
  ])
  expect(documentDiff(before, only(iconFile()))).toEqual([])
})
