import { isEnd } from '../../kernel/run-state.ts'
import { isJsonObject, memberOf, textMember } from '../document/members.ts'
import { goesOnAfterFailure, isInnerPath, shapeOf } from '../document/shape.ts'
import { stepKey } from './context.ts'
import { wayPast } from './ways.ts'
import type { WorkflowDocument, WorkflowPath } from '../document/model.ts'
import type { StepExecution } from './context.ts'

/** The paths that were taken, in order, and those that leave the step where the job stands or stopped. */
function pathsOf(
  document: WorkflowDocument,
  executions: readonly StepExecution[],
): { taken: readonly WorkflowPath[]; next: readonly WorkflowPath[] } {
  const shape = shapeOf(document)
  const { out } = shape
  const taken: WorkflowPath[] = []
  let next: readonly WorkflowPath[] = []
  const leave = ({ step, row }: StepExecution) => {
    const paths = out.get(step.id) ?? []
    const followed = isEnd(row.state) && (row.state === 'succeeded' || row.state === 'timed_out' || goesOnAfterFailure(step))
    const output = isJsonObject(row.output) ? row.output : {}
    const edge = wayPast(shape, step) ?? textMember(output, 'edge')
    const ways = paths.filter((path) => !isInnerPath(step, path) && (edge === '' || path.id === edge))
    const stopped = memberOf(output, 'passed') === false || memberOf(output, 'break') === true
    if (memberOf(output, 'passed') === false) ends.push(row.key)
    if (followed && !stopped) taken.push(...ways)
    else next = paths
  }
  // What ends the job in a round leaves no loop by its path.
  const ends: string[] = []
  // A loop is left when its rounds are over, and their rows come behind its own.
  const open: StepExecution[] = []
  const leaveLoops = (key: string) => {
    for (let loop = open.at(-1); loop && !key.startsWith(`${stepKey(loop.row)}/`); loop = open.at(-1)) {
      const inside = `${stepKey(loop.row)}/`
      open.pop()
      if (!ends.some((end) => end.startsWith(inside))) leave(loop)
    }
  }
  for (const execution of executions) {
    const { step, row } = execution
    leaveLoops(row.key)
    if (step.type === 'loop' && !step.is_disabled) {
      if (row.state !== 'queued') taken.push(...(out.get(step.id) ?? []).filter((path) => isInnerPath(step, path)))
      open.push(execution)
    } else leave(execution)
  }
  leaveLoops('')
  const known = new Set(taken)
  return { taken, next: next.filter((path) => !known.has(path)) }
}

export { pathsOf }
