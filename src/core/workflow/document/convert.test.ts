import { describe, expect, test } from 'vitest'
import { parseQuery, queryTree } from '../language/query-parser.ts'
import { komFile, iconFile } from './document.suite.ts'
import { readWorkflow, readWorkflowFile, versionBody, writeWorkflowFile } from './file.ts'
import { objectMember } from './members.ts'
import { renameSteps } from './rename.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { WorkflowDocument } from './model.ts'

const by = { at: 0, user_name: 'bob', first_name: '', last_name: '', email: '' }

function only(file: Json): WorkflowDocument {
  const [document] = readWorkflowFile(file).documents
  if (!document) throw new Error('one workflow is expected')
  return document
}

const stepsOf = (file: JsonObject) => (file.workflows as JsonObject[])[0]?.steps as JsonObject[]
const versionOf = (file: JsonObject) => ((file.kom as JsonObject).workflowVersions as JsonObject[])[0] as JsonObject

describe('a document in the other format', () => {
  test('has the members of that format and no others, but those that neither knows', () => {
    const icon = iconFile()
    const file = writeWorkflowFile(only(icon), 'kom', by).file
    expect(stepsOf(file)[0]).toEqual({
      id: 't',
      parent_id: '',
      name: 'Hook',
      description: '',
      type: 'api_trigger',
      parameters: { trigger_config_id: 'tr-1' },
      continue_on_failure: false,
      is_disabled: false,
    })
    expect(stepsOf(file)[2]?.parameters).toEqual({
      step_id: 'get',
      plugin_name: 'http',
      plugin_vendor: 'capstan',
      plugin_version: '1.0.0',
      step_title: 'get',
      plugin_title: 'HTTP',
      input: { url: 'http://{{[Hook].[host]}}/' },
      repeat_variable: '',
    })
    expect((file.workflows as JsonObject[])[0]?.paths).toContainEqual({ id: 'e-in', from_step: 'l', to_step: 'p' })
    expect(file.triggers).toEqual([{ id: 'tr-1', name: 'Hook', type: 'api_trigger' }])

    const kom = versionOf(writeWorkflowFile(only(komFile()), 'icon', by).file)
    const [, encode] = Object.values(objectMember(kom, 'steps')) as JsonObject[]
    expect(encode).toMatchObject({
      type: 'action',
      colour: 'red',
      connectionId: 7,
      connectionType: 'CONNECTION',
      plugin: { name: 'Base64', slugName: 'base64' },
    })
    expect(encode).not.toHaveProperty('parent_id')
    expect(encode?.parameters).toEqual({ mystery: 1, input: expect.anything() })
    expect(kom).toMatchObject({ later: { kept: true }, type: 'runnable', humanCostSeconds: 0 })
    expect(kom).not.toHaveProperty('workflow_id')
  })

  test('and back again is what it was, but for what has no place in the other one', () => {
    const before = only(komFile())
    const back = writeWorkflowFile(only(writeWorkflowFile(before, 'icon', by).file), 'kom', by).file
    const steps = stepsOf(komFile()).map((step) => {
      const parameters = objectMember(step, 'parameters')
      // The name of a connection is what `.icon` has no place for, and a title of an action.
      const called = parameters.connection === undefined ? {} : { connection: { connection_id: 7, parameters: {} }, step_title: 'encode' }
      return { ...step, parameters: { ...parameters, ...called } }
    })
    expect(stepsOf(back)).toEqual(steps)
    expect(back.triggers).toEqual(komFile().triggers)
    expect(back.unknown_of_file).toEqual([1, { two: null }])
  })

  test('keeps the values of the workflow, whichever format describes them', () => {
    const kom = writeWorkflowFile(only(iconFile()), 'kom', by).file
    expect((kom.workflows as JsonObject[])[0]?.parameters).toEqual({ Threshold: 5 })
    const icon = writeWorkflowFile(only(kom), 'icon', by).file
    expect(versionOf(icon).parameters).toEqual({ definitionSchema: { type: 'object', properties: { Threshold: { type: 'integer', default: 5 } } } })
    expect(only(icon).parameters).toEqual({ Threshold: 5 })
  })

  test('has the tree of each rule made anew, and an input that is only called like one stays', () => {
    const icon = iconFile()
    const steps = objectMember(versionOf(icon), 'steps')
    steps.a = { ...objectMember(steps, 'a'), parameters: { input: { expression: '{{[t].[x]}}', text: 'y' } } }
    const file = writeWorkflowFile(only(icon), 'kom', by).file
    const named = (name: string) => objectMember(stepsOf(file).find((step) => step.name === name) ?? {}, 'parameters')
    const rule = '{{[Hook].[size]}} > 10 AND {{[Hook].[name]}} =~ /^a/'
    expect(named('Large?').stepControlParams).toEqual([
      { edgeId: 'e-small', expressionText: '', expression: {} },
      { edgeId: 'e-large', expressionText: rule, expression: queryTree(parseQuery(rule)) },
    ])
    expect(named('Fetch').input).toEqual({ expression: '{{[Hook].[x]}}', text: 'y' })
    expect(versionBody(only(icon)).steps).toContainEqual(
      expect.objectContaining({ name: 'Fetch', parameters: expect.objectContaining({ input: named('Fetch').input }) }),
    )
  })

  test('leaves the captures of a pattern as they are', () => {
    const icon = iconFile()
    const steps = objectMember(versionOf(icon), 'steps')
    const text = 'x{{y:/([t])/}}'
    steps.p = { ...objectMember(steps, 'p'), parameters: { input: '{{[t].[a]}}', expressionText: text, expressions: [] } }
    const document = only(writeWorkflowFile(only(icon), 'kom', by).file)
    expect(document.steps.find(({ id }) => id === 'p')?.parameters).toMatchObject({ input: '{{[Hook].[a]}}', expressionText: text })
  })
})

