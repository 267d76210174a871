import { isEnd } from '../../kernel/run-state.ts'
import { isJsonObject, memberOf, textMember } from '../document/members.ts'
import { goesOnAfterFailure, isInnerPath, shapeOf } from '../document/shape.ts'
import { stepKey } from './context.ts'
import { wayPast } from './ways.ts'
import type { WorkflowDocument, WorkflowPath } from '../document/model.ts'
import type { StepExecution } from './context.ts'

/** The paths that were taken, in order, and those that leave the step where the job stands or stopped: of each, where rounds run at once. */
function pathsOf(
  document: WorkflowDocument,
  executions: readonly StepExecution[],
): { taken: readonly WorkflowPath[]; next: readonly WorkflowPath[] } {
  const shape = shapeOf(document)
  const { out } = shape
  const taken: WorkflowPath[] = []
  let standing: { readonly key: string; readonly paths: readonly WorkflowPath[] }[] = []
  const leave = ({ step, row }: StepExecution) => {
    const paths = (out.get(step.id) ?? []).filter((path) => !isInnerPath(step, path))
    const output = isJsonObject(row.output) ? row.output : {}
    const edge = wayPast(shape, step) ?? textMember(output, 'edge')
    const followed = isEnd(row.state) && (row.state === 'succeeded' || (row.state === 'timed_out' && edge !== '') || goesOnAfterFailure(step))
    const passed = memberOf(output, 'passed') !== false
    if (!passed) ends.push(row.key)
    if (!followed || !passed) standing.push({ key: row.key, paths })
    // A break that leaves its loop takes no path, and the job goes on behind the loop.
    else if (memberOf(output, 'break') !== true) taken.push(...paths.filter((path) => edge === '' || path.id === edge))
    return followed
  }
  // What ends the job in a round leaves no loop by its path.
  const ends: string[] = []
  // A loop is left when its rounds are over, and their rows come behind its own.
  const open: StepExecution[] = []
  const leaveLoops = (key: string) => {
    for (let loop = open.at(-1); loop && !key.startsWith(`${stepKey(loop.row)}/`); loop = open.at(-1)) {
      const inside = `${stepKey(loop.row)}/`
      open.pop()
      if (ends.some((end) => end.startsWith(inside))) continue
      const within = standing.filter((each) => each.key.startsWith(inside))
      const own = loop.row.key
      // While a step in it stands, the loop itself does not; when it is over, nothing in it does.
      if (leave(loop)) standing = standing.filter((each) => !within.includes(each))
      else if (within.length > 0) standing = standing.filter((each) => each.key !== own)
    }
  }
  for (const [index, execution] of executions.entries()) {
    const { step, row } = execution
    leaveLoops(row.key)
    if (step.type === 'loop' && !step.is_disabled) {
      if (hasRounds(execution, executions[index + 1])) taken.push(...(out.get(step.id) ?? []).filter((path) => isInnerPath(step, path)))
      open.push(execution)
    } else leave(execution)
  }
  leaveLoops('')
  return { taken, next: [...new Set(standing.flatMap(({ paths }) => paths))] }
}

/** Whether a loop has gone into its body: what stands there comes next, unless the body is empty. */
function hasRounds({ row }: StepExecution, next: StepExecution | undefined): boolean {
  const rounds = isJsonObject(row.output) ? memberOf(row.output, 'rounds') : undefined
  return (typeof rounds === 'number' && rounds > 0) || next?.row.key.startsWith(`${stepKey(row)}/`) === true
}

export { pathsOf }
