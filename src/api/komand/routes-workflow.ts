import { bad, flagParameter, sortKeys, uuid, wholeNumber, wordParameter } from './decode.ts'
import { encodeDocument, encodeVersion, encodeWorkflow } from './encode.ts'
import { allOf, listed } from './pages.ts'
import type { JsonObject } from '../../core/kernel/json.ts'
import type { Doing, Route } from './route.ts'
import type { VersionView, WorkflowView } from './encode.ts'
import type { SortKey } from './decode.ts'

const base = '/v2/workflows/:workflow_uid'
const permission = 'WORKFLOW_MODIFY' as const
const workflowOf = ({ parameters }: Doing) => uuid(parameters.workflow_uid, 'workflow')

const sortFields = {
  name: 'name',
  status: 'status',
  type: 'type',
  created_at: 'created_at',
  last_modified: 'updated_at',
  updated_at: 'updated_at',
  workflow_uid: 'id',
} as const

/** Workflows and their versions (contract §5). */
const workflowRoutes: readonly Route[] = [
  { method: 'GET', path: '/v2/workflows', operations: ['workflow.list', 'workflow.get'], does: list },
  {
    method: 'POST',
    path: '/v2/workflows',
    permission,
    body: 'object',
    operations: ['workflow.create'],
    does: async ({ invoke, body }) => encodeWorkflow(await invoke('workflow.create', { document: body })),
  },
  {
    method: 'POST',
    path: '/v2/workflows/import',
    permission,
    body: 'object',
    operations: ['workflow.import'],
    async does({ invoke, body }) {
      const { items, warnings } = await invoke<{ items: WorkflowView[]; warnings: string[] }>('workflow.import', { file: body })
      return { workflows: items.map(encodeWorkflow), warnings }
    },
  },
  {
    method: 'GET',
    path: base,
    gone: true,
    operations: ['workflow.get'],
    does: async (doing) => encodeWorkflow(await doing.invoke('workflow.get', { workflow: workflowOf(doing) })),
  },
  {
    method: 'PUT',
    path: base,
    gone: true,
    permission,
    body: 'object',
    operations: ['workflow.update'],
    does: async (doing) => encodeWorkflow(await doing.invoke('workflow.update', { workflow: workflowOf(doing), document: doing.body })),
  },
  {
    method: 'DELETE',
    path: base,
    gone: true,
    permission,
    operations: ['workflow.delete'],
    async does(doing) {
      await doing.invoke('workflow.delete', { workflow: workflowOf(doing) })
      return { message: 'workflow deleted' }
    },
  },
  {
    method: 'POST',
    path: `${base}/activate`,
    gone: true,
    permission,
    operations: ['workflow.activate'],
    does: async (doing) =>
      encodeWorkflow(await doing.invoke('workflow.activate', { workflow: workflowOf(doing), reactivate: flagParameter(doing.query, 'reactivate') })),
  },
  {
    method: 'POST',
    path: `${base}/deactivate`,
    gone: true,
    permission,
    operations: ['workflow.deactivate'],
    does: async (doing) => encodeWorkflow(await doing.invoke('workflow.deactivate', { workflow: workflowOf(doing) })),
  },
  {
    method: 'GET',
    path: `${base}/versions`,
    operations: ['workflow.list-versions'],
    async does(doing) {
      const { items } = await doing.invoke<{ items: VersionView[] }>('workflow.list-versions', { workflow: workflowOf(doing) })
      return { versions: items.map(encodeVersion) }
    },
  },
  {
    method: 'GET',
    path: `${base}/versions/:version_uid`,
    operations: ['workflow.get-version'],
    async does(doing) {
      const input = { workflow: workflowOf(doing), version: uuid(doing.parameters.version_uid, 'workflow version') }
      return encodeDocument((await doing.invoke<{ document: JsonObject }>('workflow.get-version', input)).document)
    },
  },
  {
    method: 'GET',
    path: `${base}/export`,
    gone: true,
    operations: ['workflow.export'],
    async does(doing) {
      const format = wordParameter(doing.query, 'format', ['kom', 'icon']) ?? 'kom'
      return (await doing.invoke<{ file: JsonObject }>('workflow.export', { workflow: workflowOf(doing), format })).file
    },
  },
]

async function list(doing: Doing): Promise<unknown> {
  const { query, invoke } = doing
  const status = wordParameter(query, 'status', ['active', 'inactive', 'draft'])
  const type = wordParameter(query, 'type', ['normal', 'snippet'])
  const name = query.get('name')
  const documents = !flagParameter(query, 'minimum')
  const [limit, offset] = [wholeNumber(query, 'limit'), wholeNumber(query, 'offset') ?? 0]
  const sort = sortKeys(query, sortFields)
  if (name !== null && name.length > 300) throw bad('the parameter "name" is longer than any name')
  const input = { ...(status && { status }), ...(type && { type }), ...(name !== null && { name }) }
  if (sort.length === 0 && offset === 0 && limit === undefined) {
    return listed<WorkflowView>(doing, {
      member: 'workflows',
      operation: 'workflow.list',
      input: { ...input, documents },
      encode: encodeWorkflow,
      // A page of documents may be megabytes for each workflow of it.
      atOnce: documents ? 20 : 1000,
    })
  }
  const all = await allOf<WorkflowView>(doing, 'workflow.list', input)
  const part = sorted(all, sort).slice(offset, limit === undefined ? undefined : offset + limit)
  if (!documents) return { workflows: part.map(encodeWorkflow) }
  const workflows = []
  for (const { id } of part) workflows.push(encodeWorkflow(await invoke('workflow.get', { workflow: id })))
  return { workflows }
}

function sorted(workflows: readonly WorkflowView[], keys: readonly SortKey[]): WorkflowView[] {
  const text = (workflow: WorkflowView, by: string) => String(workflow[by as keyof WorkflowView]) // one of the fields above
  return [...workflows].sort((a, b) => {
    for (const { by, direction } of keys) {
      const [x, y] = [text(a, by), text(b, by)]
      if (x !== y) return (x < y ? -1 : 1) * (direction === 'asc' ? 1 : -1)
    }
    return 0
  })
}

export { workflowRoutes }
