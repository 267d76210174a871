import type { Json } from '../kernel/json.ts'
import type { FlowGraph } from './graph.ts'

/** A task of a pipeline, read from its file and resolved: `draft` is the run that it becomes. The spelling is the published one. */
type PipelineTask = { readonly name: string; readonly dependance: readonly string[]; readonly run_if_error: boolean; readonly draft: Json }

/**
 * The graph of a pipeline (deploy contract §7.3): a task starts when all that it depends on has finished, however it finished; from the first failure on only
 * tasks with `run-if-error` start. Names, dependencies and cycles are for `graphProblems` to judge: edge `n` of it is the n-th dependency of all.
 */
function pipelineGraph(tasks: readonly PipelineTask[], { parallel }: { readonly parallel: number | null }): FlowGraph {
  return {
    nodes: tasks.map(({ name, run_if_error, draft }) => ({ kind: 'run', id: name, join: 'all', when: run_if_error ? 'always' : 'no-error', draft })),
    edges: tasks.flatMap(({ name, dependance }) => dependance.map((from) => ({ from, to: name, on: 'finished' as const }))),
    parallel,
    on_error: 'halt',
  }
}

export type { PipelineTask }
export { pipelineGraph }
