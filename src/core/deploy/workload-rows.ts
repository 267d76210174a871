import { find } from '../access/find.ts'
import { fault } from '../kernel/fault.ts'
import { isUuid } from '../kernel/id.ts'
import { pageRequest } from '../kernel/page.ts'
import { openViewer } from './namespace.ts'
import { workloadKey, workloadKind, workloadOf, workloadTopic } from './workload.ts'
import { workloadTask } from './workload-view.ts'
import type { Page } from '../kernel/page.ts'
import type { Ctx } from '../operation/context.ts'
import type { Viewer } from '../../ports/store/tables.ts'
import type { TaskView } from './task-view.ts'

type Scope = { readonly viewer: Viewer | null; readonly namespace: string | null }
type ListInput = { readonly type: 'deployment' | 'service'; readonly limit?: number; readonly cursor?: string }

/** A page of deployments, those of services among them, or of services; by namespace and name. What is left out counts for the limit, so a page may hold less. */
async function listWorkloads(ctx: Ctx, { viewer, namespace }: Scope, input: ListInput): Promise<Page<TaskView>> {
  const { resources } = ctx.db
  const parent = namespace === null ? null : await resources.byName('namespace', namespace)
  const filter = { kind: workloadKind, ...(parent && { parentId: parent.id }) }
  const page = await resources.page(filter, { userId: '', administrator: true }, { need: 'read', ownerIsAdmin: false }, pageRequest(input))
  const parents = [...new Set(page.items.flatMap((row) => row.parent_id ?? []))]
  // That its namespace may be read was found out before.
  const visible = viewer && !parent ? await resources.visible(parents, viewer, { need: 'read', ownerIsAdmin: false }) : new Set(parents)
  const items = page.items.filter(
    (row) => row.parent_id !== null && visible.has(row.parent_id) && (input.type === 'deployment' || workloadOf(row).type === 'service'),
  )
  return { items: items.map((row) => workloadTask(row, ctx.services.settings.gatewayUrl)), next: page.next }
}

/**
 * Deletes a deployment, or a service with its deployment, in a namespace that the caller may write. With its record goes its route; the reconciler finds
 * instances that belong to nothing, and stops them.
 */
async function deleteWorkload(ctx: Ctx, type: 'deployment' | 'service', namespace: string, name: string) {
  const answer = await ctx.write(async ({ db }) => {
    const row = await db.resources.byName(workloadKind, workloadKey(namespace, name))
    if (!row || (type === 'service' && workloadOf(row).type !== 'service')) throw missing(type, name, 'name')
    if (workloadOf(row).type !== type) {
      throw fault('in_use', { what: `The deployment "${name}"`, by: `the service "${name}"` }, { private: { kind: 'deployment', reference: name } })
    }
    await db.resources.remove(row.id)
    return { id: row.id, namespace, name, deleted_jobs: [] }
  })
  ctx.services.store.bus.publish(workloadTopic, answer.id)
  return answer
}

/** The deployment or service of an id, for an open read; null when there is none. One that the caller may not see is `not_found`. */
async function openWorkload(ctx: Ctx, id: string): Promise<TaskView | null> {
  const row = isUuid(id) ? await ctx.db.resources.byId(id) : null
  if (row?.kind !== workloadKind) return null
  if (openViewer(ctx)) {
    try {
      await find(ctx, { kind: 'namespace', need: 'read', member: 'task' }, row.parent_id ?? '')
    } catch (error) {
      throw missing('task', id, 'task', error)
    }
  }
  return workloadTask(row, ctx.services.settings.gatewayUrl)
}

function missing(kind: string, reference: string, member: string, cause?: unknown) {
  return fault('not_found', { kind, reference }, { private: { absence: 'missing', kind, reference, member }, cause })
}

export { listWorkloads, deleteWorkload, openWorkload }
