import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import { goesOnAfterFailure } from '../document/shape.ts'
import { isApproval } from './approval.ts'
import { executionsOf, hasFailed, stepKey } from './context.ts'
import { nodesOf } from './nodes.ts'
import { withRounds } from './round.ts'
import type { Json } from '../../kernel/json.ts'
import type { Services } from '../../operation/services.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowDocument } from '../document/model.ts'
import type { StepExecution } from './context.ts'

/** What the engine says of a loop, a snippet or a run in which a step failed: it knows that one by its key. */
const ofStep = /^(?:Round \d+: )?The step ".*" failed\.$/s

const deepest = 10

/** Reads the runs of so many snippets at most; what lies beyond is told as the engine tells it. */
type Budget = { runs: number }

const mostRuns = 100

/** Why executions failed, by key, where the engine has only told which row it was: the step that failed inside, by name, and what it said. */
async function failuresIn(
  services: Services,
  run: RunRow,
  document: WorkflowDocument,
  rows: readonly StepRow[],
  only: (row: StepRow) => boolean = () => true,
): Promise<Map<string, string>> {
  const told = new Map<string, string>()
  const executions = executionsOf(run, document, rows)
  const budget: Budget = { runs: mostRuns }
  for (const [index, { row }] of executions.entries()) {
    const why = hasFailed(row.state) && only(row) ? await whyAt(services, executions, index, budget, 0) : null
    if (why !== null) told.set(row.key, why)
  }
  return told
}

/** Why the execution at a place failed; null where the engine has no more to tell than that it did. */
async function whyAt(services: Services, executions: readonly StepExecution[], index: number, budget: Budget, depth: number): Promise<string | null> {
  const row = executions[index]?.row
  if (!row || depth > deepest) return null
  if (!ofStep.test(row.message ?? '')) return row.message
  if (row.child_id !== null) return ofChild(services, row.child_id, budget, depth)
  const cause = causeInside(executions, index)
  const found = executions[cause]
  if (!found) return null
  const why = await whyAt(services, executions, cause, budget, depth + 1)
  return `The step "${found.step.name}" failed in round ${Number(found.row.key.split('/').at(-2))}: ${why ?? found.row.message ?? found.row.state}`
}

/** Where the step stands that ended a loop; -1 for none. What is in a loop stands right behind it. */
function causeInside(executions: readonly StepExecution[], loop: number): number {
  const inside = `${stepKey(executions[loop]?.row ?? { key: '' })}/`
  let cause = -1
  for (let at = loop + 1; executions[at]?.row.key.startsWith(inside); at++) {
    const each = executions[at]
    if (!each || !ended(each)) continue
    cause = at
    if (each.step.type !== 'loop') break
  }
  return cause
}

async function ofChild(services: Services, id: string, budget: Budget, depth: number): Promise<string | null> {
  if (budget.runs-- <= 0) return null
  const { reader } = services.store
  const child = await reader.runs.byId(id)
  const document = child?.kind === 'workflow' ? await services.workflows.ofVersion(textMember(child.spec, 'version_id')) : null
  if (!child || !document) return null
  const rows = await withRounds(reader.steps, document, await reader.steps.ofRun(id))
  const executions = executionsOf(child, document, rows)
  const at = executions.findLastIndex(ended)
  const cause = executions[at]
  if (!cause) return null
  const why = await whyAt(services, executions, at, budget, depth + 1)
  return `The step "${cause.step.name}" of "${child.name}" failed: ${why ?? cause.row.message ?? cause.row.state}`
}

/** Whether an execution ended what it stands in. */
function ended({ step, row, entry }: StepExecution): boolean {
  return hasFailed(row.state) && !goesOnAfterFailure(step) && entry?.$success === false
}

/** Why a run failed that the engine has told by a key: its step by name. */
function runMessage(document: WorkflowDocument, message: string | null): string | null {
  const key = message === null ? null : /^The step "(.*)" failed\.$/s.exec(message)?.[1]
  if (key === null || key === undefined) return message
  const found = nodesOf(document).stepOf(key.split('/').at(-1) ?? '')
  return found ? `The step "${found.step.name}" failed.` : message
}

/** Characters of an artifact that are shown as the input of its step too. */
const mostShown = 256 * 1024

/** The input of an execution as it was filled, where another row holds it: that of a snippet stands before it, an artifact is what its content became. */
function inputOf({ step, row }: StepExecution, rows: ReadonlyMap<string, StepRow>): Json {
  const output = isJsonObject(row.output) ? row.output : {}
  const own = memberOf(output, 'input')
  if (own !== undefined) return own
  if (step.type === 'artifact') {
    const content = memberOf(objectMember(output, 'artifact'), 'content')
    if (typeof content !== 'string') return null
    return content.length > mostShown ? { $too_large: 'The content is larger than what is shown here; it is among the artifacts' } : { content }
  }
  const before = step.type === 'snippet' || isApproval(step) ? rows.get(`${row.key}~input`)?.output : undefined
  return isJsonObject(before) ? (memberOf(before, 'input') ?? null) : null
}

export { failuresIn, runMessage, inputOf }
