import { fault } from '../kernel/fault.ts'
import { capacityProblems } from './capacity.ts'
import { contentFault } from './content-fault.ts'
import type { FlowGraph, StepPolicy, WorkNode } from '../flow/graph.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { Ctx } from '../operation/context.ts'
import type { RunDraft } from '../run/draft.ts'
import type { ImagePull, Runtime } from '../../ports/runtime.ts'
import type { EnvEntry, Manifest } from './manifest.ts'
import type { Source } from './source.ts'

/** The one step of a task's run. */
const taskStep = 'main'

/** What APIs show of a task (never its environment), kept as the `spec` of its run. */
type TaskSpec = {
  readonly type: 'job'
  readonly repository: string
  readonly directory: string
  readonly branch: string
  readonly commit: string | null
  readonly schedule: string
  readonly image: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly generation: number
  readonly pipeline_id: string | null
  readonly pipeline_name: string | null
  readonly cronjob: string | null
  /** The task of its name that was still there when it was accepted, and must have ended before it starts. */
  readonly after?: string
}

/** What a runtime is given, kept in the graph of the run. Secrets are references here and are opened right before each start. */
type TaskWork = {
  readonly command: readonly string[]
  readonly env: readonly EnvEntry[]
  readonly image: string | null
  /** Absent where no image is run, and in what older versions wrote. */
  readonly pull?: ImagePull
  /** The image is built of `code/` first; absent in what older versions wrote. */
  readonly build?: boolean
  /** The tree of `code/` and the storage it is in; null: there is none. */
  readonly code: { readonly repository_id: string; readonly tree: string } | null
  readonly cpu: number | null
  readonly memory_bytes: number | null
  /** Cores and bytes that it takes of the machine while it runs; absent in what older versions wrote. */
  readonly cpu_request?: number | null
  readonly memory_request_bytes?: number | null
}

/** A task that is ready to become a run: plain data, because a pipeline keeps those of its tasks until their turn. */
type TaskPlan = { readonly spec: TaskSpec; readonly work: TaskWork; readonly policy: StepPolicy }

/** Who a task is in its pipeline. */
type PipelineMembership = { readonly id: string; readonly name: string }

/** Kubernetes' own back-off between the attempts of a job. */
const firstRetryMs = 10_000
const longestRetryMs = 360_000

type Code = { readonly tree: string | null; readonly dockerfile: boolean }

/**
 * The plan of a job, or of each instance of a deployment or service. What its manifest asks of the source and of the runtime is checked here.
 *
 * Errors: `source_required`, `dockerfile_not_found`, `content_invalid`, and `unsupported` for what this version does not run.
 */
function planTask(ctx: Ctx, manifest: Manifest, source: Source | null, code: Code): TaskPlan {
  if (manifest.imageDestination !== null) {
    if (!source) throw fault('source_required')
    if (!code.dockerfile) throw fault('dockerfile_not_found')
  }
  const runtime = defaultRuntime(ctx)
  // A program runtime builds nothing: of a task with an image destination it runs the files of `code/` (Deploy API §13).
  const build = manifest.imageDestination !== null && runtime.capabilities.images
  const image = build ? manifest.imageDestination : manifest.image
  if (image !== null) {
    const wanted = build ? ({ kind: 'built', destination: image, code: null } as const) : ({ kind: 'existing', image } as const)
    const why = ctx.services.imageBuilds.refusal(wanted, runtime)
    if (why !== null) throw fault('unsupported', { what: `The image ${image}`, why })
  }
  if (image === null && manifest.cmd.length === 0) {
    const message = `is required on the runtime "${runtime.name}", which has no image to take a command from`
    throw contentFault('manifest.json', [{ path: '/cmd', code: 'required', message, severity: 'error' }])
  }
  const tooLarge = capacityProblems(manifest, ctx.services.settings.capacity)
  if (tooLarge.length > 0) throw contentFault('manifest.json', tooLarge)
  return {
    spec: {
      type: 'job',
      repository: source?.repository ?? '',
      directory: source?.directory ?? '',
      branch: source?.branch ?? '',
      commit: source?.commit ?? null,
      schedule: '',
      image: manifest.imageDestination ?? manifest.image,
      labels: manifest.labels,
      generation: 1,
      pipeline_id: null,
      pipeline_name: null,
      cronjob: null,
    },
    work: {
      command: [...manifest.cmd, ...manifest.args],
      env: manifest.env,
      image,
      ...(image !== null && { pull: manifest.imagePull ?? pullByTag(image) }),
      build,
      code: source && code.tree !== null ? { repository_id: source.repositoryId, tree: code.tree } : null,
      cpu: manifest.cpuLimit,
      memory_bytes: manifest.memoryLimit,
      cpu_request: manifest.cpuRequest,
      memory_request_bytes: manifest.memoryRequest,
    },
    policy: {
      retries: manifest.retries,
      retry_delay_ms: firstRetryMs,
      retry_delay_max_ms: longestRetryMs,
      timeout_ms: manifest.timeoutSeconds > 0 ? manifest.timeoutSeconds * 1000 : null,
      grace_ms: manifest.graceSeconds * 1000,
    },
  }
}

// Kubernetes' rule: what a moving tag names may be another image by now.
function pullByTag(image: string): ImagePull {
  const [, tag = ''] = /[^/]*:([^/]+)$/.exec(image) ?? []
  return tag === '' || tag === 'latest' ? 'always' : 'missing'
}

/** The runtime that tasks run on. Throws `runtime_unavailable` where the caller's work may not run on it. */
function defaultRuntime(ctx: Ctx): Runtime {
  const { runtimes, settings } = ctx.services
  const runtime = runtimes.get(settings.defaultRuntime)
  if (!runtime) throw fault('runtime_unavailable', { runtime: settings.defaultRuntime, why: 'it is not set up' }, { retryAfterMs: 30_000 })
  if (!runtime.capabilities.isolated && !settings.unsandboxed && !ctx.principal.administrator) {
    const why = 'this machine cannot keep tasks apart, so only administrators’ tasks run; an operator can install bubblewrap'
    throw fault('runtime_unavailable', { runtime: runtime.name, why }, { retryAfterMs: 60_000 })
  }
  return runtime
}

/** Refuses while the runtime can start nothing. */
async function runtimeIsThere(runtime: Runtime): Promise<void> {
  const why = await runtime.unavailable()
  if (why !== null) throw fault('runtime_unavailable', { runtime: runtime.name, why }, { retryAfterMs: 10_000 })
}

type Place = { readonly id?: string; readonly name: string; readonly namespace: string; readonly resourceId: string | null }

/** The run that a plan becomes. */
function taskDraft(plan: TaskPlan, place: Place, pipeline: PipelineMembership | null): RunDraft {
  const spec: TaskSpec = { ...plan.spec, pipeline_id: pipeline?.id ?? null, pipeline_name: pipeline?.name ?? null }
  return { ...place, kind: 'task', spec: spec as JsonObject, graph: taskGraph(plan), input: null, unique: true }
}

function taskGraph(plan: TaskPlan): FlowGraph {
  // Plans are plain data by their type; readonly lists are all that Json does not know.
  const node: WorkNode = { kind: 'work', id: taskStep, join: 'all', when: 'no-error', work: plan.work as unknown as Json, policy: plan.policy }
  return { nodes: [node], edges: [], parallel: null, on_error: 'halt' }
}

export type { TaskSpec, TaskWork, TaskPlan, PipelineMembership }
export { taskStep, planTask, defaultRuntime, runtimeIsThere, taskDraft }
