import { createHash } from 'node:crypto'
import { pageOf, pageRequest } from '../kernel/page.ts'
import { replicaKind, replicaOf } from './replica.ts'
import { podsOf, replicaPod } from './task-view.ts'
import type { Page } from '../kernel/page.ts'
import type { Ctx } from '../operation/context.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { Viewer } from '../../ports/store/tables.ts'
import type { PodView } from './task-view.ts'

type Scope = { readonly viewer: Viewer | null; readonly namespace: string | null }

/** What runs or ran for tasks, deployments and services: a page of their runs, by namespace and name, each with its pods. */
async function pagePods(ctx: Ctx, { viewer, namespace }: Scope, input: { limit?: number; cursor?: string }): Promise<Page<PodView>> {
  const filter = { listed: true, ...(namespace !== null && { namespace }) }
  const page = pageRequest(input)
  return ctx.services.store.read(async (tables) => {
    // Each kind has the order in its index; both together are merged by it.
    const tasks = await tables.runs.page({ ...filter, kinds: ['task'] }, viewer, 'name', page)
    const replicas = await tables.runs.page({ ...filter, kinds: [replicaKind] }, viewer, 'name', page)
    const sorted = [...tasks.items, ...replicas.items].sort(byPosition)
    const more = tasks.next !== null || replicas.next !== null || sorted.length > page.limit
    const runs = sorted.slice(0, page.limit)
    const steps = new Map((await tables.steps.ofRuns(runs.map((run) => run.id))).map((step) => [step.run_id, step]))
    const items = runs.flatMap((run) => podsOfRun(run, steps.get(run.id) ?? null))
    const { next } = pageOf(more ? [...runs, ...runs.slice(-1)] : runs, more ? runs.length : page.limit, positionOf)
    return { items, next }
  })
}

function podsOfRun(run: RunRow, step: StepRow | null): PodView[] {
  if (run.kind !== replicaKind) return podsOf(run, step, (attempt) => podName(run, attempt))
  const { workload, task, restarts } = replicaOf(run)
  return [replicaPod(run, step, { task: workload, task_name: task, restarts })]
}

// Five characters as Kubernetes adds them, but always the same ones for an attempt.
function podName(run: RunRow, attempt: number): string {
  return `${run.name}-${createHash('sha256').update(`${run.id}-${attempt}`).digest('hex').slice(0, 5)}`
}

function positionOf(run: RunRow): readonly string[] {
  return [run.namespace, run.name, run.id]
}

function byPosition(a: RunRow, b: RunRow): number {
  const [left, right] = [positionOf(a), positionOf(b)]
  const at = left.findIndex((part, index) => part !== right[index])
  return at < 0 ? 0 : (left[at] ?? '') < (right[at] ?? '') ? -1 : 1
}

export { pagePods }
