import type { JsonObject } from '../../kernel/json.ts'

const uuid = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`

/** A `.kom` 0.4 file as another installation writes it: an API trigger, an action, an artifact, an end, and members that nobody here knows. */
function komFile(): JsonObject {
  return {
    komand_version: '0.4.0',
    export_date: '2018-10-24T11:36:17Z',
    export_by: { user_name: 'ann', first_name: 'Ann', last_name: '', email: 'ann@lab.example' },
    unknown_of_file: [1, { two: null }],
    workflows: [
      {
        workflow_id: uuid(1),
        workflow_version_id: uuid(2),
        name: 'Look up',
        type: 'normal',
        created_by: { user_name: 'ann' },
        last_modified: '2018-10-24T11:36:17Z',
        later: { kept: true },
        steps: [
          {
            id: uuid(10),
            parent_id: '',
            name: 'Start',
            description: '',
            type: 'api_trigger',
            parameters: { trigger_config_id: uuid(90) },
            continue_on_failure: false,
            is_disabled: false,
          },
          {
            id: uuid(11),
            parent_id: '',
            name: 'Encode',
            description: 'as text',
            type: 'action',
            parameters: {
              step_id: 'encode',
              plugin_name: 'base64',
              plugin_vendor: 'capstan',
              plugin_version: '1.0.0',
              step_title: 'Encode',
              plugin_title: 'Base64',
              connection: { name: 'Main', parameters: { url: 'http://x', password: 'hunter22', key: { secretKey: 's' } }, connection_id: 7 },
              input: { content: '{{[Start].[text]}}' },
              repeat_variable: '',
              mystery: 1,
            },
            continue_on_failure: true,
            is_disabled: false,
            colour: 'red',
          },
          {
            id: uuid(12),
            parent_id: '',
            name: 'Report',
            description: '',
            type: 'artifact',
            parameters: { type: 'markdown', content: '', input: { content: '# {{["Encode"].[data]}}' } },
            continue_on_failure: false,
            is_disabled: false,
          },
          { id: uuid(13), parent_id: '', name: '', description: '', type: 'end', parameters: {}, continue_on_failure: false, is_disabled: false },
        ],
        paths: [
          { id: uuid(20), from_step: uuid(10), to_step: uuid(11), thick: 2 },
          { id: uuid(21), from_step: uuid(11), to_step: uuid(12) },
          { id: uuid(22), from_step: uuid(12), to_step: uuid(13) },
        ],
      },
    ],
    triggers: [
      {
        id: uuid(90),
        name: 'Start',
        type: 'api_trigger',
        api_schema: { type: 'object', properties: { text: { type: 'string' } } },
        api_variables: [{ error: '', format: '', name: 'text', title: 'Text', type: 'string' }],
      },
    ],
  }
}

const rule = (text: string) => ({ expressionText: text, expression: { type: 'literal', value: 'stale' } })

/** An `.icon` 2.0.0 file with a decision, a join behind it, and a loop with a break and a pattern in it. */
function iconFile(): JsonObject {
  const step = (nodeId: string, name: string, type: string, more: JsonObject = {}): [string, JsonObject] => [
    nodeId,
    {
      nodeId,
      name,
      type,
      continueOnFailure: false,
      isDisabled: false,
      defaultInputJSONSchema: null,
      connectionType: 'NONE',
      defaultImageData: 'x',
      ...more,
    },
  ]
  const edge = (id: string, from: string, to: string, name = '', parent = ''): [string, JsonObject] => [
    id,
    { id, name, description: '', parentNodeId: parent, fromNodeId: from, toNodeId: to },
  ]
  const steps: JsonObject = Object.fromEntries([
    step('t', 'Hook', 'trigger', { triggerId: 'tr-1' }),
    step('d', 'Large?', 'automated_decision', {
      parameters: {
        defaultEdgeId: 'e-small',
        stepControlParams: [
          { edgeId: 'e-small', expressionText: '', expression: {} },
          { edgeId: 'e-large', ...rule('{{[t].[size]}} > 10 AND {{[t].[name]}} =~ /^a/') },
        ],
      },
    }),
    step('a', 'Fetch', 'action', {
      plugin: { name: 'HTTP', slugVendor: 'capstan', slugName: 'http', slugVersion: '1.0.0', imageData: 'y' },
      identifier: 'get',
      isCloud: true,
      connectionType: 'CONNECTION',
      parameters: { input: { url: 'http://{{[t].[host]}}/' } },
    }),
    step('j', 'Both', 'join', {
      parameters: {
        decisionEdgeIds: ['e-large', 'e-small'],
        variableSets: [{ name: 'v', type: 'string', variables: { 'e-large': '{{[a].[body]}}' } }],
      },
    }),
    step('l', 'Each', 'loop', {
      parameters: {
        repeatVariable: '{{[t].[list]}}',
        innerEdgeId: 'e-in',
        nextEdgeId: 'e-next',
        customOutput: [{ name: 'n', outputType: 'count', input: rule('{{[l].[$item]}} = 1') }],
      },
    }),
    step('p', 'Match', 'pattern_match', {
      parameters: { input: '{{[l].[$item]}}', expressionText: 'x{{y:/[a-z]+/}}', expressions: [], captureAll: false, ignoreCase: true },
    }),
    step('b', 'Enough', 'break', { parameters: { stepControlParam: { edgeId: 'e-b', ...rule('{{[p].[$matched]}} = true') } } }),
  ])
  const nodes: JsonObject = Object.fromEntries(Object.keys(steps).map((id) => [id, { id, parentNodeId: id === 'p' || id === 'b' ? 'l' : '' }]))
  const edges: JsonObject = Object.fromEntries([
    edge('e-1', 't', 'd'),
    edge('e-large', 'd', 'a', 'large'),
    edge('e-small', 'd', 'j', 'small'),
    edge('e-2', 'a', 'j'),
    edge('e-3', 'j', 'l'),
    edge('e-in', 'l', 'p', '', 'l'),
    edge('e-b', 'p', 'b', '', 'l'),
    edge('e-out', 'b', '', '', 'l'),
    edge('e-next', 'l', ''),
  ])
  return {
    kom: {
      komandVersion: '1.2.3',
      komFileVersion: '2.0.0',
      exportedAt: '2024-01-01T00:00:00Z',
      workflowVersions: [
        {
          name: 'Sort out',
          type: 'runnable',
          version: '1.0.0',
          description: 'What it does',
          tags: ['a', 'b'],
          humanCostSeconds: 60,
          humanCostDisplayUnit: 'minutes',
          parameters: { definitionSchema: { type: 'object', properties: { Threshold: { type: 'integer', default: 5 }, Name: { type: 'string' } } } },
          graph: { nodes, edges, layout: 'kept' },
          steps,
        },
      ],
      triggers: [{ id: 'tr-1', name: 'Hook', description: '', input: {}, type: 'trigger_api', options: { webhookEnabled: true } }],
    },
  }
}

export { komFile, iconFile, uuid }
