import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import { goesOnAfterFailure } from '../document/shape.ts'
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

/** Why executions failed, by key, where the engine has only told which row it was: the step that failed inside, by name, and what it said. */
async function failuresIn(
  services: Services,
  run: RunRow,
  document: WorkflowDocument,
  rows: readonly StepRow[],
  depth = 0,
): Promise<Map<string, string>> {
  const told = new Map<string, string>()
  if (depth > deepest) return told
  const executions = executionsOf(run, document, rows)
  // From within: what a loop says is what was found out of the snippet in it.
  for (const execution of [...executions].reverse()) {
    const { row } = execution
    if (!hasFailed(row.state) || !ofStep.test(row.message ?? '')) continue
    const why = row.child_id === null ? ofLoop(executions, row, told) : await ofChild(services, row.child_id, depth)
    if (why !== null) told.set(row.key, why)
  }
  return told
}

function ofLoop(executions: readonly StepExecution[], { key }: StepRow, told: ReadonlyMap<string, string>): string | null {
  const inside = executions.filter((each) => each.row.key.startsWith(`${stepKey({ key })}/`) && ended(each))
  const cause = inside.find(({ step }) => step.type !== 'loop') ?? inside.at(-1)
  if (!cause) return null
  const round = Number(cause.row.key.split('/').at(-2))
  return `The step "${cause.step.name}" failed in round ${round}: ${told.get(cause.row.key) ?? cause.row.message ?? cause.row.state}`
}

async function ofChild(services: Services, id: string, depth: number): Promise<string | null> {
  const { reader } = services.store
  const child = await reader.runs.byId(id)
  const document = child?.kind === 'workflow' ? await services.workflows.ofVersion(textMember(child.spec, 'version_id')) : null
  if (!child || !document) return null
  const rows = await withRounds(reader.steps, document, await reader.steps.ofRun(id))
  const told = await failuresIn(services, child, document, rows, depth + 1)
  const cause = executionsOf(child, document, rows).findLast(ended)
  if (!cause) return null
  return `The step "${cause.step.name}" of "${child.name}" failed: ${told.get(cause.row.key) ?? cause.row.message ?? cause.row.state}`
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
  const before = step.type === 'snippet' ? rows.get(`${row.key}~input`)?.output : undefined
  return isJsonObject(before) ? (memberOf(before, 'input') ?? null) : null
}

export { failuresIn, runMessage, inputOf }
