import { fault } from '../kernel/fault.ts'
import { atLeast } from '../kernel/level.ts'
import { kindOf } from '../resource/kind.ts'
import { viewerOf } from '../identity/principal.ts'
import { requestedPlaces } from './capacity.ts'
import { objectLabels } from './labels.ts'
import { awaitEnd } from './old-run.ts'
import { secretsFor } from '../secret/open.ts'
import { starterOf } from '../run/starter.ts'
import { GitContentRefused, GitUnavailable } from '../../ports/git.ts'
import { StartError } from '../../ports/runtime.ts'
import type { FlowNode } from '../flow/graph.ts'
import type { Json } from '../kernel/json.ts'
import type { Services } from '../operation/services.ts'
import type { PreparedWork, RunSource, StepPlacement } from '../run/source.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { TaskSpec, TaskWork } from './task.ts'

/** What of a checkout of `code/` is put into a task's folder at most. */
const codeLimit = { limitBytes: 512 * 1024 * 1024, limitFiles: 50_000 }

/** How tasks become work (Deploy API §13). */
const taskSource: RunSource = { kind: 'task', place: placeTask, work: prepareTask }

/** The default runtime, counted against its namespace and, with what it requests, against the machine. */
function placeTask(services: Services, run: RunRow, node: FlowNode): StepPlacement {
  const { defaultRuntime, maxRunningPerNamespace, maxRunningPerTarget, capacity } = services.settings
  const places = [
    { gauge: `namespace:${run.namespace}`, amount: 1, limit: maxRunningPerNamespace },
    { gauge: `target:${defaultRuntime}`, amount: 1, limit: maxRunningPerTarget },
    // Written by the makers of drafts from a plan.
    ...(node.kind === 'work' ? requestedPlaces(node.work as unknown as TaskWork, defaultRuntime, capacity) : []),
  ]
  return { runtime: defaultRuntime, places }
}

async function prepareTask(services: Services, run: RunRow, step: StepRow, node: { readonly work: Json }): Promise<PreparedWork> {
  // Written by `taskDraft`, which is the only maker of runs of this kind.
  const spec = run.spec as unknown as TaskSpec
  if (spec.after !== undefined) await awaitEnd(services, spec.after, run.id)
  return prepareWork(services, run, node, { spec, about: { id: run.id, name: run.name, attempt: step.attempt }, more: {} })
}

type Prepared = {
  readonly spec: TaskSpec
  /** The task that it is told to be. */
  readonly about: { readonly id: string; readonly name: string; readonly attempt: number }
  /** Further variables, which no manifest can overrule. */
  readonly more: Readonly<Record<string, string>>
}

/** The work of a task or of an instance of one, secrets opened. */
async function prepareWork(services: Services, run: RunRow, node: { readonly work: Json }, prepared: Prepared): Promise<PreparedWork> {
  const { spec, about, more } = prepared
  // Written by the makers of drafts from a plan.
  const work = node.work as unknown as TaskWork
  await mayRunHere(services, run)
  if (spec.cronjob !== null) await mayStill(services, run, work)
  const environment = await environmentOf(services, run, work)
  const { code } = work
  const image = await imageOf(services, work)
  return {
    work: {
      command: work.command,
      environment: { ...environment.values, ...ownVariables(run.namespace, about, spec), ...more },
      code: code && ((folder) => checkout(services, code, folder)),
      image,
      ...(work.pull && { pull: work.pull }),
      limits: { cpu: work.cpu, memoryBytes: work.memory_bytes, processes: null },
    },
    labels: objectLabels(about.id, spec),
    secrets: environment.secrets,
  }
}

async function imageOf(services: Services, { image, build, code }: TaskWork): Promise<string | null> {
  if (image === null) return null
  const runtime = services.runtimes.get(services.settings.defaultRuntime)
  if (!runtime) throw fault('runtime_unavailable', { runtime: services.settings.defaultRuntime, why: 'it is not set up' })
  const put = code && { tree: code.tree, put: (folder: string) => checkout(services, code, folder) }
  const wanted = build ? ({ kind: 'built', destination: image, code: put } as const) : ({ kind: 'existing', image } as const)
  return services.imageBuilds.prepare(wanted, runtime, { signal: services.stopping })
}

