import { timestamp } from '../../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../../kernel/schema.ts'
import { isJsonObject, memberOf, textMember } from '../document/members.ts'
import { executionsOf } from './context.ts'
import { executionNumber } from './execution-number.ts'
import { failuresIn, inputOf } from './failures.ts'
import { shownOf } from './shown.ts'
import { loopIndexOf, shownState, textOrNull } from './view.ts'
import type { Static } from '../../kernel/schema.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Ctx } from '../../operation/context.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowDocument } from '../document/model.ts'

const JobStep = Closed({
  execution: Type.Integer({ description: 'Number of this execution: later ones have higher numbers, whatever their job.' }),
  step: Type.String({ description: 'Id of the step in the workflow.' }),
  key: Type.String(),
  name: Type.String(),
  type: Type.String(),
  status: OneOf(['running', 'waiting', 'succeeded', 'failed', 'skipped', 'cancelled']),
  started_at: Nullable(Time),
  ended_at: Nullable(Time),
  time_spent: Type.Number(),
  input: Type.Unknown(),
  output: Type.Unknown(),
  log: Type.String(),
  error: Nullable(Type.String()),
  exception: Type.Unknown(),
  loop_index: Type.Integer({ description: '-1 outside of loops.' }),
  parent_step: Type.String(),
  attempt: Type.Integer(),
})

/** The executions of a job's steps as callers see them, in order. */
async function jobSteps(ctx: Ctx, run: RunRow, document: WorkflowDocument, rows: readonly StepRow[]): Promise<Static<typeof JobStep>[]> {
  const shown = await shownOf(ctx)
  const told = await failuresIn(ctx.services, run, document, rows)
  const byKey = new Map(rows.map((row) => [row.key, row]))
  return executionsOf(run, document, rows).map((execution) => {
    const { step, row, entry } = execution
    const output = isJsonObject(row.output) ? row.output : {}
    const end = row.finished_at ?? ctx.clock.now()
    const state = shownState(row.state)
    return {
      execution: executionNumber(row),
      step: step.id,
      key: row.key,
      name: step.name,
      type: step.type,
      // What is disabled was passed over: nothing was carried out.
      status: step.is_disabled && row.state === 'succeeded' ? 'skipped' : state === 'queued' ? 'running' : state,
      started_at: timestamp(row.started_at ?? row.created_at),
      ended_at: timestamp(row.finished_at),
      time_spent: Math.max(end - (row.started_at ?? row.created_at), 0) / 1000,
      input: shown.json(inputOf(execution, byKey)),
      output: shown.json(entry ?? null),
      log: shown.text(textMember(output, 'log')),
      error: row.state === 'succeeded' ? null : textOrNull(shown, told.get(row.key) ?? row.message),
      exception: shown.json(memberOf(output, 'exception') ?? null),
      loop_index: loopIndexOf(row),
      parent_step: step.parent,
      attempt: attemptsIn(output) ?? row.attempt,
    }
  })
}

function attemptsIn(output: JsonObject): number | null {
  const attempts = memberOf(output, 'attempts')
  return typeof attempts === 'number' ? attempts : null
}

export { JobStep, jobSteps }
