import { fault } from '../kernel/fault.ts'
import { pipelineGraph } from '../flow/pipeline.ts'
import { checkedDerivedName } from './names.ts'
import { placeTask } from './work.ts'
import { taskDraft } from './task.ts'
import type { FlowNode } from '../flow/graph.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { Services } from '../operation/services.ts'
import type { RunDraft } from '../run/draft.ts'
import type { RunSource } from '../run/source.ts'
import type { RunRow } from '../../ports/store/rows.ts'
import type { PlannedTask } from './pipeline-tasks.ts'
import type { TaskPlan } from './task.ts'

/** What APIs show of a pipeline, kept as the `spec` of its run. */
type PipelineSpec = {
  readonly original: string
  readonly repository: string
  readonly directory: string
  readonly branch: string
  readonly commit: string | null
  /** What is odd about its documents. Not in the specs of older runs. */
  readonly warning?: string | null
  readonly tasks: readonly PipelineTaskSpec[]
}

type PipelineTaskSpec = {
  readonly name: string
  readonly namespacetask: string
  readonly dependance: readonly string[]
  readonly run_if_error: boolean
}

type Place = { readonly id: string; readonly name: string; readonly namespace: string; readonly resourceId: string | null }

/** The run of a pipeline whose tasks are planned. */
function pipelineDraft(tasks: readonly PlannedTask[], place: Place, about: Omit<PipelineSpec, 'tasks'>, options: { parallel: number }): RunDraft {
  const spec: PipelineSpec = {
    ...about,
    tasks: tasks.map((task) => ({
      name: task.name,
      namespacetask: task.namespacetask,
      dependance: task.dependance,
      run_if_error: task.runIfError,
    })),
  }
  const nodes = tasks.map((task) => ({
    name: task.name,
    dependance: task.dependance,
    run_if_error: task.runIfError,
    draft: task.plan as unknown as Json, // plans are plain data by their type
  }))
  return {
    ...place,
    kind: 'pipeline',
    spec: spec as unknown as JsonObject,
    graph: pipelineGraph(nodes, options),
    input: null,
    unique: true,
  }
}

/** How the tasks of a pipeline become runs of their own in its namespace. */
const pipelineSource: RunSource = {
  kind: 'pipeline',
  place: placeTask,
  work: () => Promise.reject(fault('unsupported', { what: 'Work in a pipeline itself', why: 'its tasks are runs of their own' })),
  child: async (_services: Services, run: RunRow, node: FlowNode & { kind: 'run' }): Promise<RunDraft> => {
    // Written by `pipelineDraft`, which is the only maker of runs of this kind.
    const plan = node.draft as unknown as TaskPlan
    const place = { name: childName(run, node.id), namespace: run.namespace, resourceId: run.resource_id }
    return taskDraft(plan, place, { id: run.id, name: run.name })
  },
}

/** The name of a pipeline's job: the same after every restart, and another one for every run of the pipeline. */
function childName(run: Pick<RunRow, 'id' | 'name'>, task: string): string {
  return checkedDerivedName(`${run.name}-${task}-${run.id.slice(-6)}`, 'job', 'name')
}

export type { PipelineSpec, PipelineTaskSpec }
export { pipelineDraft, pipelineSource, childName }
