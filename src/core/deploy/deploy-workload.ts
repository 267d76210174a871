import { fault } from '../kernel/fault.ts'
import { DuplicateKey } from '../../ports/store/store.ts'
import { contentFault } from './content-fault.ts'
import { keepAnswer } from './idempotency.ts'
import { publishedProblems } from './published.ts'
import { freshStatus, specDocument, workloadKey, workloadKind, workloadOf, workloadTopic } from './workload.ts'
import { acceptedWorkload } from './workload-view.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Idempotency } from './idempotency.ts'
import type { Manifest } from './manifest.ts'
import type { TaskPlan } from './task.ts'
import type { DeployedTask } from './task-view.ts'
import type { WorkloadSpec } from './workload.ts'

type Wanted = {
  readonly manifest: Manifest
  readonly plan: TaskPlan
  readonly name: string
  readonly namespace: string
  /** The namespace's record. */
  readonly resourceId: string
  readonly idempotency: Idempotency | null
}

/**
 * Makes a deployment or service, or gives it a new generation: the same id, whatever is different about it (Deploy API §4.5). Durable when it answers; the
 * reconciler does the rest.
 *
 * Errors: `type_conflict`; `content_invalid` when another service took the prefix meanwhile; `idempotency_key_reuse`.
 */
async function deployWorkload(ctx: Ctx, wanted: Wanted): Promise<Static<typeof DeployedTask>> {
  const put = () => ctx.write((inside) => keepAnswer(inside, wanted.idempotency, () => putWorkload(inside, wanted)))
  const answer = await put().catch((error: unknown) => {
    // Somebody made it in the same moment: now it is there to be renewed.
    if (error instanceof DuplicateKey) return put()
    throw error
  })
  ctx.services.store.bus.publish(workloadTopic, answer.id)
  return answer
}

async function putWorkload(ctx: WriteCtx, wanted: Wanted) {
  const { manifest, name, namespace } = wanted
  // Looked at before as well, with the manifest's other problems; between then and now another service may have come.
  const problems = manifest.published ? await publishedProblems(ctx.db, manifest.published, { namespace, name }) : []
  if (problems.length > 0) throw contentFault('manifest.json', problems)
  const old = await ctx.db.resources.byName(workloadKind, workloadKey(namespace, name))
  if (old && workloadOf(old).type !== manifest.type) {
    const existing = workloadOf(old).type
    throw fault('type_conflict', { name, existing, wanted: manifest.type }, { private: { kind: existing, reference: name, member: 'name' } })
  }
  const row = old ? await renew(ctx, wanted, old) : await make(ctx, wanted)
  return { ...acceptedWorkload(row), replaced: old !== null }
}

async function make(ctx: WriteCtx, wanted: Wanted): Promise<ResourceRow> {
  const now = ctx.clock.now()
  return ctx.db.resources.insert({
    id: ctx.ids.opaque(),
    kind: workloadKind,
    name: workloadKey(wanted.namespace, wanted.name),
    owner_id: null,
    parent_id: wanted.resourceId,
    private: false,
    active: true,
    state: 'deployed',
    spec: specDocument(specOf(ctx, wanted, null)),
    created_at: now,
    updated_at: now,
  })
}

async function renew(ctx: WriteCtx, wanted: Wanted, old: ResourceRow): Promise<ResourceRow> {
  const change = { spec: specDocument(specOf(ctx, wanted, workloadOf(old))), updated_at: ctx.clock.now() }
  await ctx.db.resources.update(old.id, change)
  return { ...old, ...change }
}

function specOf(ctx: Ctx, { manifest, plan, name, namespace }: Wanted, old: WorkloadSpec | null): WorkloadSpec {
  const generation = (old?.generation ?? 0) + 1
  return {
    type: manifest.type === 'service' ? 'service' : 'deployment',
    name,
    namespace,
    generation,
    replicas: manifest.replicas,
    container_port: manifest.containerPort,
    published: manifest.published,
    plan: { ...plan, spec: { ...plan.spec, generation } },
    created_by: old?.created_by ?? ctx.principal.name,
    deployed_by: { id: ctx.principal.id, name: ctx.principal.name },
    // What serves goes on serving until the new generation does.
    status: { ...freshStatus, ...(old && { ready: old.status.ready, stable: old.status.stable }) },
  }
}

export { deployWorkload }
