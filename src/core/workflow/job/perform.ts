import { fault } from '../../kernel/fault.ts'
import { isJsonObject, memberOf } from '../document/members.ts'
import { LanguageError } from '../language/scope.ts'
import { nodesOf } from './nodes.ts'
import { placeOf, within } from './round.ts'
import { performAction } from './steps/action.ts'
import { performBreak, performDecision, performFilter, performJoin } from './steps/decision.ts'
import { performJoined } from './steps/joined.ts'
import { performDelay, performItems, performOutputs } from './steps/loop.ts'
import { performArtifact, performHelper, performInput, performNotify, performPattern } from './steps/other.ts'
import type { Services } from '../../operation/services.ts'
import type { Performed } from '../../run/source.ts'
import type { StepReader } from '../../run/unsaved-rows.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowStep } from '../document/model.ts'
import type { Standing } from './scope.ts'

/** A node of a job that is to be carried out. `run`, `row` and `rows` are those of the job; `own` is as the run has it that is a round of the job. */
type Act = Standing & {
  readonly step: WorkflowStep
  readonly row: StepRow
  readonly own: { readonly row: StepRow; readonly rows: StepReader }
  readonly signal: AbortSignal
}

type Performer = (act: Act) => Promise<Performed>

/** By part, and the step itself by its type. */
const partPerformers: Readonly<Record<string, Performer>> = {
  items: performItems,
  delay: performDelay,
  input: performInput,
  notify: performNotify,
  outputs: performOutputs,
  joined: performJoined,
}

const typePerformers: Readonly<Record<string, Performer>> = {
  action: performAction,
  automated_decision: performDecision,
  filter: performFilter,
  break: performBreak,
  join: performJoin,
  artifact: performArtifact,
  pattern_match: performPattern,
  helpers: performHelper,
}

/** Carries out a node of a job: fills what its step says and does it. What the author of the workflow did wrong fails the step with a message. */
async function performStep(
  services: Services,
  run: RunRow,
  row: StepRow,
  { signal, rows }: { readonly signal: AbortSignal; readonly rows: StepReader },
): Promise<Performed> {
  const document = await services.workflows.document(run)
  const found = nodesOf(document).stepOf(row.node)
  if (!found) throw fault('not_found', { kind: 'step', reference: row.node })
  const { step, part } = found
  const performer = part === 'main' ? own(typePerformers, step.type) : own(partPerformers, part)
  if (!performer) {
    throw fault('unsupported', {
      what: `A step of type "${step.type}"`,
      why: 'nothing here can carry it out; it is kept so that the workflow can be exported again',
    })
  }
  const place = await placeOf(services, document, run, rows)
  const loop = within(isJsonObject(row.input) ? (memberOf(row.input, 'loop') ?? null) : null, place.loop)
  const key = place.prefix + row.key
  const standing = { services, run: place.job, document, key, loop, rows: place.rows }
  try {
    return await performer({ ...standing, step, row: { ...row, key }, own: { row, rows }, signal })
  } catch (error) {
    if (error instanceof LanguageError) return { output: null, failed: { reason: 'expression_failed', message: error.message } }
    throw error
  }
}

function own<Value>(from: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(from, name) ? from[name] : undefined
}

export type { Act }
export { performStep }
