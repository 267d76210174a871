import type { JsonObject } from '../../kernel/json.ts'
import type { WorkflowDocument } from './model.ts'

type Format = WorkflowDocument['format']
type Part = 'workflow' | 'step' | 'action' | 'path' | 'trigger'

const common = { name: '', description: '' }
const komStep = { id: '', parent_id: '', ...common, type: '', parameters: {}, continue_on_failure: false, is_disabled: false }
const iconStep = {
  nodeId: '',
  name: '',
  type: '',
  continueOnFailure: false,
  isDisabled: false,
  defaultInputJSONSchema: null,
  defaultOutputJSONSchema: null,
  defaultImageData: null,
  connectionType: 'NONE',
}

/** The parts of a document as each format has them at least (contract §9), before anything is said in them. */
const blanks: Readonly<Record<Format, Readonly<Record<Part, JsonObject>>>> = {
  kom: {
    workflow: { ...common, type: 'normal', tags: [] },
    step: komStep,
    action: {
      ...komStep,
      type: 'action',
      parameters: {
        step_id: '',
        plugin_name: '',
        plugin_vendor: '',
        plugin_version: '',
        step_title: '',
        plugin_title: '',
        input: {},
        repeat_variable: '',
      },
    },
    path: { id: '', from_step: '', to_step: '' },
    trigger: { id: '', name: '', type: 'api_trigger' },
  },
  icon: {
    workflow: {
      name: '',
      type: 'runnable',
      version: '1.0.0',
      description: '',
      tags: [],
      humanCostSeconds: 0,
      humanCostDisplayUnit: 'seconds',
      parameters: { definitionSchema: null },
    },
    step: iconStep,
    action: { ...iconStep, isCloud: false },
    path: { id: '', ...common, parentNodeId: '', fromNodeId: '', toNodeId: '' },
    trigger: {
      id: '',
      ...common,
      input: {},
      inputJsonSchema: null,
      outputJsonSchema: null,
      tags: [],
      type: 'trigger_api',
      options: { webhookEnabled: true },
    },
  },
}

/** A part of a document in which nothing is said yet. */
function blankOf(format: Format, part: Part): JsonObject {
  return blanks[format][part]
}

/** Members that a format gives a meaning of its own; others are kept wherever a document goes. */
const ownNames: Readonly<Record<Format, Readonly<Record<'file' | 'workflow' | 'step' | 'path', readonly string[]>>>> = {
  kom: {
    file: ['komand_version', 'export_date', 'export_by', 'workflows', 'triggers'],
    workflow: [
      ...Object.keys(blanks.kom.workflow),
      'workflow_id',
      'workflow_version_id',
      'created_by',
      'last_modified',
      'parameters',
      'steps',
      'paths',
    ],
    step: Object.keys(komStep),
    path: [...Object.keys(blanks.kom.path), 'name', 'description', 'parent_id'],
  },
  icon: {
    file: ['komandVersion', 'komFileVersion', 'exportedAt', 'workflowVersions', 'triggers'],
    workflow: [...Object.keys(blanks.icon.workflow), 'graph', 'steps'],
    step: [
      ...Object.keys(iconStep),
      ...['description', 'parameters', 'outputJSONSchema', 'plugin', 'identifier', 'isCloud'],
      ...['triggerId', 'helperIdentifier', 'globalArtifact', 'connectionId'],
    ],
    path: Object.keys(blanks.icon.path),
  },
}

export { blankOf, ownNames }
