import { jobSpecOf } from '../spec.ts'
import { withRounds } from './round.ts'
import type { Ctx } from '../../operation/context.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowDocument } from '../document/model.ts'

/** The document that a job carries out; null for runs of other kinds. */
async function documentOf(ctx: Ctx, run: RunRow): Promise<WorkflowDocument | null> {
  return run.kind === 'workflow' ? ctx.services.workflows.ofVersion(jobSpecOf(run.spec).version_id) : null
}

/** The rows of a job, those of its rounds among them. */
async function rowsOf(ctx: Ctx, run: RunRow, document: WorkflowDocument | null): Promise<readonly StepRow[]> {
  const rows = await ctx.db.steps.ofRun(run.id)
  return document ? withRounds(ctx.db.steps, document, rows) : rows
}

export { documentOf, rowsOf }