async function checkout(services: Services, code: NonNullable<TaskWork['code']>, folder: string): Promise<void> {
  try {
    await services.git.checkout(code.repository_id, code.tree, folder, { ...codeLimit, signal: services.stopping })
  } catch (error) {
    if (error instanceof GitContentRefused)
      throw new StartError(`The files of code/ cannot be put out: ${error.message}`, { retry: false, cause: error })
    if (error instanceof GitUnavailable) throw new StartError('The files of code/ cannot be read just now', { retry: true, cause: error })
    throw error
  }
}

// Checked at every start and not only when it was deployed: whoever started it may have lost the right, or the machine its sandbox.
async function mayRunHere(services: Services, run: RunRow): Promise<void> {
  const runtime = services.runtimes.get(services.settings.defaultRuntime)
  if (!runtime || runtime.capabilities.isolated || services.settings.unsandboxed) return
  const starter = await starterOf(services, run)
  if (starter.administrator) return
  throw fault('runtime_unavailable', { runtime: runtime.name, why: 'it cannot keep tasks apart here, so only administrators’ tasks run' })
}

// An occurrence starts long after somebody was allowed to deploy it: at each start that user must still be there, and hold what a deploy needs.
async function mayStill(services: Services, run: RunRow, work: TaskWork): Promise<void> {
  const starter = await starterOf(services, run)
  if (starter.administrator) return
  const needs = [
    { id: run.resource_id, need: 'write' },
    { id: work.code?.repository_id ?? null, need: 'read' },
  ] as const
  const { resources } = services.store.reader
  for (const { id, need } of needs) {
    if (id === null) continue
    const resource = await resources.byId(id)
    const there = resource !== null && resource.deleted_at === null
    const held = there ? await resources.access(resource, viewerOf(starter), { ownerIsAdmin: kindOf(resource.kind).ownerIsAdmin }) : null
    if (held && atLeast(held.level, need)) continue
    const subject = there ? `${resource.kind}:${resource.name}` : 'something that was deleted'
    throw fault('forbidden', { operation: 'the cron job', need, subject })
  }
}

// The secrets of a task are those of its namespace, and general ones that whoever started it may use. Those of its repository are not among them: to read
// a repository is enough to deploy from it.
async function environmentOf(services: Services, run: RunRow, work: TaskWork) {
  const opened = await openSecrets(services, run, work)
  const values: Record<string, string> = {}
  const secrets: string[] = []
  for (const { name, value, secret } of work.env) {
    if (!secret) {
      values[name] = value ?? ''
      continue
    }
    const found = opened.get(secretId(secret))
    if (found !== undefined) {
      values[name] = found
      secrets.push(found)
    } else if (!secret.optional) {
      const reference = `${secret.name}/${secret.key}`
      throw fault('not_found', { kind: 'secret', reference }, { private: { absence: 'missing', kind: 'secret', reference, member: 'env' } })
    }
  }
  return { values, secrets }
}

async function openSecrets(services: Services, run: RunRow, work: TaskWork): Promise<Map<string, string>> {
  const refs = work.env.flatMap(({ secret }) => (secret ? [{ name: secret.name, key: secret.key }] : []))
  if (refs.length === 0) return new Map()
  const from = { tables: services.store.reader, secretBox: services.secretBox, viewer: viewerOf(await starterOf(services, run)) }
  const { found } = await secretsFor(from, { namespace: run.namespace }, refs)
  return new Map(found.map((secret) => [secretId(secret), secret.value.reveal()]))
}

function secretId({ name, key }: { readonly name: string; readonly key: string }): string {
  return JSON.stringify([name, key])
}

function ownVariables(namespace: string, about: Prepared['about'], spec: TaskSpec): Record<string, string> {
  return {
    DEPLOY_TASK_ID: about.id,
    DEPLOY_TASK_NAME: about.name,
    DEPLOY_NAMESPACE: namespace,
    DEPLOY_ATTEMPT: String(about.attempt),
    ...(spec.pipeline_id !== null && { DEPLOY_PIPELINE_ID: spec.pipeline_id }),
    ...(spec.pipeline_name !== null && { DEPLOY_PIPELINE_NAME: spec.pipeline_name }),
  }
}

export { taskSource, placeTask, prepareWork }
