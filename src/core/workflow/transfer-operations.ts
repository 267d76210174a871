import { fault } from '../kernel/fault.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { catalogOf } from './catalog.ts'
import { usableConnection } from './connection/open.ts'
import { readWorkflowFile, writeWorkflowFile } from './document/file.ts'
import { objectMember, textMember, withMembers } from './document/members.ts'
import { validateDocument } from './document/validate.ts'
import { shownOf } from './job/shown.ts'
import { freeName, insertWorkflow } from './store-version.ts'
import { workflowSpecOf } from './spec.ts'
import { workflowExample, workflowMember } from './workflow-operations.ts'
import { Workflow, viewWorkflows } from './view.ts'
import type { Json } from '../kernel/json.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { Finding, WorkflowDocument } from './document/model.ts'
import type { Catalog } from './document/validate.ts'

const importFile = defineOperation({
  name: 'workflow.import',
  summary: 'Makes a draft of every workflow in an export file, and says what is missing to activate them.',
  description: 'Reads `.kom` 0.4 and `.icon` 2.0.0. All are made or none; a name that is taken gets a number. Nothing that exists is overwritten.',
  input: Closed({ file: Type.Unknown({ description: 'The whole content of the file.' }) }),
  output: Closed({ items: Type.Array(Workflow), warnings: Type.Array(Type.String()) }),
  access: { system: 'workflow.modify' },
  subjects: {},
  effect: 'act',
  audit: { subject: () => 'workflow:imported', detail: ({ file }) => ({ workflows: namesOf(file) }) },
  example: { file: { workflows: [{ name: 'Look up', steps: [], paths: [] }] } },
  async run(ctx, input) {
    const { documents, ids, findings: found, warnings: told } = await examineFile(ctx, input.file)
    const warnings: string[] = [...told]
    for (const [index, document] of documents.entries()) {
      const findings = found[index] ?? []
      for (const { step, input: where, message } of findings) {
        warnings.push(`${document.name}${step === '' ? '' : `, step "${step}"`}${where === '' ? '' : `, ${where}`}: ${message}`)
      }
      warnings.push(...(await otherConnections(ctx, document)))
      for (const step of document.steps) {
        if (step.type.endsWith('_chatops'))
          warnings.push(`${document.name}, step "${step.name}": needs a chat adapter, which is not built; it fails when it runs`)
      }
    }
    const rows = await ctx.write(async (inside) => {
      const made = []
      const triggers = new Map<string, string>()
      for (const [index, document] of documents.entries()) {
        const name = await freeName(inside, document.name.trim())
        if (name !== document.name.trim()) warnings.push(`${document.name}: a workflow of that name exists, so it is called "${name}"`)
        made.push(await insertWorkflow(inside, { ...document, name }, { id: ids[index] ?? '', triggers }))
      }
      return made
    })
    return { items: await viewWorkflows(ctx, rows, { documents: true }), warnings }
  },
})

const exportFile = defineOperation({
  name: 'workflow.export',
  summary: 'A workflow as an export file, without secrets.',
  input: Closed({
    workflow: workflowMember,
    format: Type.Optional(OneOf(['kom', 'icon'], { description: 'The format that it came in when left out.' })),
  }),
  output: Closed({ file: Type.Unknown(), warnings: Type.Array(Type.String()) }),
  access: 'signed-in',
  subjects: { workflow: subject('workflow', 'read', 'workflow') },
  effect: 'read',
  audit: 'none',
  example: workflowExample,
  async run(ctx, input, { workflow }) {
    const { active, published, draft } = workflowSpecOf(workflow.row)
    const version = (active ? published : null) ?? draft ?? published ?? ''
    const document = await ctx.services.workflows.document({ spec: { version_id: version } })
    const { row } = workflow
    const by = { ...(await personOf(ctx, ctx.principal.id)), user_name: ctx.principal.name, at: ctx.clock.now() }
    const exported = { id: row.id, version, created_by: await personOf(ctx, row.owner_id ?? ''), last_modified: row.updated_at }
    const written = writeWorkflowFile({ ...document, name: row.name }, input.format ?? document.format, by, exported)
    return { file: (await shownOf(ctx)).json(written.file), warnings: written.warnings }
  },
})

/** The workflows of an export file as they would be here, and what stands against activating each. */
async function examineFile(ctx: Ctx, file: unknown) {
  const read = readWorkflowFile(file as Json) // what arrived was JSON
  const ids = read.documents.map(() => ctx.ids.record())
  const documents = withNewIds(read.documents, ids)
  if (documents.length === 0) throw fault('malformed_request', { why: 'the file holds no workflow' })
  if (documents.length > 100) throw fault('malformed_request', { why: 'the file holds more than 100 workflows' })
  const snippets = new Map(documents.map(({ name }, index) => [ids[index] ?? '', name]))
  const findings: Finding[][] = []
  for (const document of documents) findings.push(await validateDocument(document, withinFile(catalogOf(ctx), snippets), ctx.services.patterns))
  return { documents, ids, findings, warnings: read.warnings }
}

/** The documents of a file with their ids of here: a step that runs another workflow of the file goes on to mean that one. */
function withNewIds(documents: readonly WorkflowDocument[], ids: readonly string[]): WorkflowDocument[] {
  const before = documents.map(({ kept }) => textMember(objectMember(kept, 'workflow'), 'workflow_id'))
  const now = new Map(before.flatMap((id, index) => (id === '' ? [] : [[id, ids[index] ?? ''] as const])))
  return documents.map((document) => ({
    ...document,
    steps: document.steps.map((step) => {
      const id = step.type === 'snippet' ? now.get(textMember(step.parameters, 'workflow_uid')) : undefined
      return id === undefined ? step : { ...step, parameters: withMembers(step.parameters, { workflow_uid: id }) }
    }),
  }))
}

/** What a file may name: what is here, and the other workflows of the file, of which only nothing is active yet. */
function withinFile(catalog: Catalog, names: ReadonlyMap<string, string>): Catalog {
  return {
    ...catalog,
    snippet(uid) {
      const name = names.get(uid)
      return name === undefined ? catalog.snippet(uid) : Promise.resolve(`"${name}" of the same file has to be activated first`)
    },
  }
}

/** Connections that a file of another server names by a number which is one of another name here, or none: what is meant is known by its name. */
async function otherConnections(ctx: Ctx, document: WorkflowDocument): Promise<string[]> {
  const told: string[] = []
  for (const { name, connection, kept } of document.steps) {
    const meant = textMember(objectMember(objectMember(kept, 'parameters'), 'connection'), 'name')
    if (typeof connection !== 'number' || meant === '') continue
    const row = await usableConnection(ctx.db, ctx.principal, connection)
    if (row?.name === meant) continue
    const here = row ? `number ${connection} is "${row.name}" here` : `there is no number ${connection} here that you may use`
    told.push(`${document.name}, step "${name}", connection: the file means "${meant}", and ${here}; choose the right one`)
  }
  return told
}

async function personOf(ctx: Ctx, id: string) {
  const user = id === '' ? null : await ctx.db.users.byId(id)
  return { user_name: user?.name ?? '', first_name: user?.first_name ?? '', last_name: user?.last_name ?? '', email: user?.email ?? '' }
}

/** The names in a file, for the audit trail: what is no file has none. */
function namesOf(file: unknown): string[] {
  try {
    return readWorkflowFile(file as Json).documents.map(({ name }) => name) // what arrived was JSON
  } catch {
    return []
  }
}

const transferOperations: readonly AnyOperation[] = [importFile, exportFile]

export { transferOperations, examineFile }
