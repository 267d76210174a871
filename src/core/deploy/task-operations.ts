import { find } from '../access/find.ts'
import { fault } from '../kernel/fault.ts'
import { isUuid } from '../kernel/id.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, OneOf, PageOf, Type, listMembers } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { deleteCronJob, listCronJobs, openCronJob } from './cron-job.ts'
import { deployTask } from './deploy-task.ts'
import { EndedTasks } from './ended-tasks.ts'
import { checkedName, givenName } from './names.ts'
import { openViewer, readableNamespace, usedNamespace } from './namespace.ts'
import { pagePods } from './pods.ts'
import { requestMembers } from './request.ts'
import { DeployedTask, Pod, Task, taskView, workloadTypes } from './task-view.ts'
import { deleteWorkload, listWorkloads, openWorkload } from './workload-rows.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { RunRow } from '../../ports/store/rows.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Viewer } from '../../ports/store/tables.ts'

const NamespaceMember = Type.String({ minLength: 1, maxLength: 300, description: 'Its namespace; `_`, `.` and space count as `-`.' })

const deploy = defineOperation({
  name: 'task.deploy',
  summary: 'Deploys the task that a manifest.json describes and gives it; it goes on after the answer.',
  description:
    'Needs write on the namespace. The first deploy into a namespace makes it; that needs write on the repository, or a grant made ahead. ' +
    'A namespace has one active job of a name: a second one is refused with the id of the first, an ended one is replaced.',
  input: Closed({
    ...requestMembers,
    schedule: Type.Optional(Type.String({ maxLength: 1024, description: 'A cron expression; wins over the one in the manifest.' })),
  }),
  output: DeployedTask,
  access: 'signed-in',
  subjects: {},
  effect: 'act',
  audit: {
    subject: (input, output) => (output ? `task:${output.namespace}/${output.name}` : `task:${input.namespace ?? ''}/${input.name ?? ''}`),
    detail: (_, output) =>
      output
        ? {
            repository: output.repository,
            directory: output.directory,
            branch: output.branch,
            commit: output.commit,
            ...(output.replayed && { replayed: true }),
          }
        : {},
  },
  example: { repository: 'sample', directory: 'hello' },
  run: (ctx, input) => deployTask(ctx, input, 'task.deploy'),
})

