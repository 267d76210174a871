import { fault } from '../kernel/fault.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, PageOf, Type, listMembers } from '../kernel/schema.ts'
import { find } from '../access/find.ts'
import { isUuid } from '../kernel/id.ts'
import { defineOperation } from '../operation/operation.ts'
import { admit } from './admit.ts'
import { checkedName, givenName } from './names.ts'
import { openViewer, readableNamespace, usedNamespace } from './namespace.ts'
import { workloadKey, workloadKind, workloadOf, workloadTopic } from './workload.ts'
import { Deployment, Service, deploymentView, serviceView, workloadTask } from './workload-view.ts'
import type { Page } from '../kernel/page.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { TaskView } from './task-view.ts'

const NamespaceMember = Type.String({ minLength: 1, maxLength: 300, description: 'Its namespace; `_`, `.` and space count as `-`.' })
const NameMember = Type.String({ minLength: 1, maxLength: 300, description: 'Its name.' })

const listInput = Closed({ namespace: Type.Optional(NamespaceMember), ...listMembers })

const listDeployments = defineOperation({
  name: 'deployment.list',
  summary: 'Deployments by namespace and name, those of services among them.',
  input: listInput,
  output: PageOf(Deployment),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { namespace: 'weather' },
  async run(ctx, input) {
    const { items, next } = await pageOfWorkloads(ctx, input)
    return { items: items.map(deploymentView), next }
  },
})

const listServices = defineOperation({
  name: 'service.list',
  summary: 'Services by namespace and name, with their addresses.',
  description: 'The limit counts deployments too, so a page may hold fewer items.',
  input: listInput,
  output: PageOf(Service),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { namespace: 'weather' },
  async run(ctx, input) {
    const { items, next } = await pageOfWorkloads(ctx, input)
    const services = items.filter((row) => workloadOf(row).type === 'service')
    return { items: services.map((row) => serviceView(row, ctx.services.settings.gatewayUrl)), next }
  },
})

const deleted = { id: Type.String(), namespace: Type.String(), name: Type.String() }
const subjectOf = (kind: string) => (input: { namespace: string; name: string }) =>
  `${kind}:${givenName(input.namespace, 'namespace') ?? input.namespace}/${givenName(input.name, 'deployment') ?? input.name}`

const deleteDeployment = defineOperation({
  name: 'deployment.delete',
  summary: 'Deletes a deployment with its record; its instances are stopped. The one of a service goes with its service only.',
  input: Closed({ namespace: NamespaceMember, name: NameMember }),
  output: Closed(deleted),
  access: 'signed-in',
  subjects: {},
  effect: 'act',
  audit: { subject: subjectOf('deployment'), subjectId: (_, output) => output?.id ?? null },
  example: { namespace: 'weather', name: 'worker' },
  async run(ctx, input) {
    const row = await writableWorkload(ctx, input, 'deployment')
    if (workloadOf(row).type === 'service') {
      const { name } = workloadOf(row)
      throw fault('in_use', { what: `The deployment "${name}"`, by: `the service "${name}"` }, { private: { kind: 'deployment', reference: name } })
    }
    return removeWorkload(ctx, row)
  },
})

const deleteService = defineOperation({
  name: 'service.delete',
  summary: 'Deletes a service and its deployment with their record: first nobody is led to it any more, then its instances are stopped.',
  input: Closed({ namespace: NamespaceMember, name: NameMember }),
  output: Closed(deleted),
  access: 'signed-in',
  subjects: {},
  effect: 'act',
  audit: { subject: subjectOf('service'), subjectId: (_, output) => output?.id ?? null },
  example: { namespace: 'weather', name: 'forecast' },
  run: async (ctx, input) => removeWorkload(ctx, await writableWorkload(ctx, input, 'service')),
})

async function writableWorkload(ctx: Ctx, input: { namespace: string; name: string }, kind: 'deployment' | 'service'): Promise<ResourceRow> {
  const namespace = checkedName(input.namespace.replace(/^namespace:/, ''), 'namespace', 'namespace')
  const name = checkedName(input.name, kind, 'name')
  await usedNamespace(ctx, namespace, `${kind}.delete`)
  const row = await ctx.db.resources.byName(workloadKind, workloadKey(namespace, name))
  if (!row || (kind === 'service' && workloadOf(row).type !== 'service')) throw missing(kind, name, 'name')
  return row
}

// With the record goes its route; the reconciler finds instances that belong to nothing, and stops them.
async function removeWorkload(ctx: Ctx, row: ResourceRow) {
  const { name, namespace } = workloadOf(row)
  const answer = await ctx.write(async ({ db }) => {
    // Of two calls at once one finds nothing any more.
    if (!(await db.resources.byId(row.id))) throw missing(workloadOf(row).type, name, 'name')
    await db.resources.remove(row.id)
    return { id: row.id, namespace, name }
  })
  ctx.services.store.bus.publish(workloadTopic, row.id)
  return answer
}

async function pageOfWorkloads(ctx: Ctx, input: { namespace?: string; limit?: number; cursor?: string }): Promise<Page<ResourceRow>> {
  const viewer = openViewer(ctx)
  const namespace = input.namespace === undefined ? null : checkedName(input.namespace.replace(/^namespace:/, ''), 'namespace', 'namespace')
  if (namespace !== null) await readableNamespace(ctx, namespace, viewer)
  const { resources } = ctx.db
  const parent = namespace === null ? null : await resources.byName('namespace', namespace)
  const filter = { kind: workloadKind, ...(parent && { parentId: parent.id }) }
  const page = await resources.page(filter, { userId: '', administrator: true }, { need: 'read', ownerIsAdmin: false }, pageRequest(input))
  if (!viewer || parent) return page
  const parents = [...new Set(page.items.flatMap((row) => row.parent_id ?? []))]
  const visible = await resources.visible(parents, viewer, { need: 'read', ownerIsAdmin: false })
  return { items: page.items.filter((row) => row.parent_id !== null && visible.has(row.parent_id)), next: page.next }
}

/** The deployment or service of an id, for an open read; null when there is none, or none that the caller may see. */
async function openWorkload(ctx: Ctx, id: string): Promise<TaskView | null> {
  const row = isUuid(id) ? await ctx.db.resources.byId(id) : null
  if (row?.kind !== workloadKind) return null
  const viewer = openViewer(ctx)
  if (viewer) {
    try {
      await find(ctx, { kind: 'namespace', need: 'read', member: 'task' }, row.parent_id ?? '')
    } catch (error) {
      throw missing('task', id, 'task', error)
    }
  }
  return workloadTask(row)
}

function missing(kind: string, reference: string, member: string, cause?: unknown) {
  return fault('not_found', { kind, reference }, { private: { absence: 'missing', kind, reference, member }, cause })
}

const workloadOperations: readonly AnyOperation[] = [listDeployments, listServices, deleteDeployment, deleteService, admit]

export { openWorkload, workloadOperations }
