import { fault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { catalogOf } from './catalog.ts'
import { documentDiff } from './document/diff.ts'
import { versionBody } from './document/file.ts'
import { validateDocument } from './document/validate.ts'
import { readWorkflow } from './document/file.ts'
import { storedSpec, workflowSpecOf } from './spec.ts'
import { bindingFindings, bindTrigger } from './trigger/binding.ts'
import { examineFile } from './transfer-operations.ts'
import { objectOf, workflowExample, workflowMember } from './workflow-operations.ts'
import { Version, Workflow, viewVersions, viewWorkflow } from './view.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Finding, WorkflowDocument } from './document/model.ts'

const FindingSchema = Closed({
  workflow: Type.Optional(Type.String({ description: 'Which workflow of a file.' })),
  step: Type.String({ description: 'The name of the step; empty for the workflow as a whole.' }),
  input: Type.String({ description: 'Which input or member of it; empty for the step as a whole.' }),
  message: Type.String(),
})

const validate = defineOperation({
  name: 'workflow.validate',
  summary: 'Everything that stands against activating a workflow, or a document or an export file that is not stored.',
  input: Closed({
    workflow: Type.Optional(workflowMember),
    document: Type.Optional(Type.Unknown({ description: 'A document to be checked in place of the stored draft.' })),
    file: Type.Optional(Type.Unknown({ description: 'The whole content of an export file (`.kom`, `.icon`) whose workflows are to be checked.' })),
  }),
  output: Closed({ valid: Type.Boolean(), findings: Type.Array(FindingSchema) }),
  access: 'signed-in',
  subjects: { workflow: subject('workflow', 'read', 'workflow') },
  effect: 'read',
  audit: 'none',
  example: workflowExample,
  async run(ctx, input, found) {
    if (input.file !== undefined) return verdict(await findingsInFile(ctx, input.file))
    const row = input.workflow === undefined ? null : found.workflow.row
    if (!row && input.document === undefined)
      throw fault('malformed_request', { why: 'none of "workflow", "document" and "file" says what is to be checked' })
    const document = input.document === undefined && row ? await documentToPublish(ctx, row) : readWorkflow(objectOf(input.document))
    const findings = await validateDocument(document, catalogOf(ctx), ctx.services.patterns)
    const version = input.document === undefined && row ? await ctx.db.workflowVersions.byId(versionToPublish(row)) : null
    return verdict([...findings, ...(await bindingFindings(ctx, document, version))])
  },
})

async function findingsInFile(ctx: Ctx, file: unknown) {
  const { documents, findings } = await examineFile(ctx, file)
  return documents.flatMap(({ name }, index) => (findings[index] ?? []).map((finding) => ({ workflow: name, ...finding })))
}

function verdict(findings: readonly (Finding & { workflow?: string })[]) {
  return { valid: findings.length === 0, findings: findings.map((finding) => ({ ...finding })) }
}

const activate = defineOperation({
  name: 'workflow.activate',
  summary: 'Publishes the draft of a workflow, if it has one, and lets events start it.',
  description: 'Everything that stands against it is said at once, and then nothing has changed.',
  input: Closed({
    workflow: workflowMember,
    reactivate: Type.Optional(Type.Boolean({ description: 'Activate the version that was published last, and leave the draft as it is.' })),
  }),
  output: Workflow,
  access: { system: 'workflow.modify' },
  subjects: { workflow: subject('workflow', 'write', 'workflow') },
  effect: 'act',
  audit: { subject: (input, output) => `workflow:${output?.name ?? input.workflow}`, subjectId: (_, output) => output?.id ?? null },
  example: workflowExample,
  async run(ctx, input, { workflow }) {
    const spec = workflowSpecOf(workflow.row)
    const version = input.reactivate === true ? spec.published : (spec.draft ?? (spec.active ? null : spec.published))
    if (version === null) {
      const next = input.reactivate === true ? 'Activate its draft.' : 'Change it first: there is no draft to publish.'
      throw fault('state_conflict', {
        what: `The workflow "${workflow.row.name}"`,
        state: spec.active ? 'active already' : 'without a published version',
        next,
      })
    }
    const document = await documentOf(ctx, version)
    const stored = await ctx.db.workflowVersions.byId(version)
    const problems = await validateDocument(document, catalogOf(ctx), ctx.services.patterns)
    const findings = [...problems, ...(await bindingFindings(ctx, document, stored))]
    if (findings.length > 0) throw notActivated(workflow.row, findings)
    const row = await ctx.write(async (inside) => {
      const now = await inside.db.resources.byId(workflow.row.id)
      // What was checked is what becomes active: a draft that came meanwhile stays a draft.
      if (!now || now.deleted_at !== null) throw fault('not_found', { kind: 'workflow', reference: workflow.row.name })
      const current = workflowSpecOf(now)
      await inside.db.workflowVersions.publish(version)
      await bindTrigger(inside, now.id, { document, version: stored })
      const next = {
        ...current,
        active: true,
        published: version,
        draft: current.draft === version ? null : current.draft,
        updated_by: ctx.principal.id,
      }
      await inside.db.resources.update(now.id, { spec: storedSpec(next), updated_at: inside.clock.now() })
      inside.emit({ kind: 'workflow', id: now.id, name: now.name, state: 'active', resource_id: now.id })
      return inside.db.resources.byId(now.id)
    })
    if (!row) throw fault('not_found', { kind: 'workflow', reference: workflow.row.name })
    return viewWorkflow(ctx, row)
  },
})

const deactivate = defineOperation({
  name: 'workflow.deactivate',
  summary: 'Lets no event start a workflow any more; jobs that run go on.',
  input: Closed({ workflow: workflowMember }),
  output: Workflow,
  access: { system: 'workflow.modify' },
  subjects: { workflow: subject('workflow', 'write', 'workflow') },
  effect: 'write',
  audit: { subject: (input, output) => `workflow:${output?.name ?? input.workflow}`, subjectId: (_, output) => output?.id ?? null },
  example: workflowExample,
  async run(ctx, _, { workflow }) {
    const { row } = workflow
    const spec = workflowSpecOf(row)
    if (!spec.active)
      throw fault('state_conflict', { what: `The workflow "${row.name}"`, state: 'not active', next: 'There is nothing to deactivate.' })
    await ctx.db.workflowTriggers.bind(row.id, null)
    const next = storedSpec({ ...spec, active: false, updated_by: ctx.principal.id })
    await ctx.db.resources.update(row.id, { spec: next, updated_at: ctx.clock.now() })
    ctx.emit({ kind: 'workflow', id: row.id, name: row.name, state: 'inactive', resource_id: row.id })
    return viewWorkflow(ctx, { ...row, spec: next })
  },
})

const listVersions = defineOperation({
  name: 'workflow.list-versions',
  summary: 'The versions of a workflow, newest first, without their documents.',
  input: Closed({ workflow: workflowMember }),
  output: Closed({ items: Type.Array(Version) }),
  access: 'signed-in',
  subjects: { workflow: subject('workflow', 'read', 'workflow') },
  effect: 'read',
  audit: 'none',
  example: workflowExample,
  async run(ctx, _, { workflow }) {
    const versions = await ctx.db.workflowVersions.ofWorkflow(workflow.row.id)
    const { draft } = workflowSpecOf(workflow.row)
    // A draft that another one took the place of is no version of the workflow any more; only the jobs that tried it still name it.
    const listed = versions.filter(({ id, state }) => state === 'published' || id === draft)
    return { items: await viewVersions(ctx, workflow.row, listed, versions) }
  },
})

const versionMember = Type.String({ description: 'Id of the version.' })

const getVersion = defineOperation({
  name: 'workflow.get-version',
  summary: 'One version of a workflow, in the members of a `.kom` file.',
  input: Closed({ workflow: workflowMember, version: versionMember }),
  output: Closed({ ...Version.properties, document: Type.Unknown() }),
  access: 'signed-in',
  subjects: { workflow: subject('workflow', 'read', 'workflow') },
  effect: 'read',
  audit: 'none',
  example: { ...workflowExample, version: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001' },
  async run(ctx, input, { workflow }) {
    const row = await ofWorkflow(ctx, workflow.row, input.version)
    const [view] = await viewVersions(ctx, workflow.row, [row], await ctx.db.workflowVersions.ofWorkflow(workflow.row.id))
    if (!view) throw new Error('One row has one view')
    return { ...view, document: versionBody(await documentOf(ctx, row.id)) }
  },
})

const diff = defineOperation({
  name: 'workflow.diff',
  summary: 'What a later version of a workflow has otherwise than an earlier one.',
  input: Closed({ workflow: workflowMember, from: versionMember, to: versionMember }),
  output: Closed({
    differences: Type.Array(
      Closed({
        what: Type.String({ description: '`workflow`, `step` or `path`.' }),
        id: Type.String(),
        name: Type.String(),
        change: Type.String({ description: '`added`, `removed` or `changed`.' }),
        members: Type.Array(Type.String()),
      }),
    ),
  }),
  access: 'signed-in',
  subjects: { workflow: subject('workflow', 'read', 'workflow') },
  effect: 'read',
  audit: 'none',
  example: { ...workflowExample, from: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001', to: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a002' },
  async run(ctx, input, { workflow }) {
    const [from, to] = [await ofWorkflow(ctx, workflow.row, input.from), await ofWorkflow(ctx, workflow.row, input.to)]
    const differences = documentDiff(await documentOf(ctx, from.id), await documentOf(ctx, to.id))
    return { differences: differences.map((difference) => ({ ...difference, members: [...difference.members] })) }
  },
})

async function ofWorkflow(ctx: Ctx, workflow: ResourceRow, version: string) {
  const versions = await ctx.db.workflowVersions.ofWorkflow(workflow.id)
  const found = versions.find(({ id }) => id === version)
  if (!found) throw fault('not_found', { kind: 'workflow version', reference: version }, { private: { kind: 'version', absence: 'missing' } })
  return found
}

async function documentOf(ctx: Ctx, version: string): Promise<WorkflowDocument> {
  return ctx.services.workflows.document({ spec: { version_id: version } })
}

/** The document that activating would publish: the draft, else the published one. */
function documentToPublish(ctx: Ctx, workflow: ResourceRow): Promise<WorkflowDocument> {
  return documentOf(ctx, versionToPublish(workflow))
}

function versionToPublish(workflow: ResourceRow): string {
  const { draft, published } = workflowSpecOf(workflow)
  return draft ?? published ?? ''
}

function notActivated(workflow: ResourceRow, findings: readonly Finding[]) {
  const problems: Problem[] = findings.map(({ step, input, message }) => ({
    path: [step, input].filter((part) => part !== '').join('/'),
    code: 'workflow',
    message,
  }))
  const first = findings[0]
  const where = first && first.step !== '' ? `step "${first.step}"${first.input === '' ? '' : `, ${first.input}`}: ` : ''
  return fault(
    'content_invalid',
    { what: `The workflow "${workflow.name}"`, count: findings.length, first: `${where}${first?.message ?? ''}` },
    { details: { findings: findings.map((finding) => ({ ...finding })), problems } },
  )
}

const versionOperations: readonly AnyOperation[] = [validate, activate, deactivate, listVersions, getVersion, diff]

export { versionOperations }
