import { memberOf, textMember } from '../document/members.ts'
import { partOf } from './nodes.ts'
import type { FlowEdge, FlowGraph, FlowNode } from '../../flow/graph.ts'
import type { WorkflowDocument, WorkflowStep } from '../document/model.ts'

/** Bounds of `parameters.parallel`, our extension on a loop over a list (contract §20). */
const parallelLimits = { least: 2, most: 100 } as const

/** Whether a loop goes over a list; else it counts. */
function repeatsList(step: WorkflowStep): boolean {
  return textMember(step.parameters, 'repeatVariable') !== '' || memberOf(step.parameters, 'repeatCount') === undefined
}

/** How many rounds of a step run at once: 1 for everything that is no loop over a list with a valid `parallel`. */
function parallelOf(step: WorkflowStep): number {
  if (step.type !== 'loop' || step.is_disabled || !repeatsList(step)) return 1
  const wanted = memberOf(step.parameters, 'parallel')
  return isParallel(wanted) ? wanted : 1
}

function isParallel(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= parallelLimits.least && value <= parallelLimits.most
}

const known = new WeakMap<WorkflowDocument, boolean>()

/** Whether any loop of a document runs rounds at once. */
function hasParallel(document: WorkflowDocument): boolean {
  const before = known.get(document)
  if (before !== undefined) return before
  const found = document.steps.some((step) => parallelOf(step) > 1)
  known.set(document, found)
  return found
}

/** The node of the run of one of the rounds of a chunk. */
function laneOf(node: string, lane: number): string {
  return `${partOf(node, 'lane')}${lane}`
}

/**
 * The body of a loop whose rounds run at once: the flow's own rounds are chunks of the list, and each element of a chunk is a run of its own (`round.ts`).
 * `joined` waits for all of them, however they ended, and says what came of the chunk.
 */
function chunkGraph(step: WorkflowStep, node: string, joined: FlowNode, options: { inLoop: boolean }): FlowGraph {
  const count = parallelOf(step)
  const common = { join: 'all', when: 'no-error', title: step.name } as const
  const begin: FlowNode = { ...common, kind: 'pass', id: partOf(node, 'lanes') }
  const lanes = Array.from(
    { length: count },
    (_, lane): FlowNode => ({
      ...common,
      kind: 'run',
      id: laneOf(node, lane),
      draft: { step: step.id, round: true },
      input: {
        index: `{{loop.index * ${count} + ${lane}}}`,
        item: `{{loop.item[${lane}]}}`,
        ...(options.inLoop ? { parent: '{{loop.parent}}' } : {}),
      },
    }),
  )
  const edges = lanes.flatMap(({ id }, lane): FlowEdge[] => [
    { from: begin.id, to: id, on: 'success', if: `length(loop.item) > ${lane}` },
    { from: id, to: joined.id, on: 'finished' },
  ])
  return { nodes: [begin, ...lanes, joined], edges, parallel: null, on_error: 'edges' }
}

export { parallelLimits, repeatsList, parallelOf, isParallel, hasParallel, laneOf, chunkGraph }