test('a workflow that is only named or described otherwise stays in the format that it came in', () => {
  const before = only(iconFile())
  const after = readWorkflow({ description: 'new', tags: [] }, before)
  const expected = iconFile()
  Object.assign(versionOf(expected), { description: 'new', tags: [] })
  expect(writeWorkflowFile(after, 'icon', by)).toEqual({ file: expected, warnings: [] })
  expect(readWorkflow({ name: 'other', steps: [] }, before).format).toBe('kom')
  expect(() => readWorkflow({ tags: 'x' }, before)).toThrow('"tags" of the workflow is not a list of texts')
})

test.each([
  ['{{[t].[t]}} t {{t}}', '{{[Hook one].[t]}} t {{[Hook one]}}'],
  ['{{["t"].x}}{{~ [t].a ~}}', '{{["Hook one"].x}}{{~ [Hook one].a ~}}'],
  ['{{#each [t].list}}{{this.t}}{{@index}}{{../t}}{{/each}}', '{{#each [Hook one].list}}{{this.t}}{{@index}}{{../t}}{{/each}}'],
  [
    '{{#equal [t].x "t"}}t{{else if t.y}}{{else}}{{lookup [t] "t"}}{{/equal}}',
    '{{#equal [Hook one].x "t"}}t{{else if [Hook one].y}}{{else}}{{lookup [Hook one] "t"}}{{/equal}}',
  ],
  [
    '{{[l].[$outputs].[0].[t].[x]}}{{[l].[$outputs].t}}{{[l].[t]}}',
    '{{["a]b"].[$outputs].[0].[Hook one].[x]}}{{["a]b"].[$outputs].[Hook one]}}{{["a]b"].[t]}}',
  ],
  ['{{[$job].[t]}} length({{[t].x}})>0', '{{[$job].[t]}} length({{[Hook one].x}})>0'],
  ['{{[t', '{{[t'],
])('in %s steps are named otherwise where a step is named', (text, expected) => {
  expect(
    renameSteps(
      text,
      new Map([
        ['t', 'Hook one'],
        ['l', 'a]b'],
      ]),
    ),
  ).toBe(expected) // prettier-ignore
})