const get = defineOperation({
  name: 'task.get',
  summary: 'One task and where it stands, by its id; also when it was replaced or deleted.',
  input: Closed({ task: Type.String({ maxLength: 100, description: 'Id of the task.' }) }),
  output: Task,
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { task: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001' },
  async run(ctx, input) {
    const cronJob = await openCronJob(ctx, input.task)
    if (cronJob) return cronJob
    const workload = await openWorkload(ctx, input.task)
    if (workload) return workload
    const run = await openRun(ctx, 'task', input.task)
    const [step] = await ctx.db.steps.ofRun(run.id)
    return taskView(run, step ?? null)
  },
})

const list = defineOperation({
  name: 'task.list',
  summary: 'Tasks of one type by namespace and name; replaced and deleted ones are left out.',
  description:
    'The deployment that belongs to a service is listed as a deployment as well. Of deployments and services a page may hold fewer than the limit.',
  input: Closed({
    namespace: Type.Optional(NamespaceMember),
    type: Type.Optional(OneOf(workloadTypes, { description: 'Jobs when left out.' })),
    ...listMembers,
  }),
  output: PageOf(Task),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { namespace: 'weather' },
  async run(ctx, input) {
    const { type, ...rest } = input
    if (type === 'cronjob') return listCronJobs(ctx, await listScope(ctx, input), input)
    if (type === 'deployment' || type === 'service') return listWorkloads(ctx, await listScope(ctx, input), { ...rest, type })
    return pageOfTasks(ctx, input)
  },
})

const listPods = defineOperation({
  name: 'pod.list',
  summary: 'What runs or ran for the listed tasks: one item for each attempt of a job that was started, and for each instance of a deployment.',
  description: 'The limit counts jobs and instances, so a page may hold more items, or fewer.',
  input: Closed({ namespace: Type.Optional(NamespaceMember), ...listMembers }),
  output: PageOf(Pod),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { namespace: 'weather' },
  async run(ctx, input) {
    return pagePods(ctx, await listScope(ctx, input), input)
  },
})

const remove = defineOperation({
  name: 'task.delete',
  summary: 'Deletes a task: what runs of it is stopped, and it leaves the lists.',
  description:
    'The record of a job or cron job stays readable by its id. That of a deployment or service is gone, and a service takes its deployment with it, which ' +
    'cannot be deleted alone.',
  input: Closed({
    namespace: NamespaceMember,
    name: Type.String({ minLength: 1, maxLength: 300, description: 'Its name.' }),
    type: Type.Optional(OneOf(workloadTypes, { description: 'A job when left out.' })),
  }),
  output: Closed({
    id: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    deleted_jobs: Type.Array(Type.String(), { description: 'Names of the jobs of a cron job that were stopped with it.' }),
  }),
  access: 'signed-in',
  subjects: {},
  effect: 'act',
  audit: { subject: (input) => `task:${givenName(input.namespace, 'namespace') ?? input.namespace}/${givenName(input.name, 'job') ?? input.name}` },
  example: { namespace: 'weather', name: 'fetch' },
  async run(ctx, input) {
    const namespace = checkedName(input.namespace.replace(/^namespace:/, ''), 'namespace', 'namespace')
    const name = checkedName(input.name, input.type ?? 'job', 'name')
    await usedNamespace(ctx, namespace, 'task.delete')
    if (input.type === 'cronjob') return deleteCronJob(ctx, namespace, name)
    if (input.type === 'deployment' || input.type === 'service') return deleteWorkload(ctx, input.type, namespace, name)
    const run = await ctx.db.runs.listedNamed('task', namespace, name)
    if (!run || run.deleted_at !== null) throw missing('job', name, 'name')
    await ctx.services.engine.cancel(ctx, run.id, { cleanup: false, reason: 'deleted_by_user', delete: true })
    return { id: run.id, namespace, name, deleted_jobs: [] }
  },
})

/** A run of a kind by its id, for the open reads: the id is the key, unless the operator wants grants to count (Deploy API §3.8). */
async function openRun(ctx: Ctx, kind: 'task' | 'pipeline', id: string): Promise<RunRow> {
  const viewer = openViewer(ctx)
  const run = isUuid(id) ? await ctx.db.runs.byId(id) : null
  if (run?.kind !== kind) throw missing(kind, id, kind)
  if (viewer) {
    try {
      await find(ctx, { kind: 'run', need: 'read', member: kind }, id)
    } catch (error) {
      throw missing(kind, id, kind, error)
    }
  }
  return run
}

type ListScope = { readonly viewer: Viewer | null; readonly namespace: string | null }

/** Through whose eyes a list is read, and of which namespace. */
async function listScope(ctx: Ctx, input: { namespace?: string }): Promise<ListScope> {
  const viewer = openViewer(ctx)
  const namespace = input.namespace === undefined ? null : checkedName(input.namespace.replace(/^namespace:/, ''), 'namespace', 'namespace')
  if (namespace !== null) await readableNamespace(ctx, namespace, viewer)
  return { viewer, namespace }
}

async function pageOfTasks(ctx: Ctx, input: { namespace?: string; limit?: number; cursor?: string }) {
  const { viewer, namespace } = await listScope(ctx, input)
  const filter = { kinds: ['task'], listed: true, ...(namespace !== null && { namespace }) }
  return ctx.services.store.read(async (tables) => {
    const { items, next } = await tables.runs.keys(filter, viewer, pageRequest(input))
    return { items: await endedTasksOf(ctx).views(tables, items), next }
  })
}

const endedTasks = new WeakMap<Store, EndedTasks>()

function endedTasksOf({ services: { store } }: Ctx): EndedTasks {
  const known = endedTasks.get(store) ?? new EndedTasks({ largest: 24 * 1024 * 1024 })
  endedTasks.set(store, known)
  return known
}

function missing(kind: string, reference: string, member: string, cause?: unknown) {
  const options = { private: { absence: 'missing', kind, reference, member } as const }
  return fault('not_found', { kind, reference }, cause === undefined ? options : { ...options, cause })
}

const taskOperations: readonly AnyOperation[] = [deploy, get, list, listPods, remove]

export type { ListScope }
export { openRun, taskOperations }
