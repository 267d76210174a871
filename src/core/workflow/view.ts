import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { startStep } from './document/shape.ts'
import { textMember } from './document/members.ts'
import { versionBody } from './document/file.ts'
import { statusOf, workflowSpecOf } from './spec.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { WorkflowVersionSummary } from '../../ports/store/workflows.ts'
import type { WorkflowDocument } from './document/model.ts'

const Person = Closed({ name: Type.String(), first_name: Type.String(), last_name: Type.String(), email: Nullable(Type.String()) })

const Workflow = Closed({
  id: Type.String(),
  serial: Type.Integer(),
  name: Type.String(),
  description: Type.String(),
  type: OneOf(['normal', 'snippet']),
  status: OneOf(['active', 'inactive', 'draft'], { description: '`draft`: it was never activated.' }),
  tags: Type.Array(Type.String()),
  active_version: Nullable(Type.String({ description: 'The version that events start; null while it is not active.' })),
  published_version: Nullable(Type.String()),
  draft_version: Nullable(Type.String()),
  created_by: Nullable(Person),
  updated_by: Nullable(Person),
  created_at: Time,
  updated_at: Time,
  trigger: Nullable(Closed({ id: Type.String(), name: Type.String(), type: Type.String(), url: Type.String() })),
  keep_days: Nullable(Type.Integer()),
  keep_jobs: Nullable(Type.Integer()),
  document: Type.Optional(Type.Unknown({ description: 'Steps and paths of the active version, else of the draft.' })),
})
type WorkflowView = Static<typeof Workflow>

const Version = Closed({
  id: Type.String(),
  number: Type.Integer({ description: 'Counts what was published, and the draft of now.' }),
  created_at: Time,
  created_by: Type.String(),
  author: Nullable(Person),
  active: Type.Boolean(),
  draft: Type.Boolean(),
})

/** Workflows as callers see them. `documents` adds the steps and paths, which may be megabytes. */
async function viewWorkflows(ctx: Ctx, rows: readonly ResourceRow[], options: { documents: boolean }): Promise<WorkflowView[]> {
  const specs = rows.map(workflowSpecOf)
  const people = await peopleOf(ctx, [...rows.map(({ owner_id }) => owner_id ?? ''), ...specs.map(({ updated_by }) => updated_by)])
  const views: WorkflowView[] = []
  for (const [index, row] of rows.entries()) {
    const spec = specs[index] ?? workflowSpecOf(row)
    const version = (spec.active ? spec.published : null) ?? spec.draft ?? spec.published
    const document = version ? await documentIn(ctx, version) : null
    views.push({
      id: row.id,
      serial: row.serial,
      name: row.name,
      description: spec.description,
      type: spec.type,
      status: statusOf(spec),
      tags: [...spec.tags],
      active_version: spec.active ? spec.published : null,
      published_version: spec.published,
      draft_version: spec.draft,
      created_by: people.get(row.owner_id ?? '') ?? null,
      updated_by: people.get(spec.updated_by) ?? null,
      created_at: timestamp(row.created_at),
      updated_at: timestamp(row.updated_at),
      trigger: document ? triggerView(ctx, row.id, document) : null,
      keep_days: spec.keep_days,
      keep_jobs: spec.keep_jobs,
      ...(options.documents && document ? { document: versionBody(document) } : {}),
    })
  }
  return views
}

// A version that this very transaction makes is nowhere else yet.
async function documentIn(ctx: Ctx, version: string): Promise<WorkflowDocument | null> {
  const known = await ctx.services.workflows.ofVersion(version)
  if (known) return known
  const row = await ctx.db.workflowVersions.byId(version)
  return row ? (row.document as unknown as WorkflowDocument) : null // written by us from a document
}

async function viewWorkflow(ctx: Ctx, row: ResourceRow): Promise<WorkflowView> {
  const [view] = await viewWorkflows(ctx, [row], { documents: true })
  if (!view) throw new Error('One row has one view')
  return view
}

function triggerView({ services }: Ctx, workflowId: string, document: WorkflowDocument): WorkflowView['trigger'] {
  const step = startStep(document)
  if (!step || document.type === 'snippet') return null
  const id = textMember(step.parameters, 'trigger_config_id')
  const own = document.triggers.find((trigger) => trigger.id === id)
  return {
    id,
    name: own ? textMember(own, 'name') : step.name,
    type: own ? textMember(own, 'type') : step.plugin ? 'trigger_plugin' : 'api_trigger',
    url: step.plugin ? '' : `${services.settings.publicUrl}/v2/workflows/${workflowId}/events`,
  }
}

async function peopleOf(ctx: Ctx, ids: readonly string[]): Promise<Map<string, Static<typeof Person>>> {
  const people = new Map<string, Static<typeof Person>>()
  for (const id of new Set(ids)) {
    const user = id === '' ? null : await ctx.db.users.byId(id)
    if (user) people.set(id, { name: user.name, first_name: user.first_name, last_name: user.last_name, email: user.email })
  }
  return people
}

/** Versions as callers see them, out of `all` of the workflow. */
async function viewVersions(
  ctx: Ctx,
  row: ResourceRow,
  versions: readonly WorkflowVersionSummary[],
  all: readonly WorkflowVersionSummary[],
): Promise<Static<typeof Version>[]> {
  const spec = workflowSpecOf(row)
  const published = all.filter(({ state }) => state === 'published')
  const people = await peopleOf(
    ctx,
    versions.map((version) => version.created_by),
  )
  return versions.map((version) => ({
    id: version.id,
    // Drafts that another one took the place of leave no gap.
    number: 1 + published.filter(({ number }) => number < version.number).length,
    created_at: timestamp(version.created_at),
    created_by: version.created_by_name,
    author: people.get(version.created_by) ?? null,
    active: spec.active && spec.published === version.id,
    draft: spec.draft === version.id,
  }))
}

export type { WorkflowView }
export { Workflow, Version, viewWorkflows, viewWorkflow, viewVersions }
