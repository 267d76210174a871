import { isEnd, mayFollow, runStates } from '../../../core/kernel/run-state.ts'
import type { RunState, StepState } from '../../../core/kernel/run-state.ts'
import type { StepRow } from '../../../ports/store/rows.ts'
import type { AcceptResult, AdvanceAct, AdvanceResult, Refusal, StepChange, StepStart } from '../../../ports/store/runs.ts'
import { acceptRun, placeNew } from './accept.ts'
import { auditEvents } from './audit.ts'
import { givePlaces, heldPlaces, heldText, reasonOf, takePlaces } from './gauge.ts'
import { insertMany } from './many.ts'
import { runs } from './run.ts'
import type { Sql } from './sql.ts'
import { steps } from './step.ts'

/** States that may be left for `to`, or kept while other members change. An end is not entered twice: what follows from it would follow twice. */
export const enterable: Readonly<Record<RunState, readonly RunState[]>> = Object.fromEntries(
  runStates.map((to) => [to, runStates.filter((from) => mayFollow(from, to) || (from === to && !isEnd(to)))]),
) as Record<RunState, RunState[]> // one entry per state

const holding: readonly StepState[] = ['starting', 'running']
const startable = enterable.starting.filter((state) => !holding.includes(state))

/** Records what happened to the steps of one run, and what follows, inside the transaction of `sql`. */
export async function advanceRun(sql: Sql, act: AdvanceAct): Promise<AdvanceResult> {
  // The lock on the run's row puts all acts of one run in order, and keeps a server that takes it over waiting until this one is through.
  const guard = `select state from run where id = ? and owner = ? and fence = ?${sql.dialect.forUpdate}`
  const run = await sql.one(guard, [act.run_id, act.owner, act.fence])
  if (run === null) return { fenced: true, started: [], refused: [], children: [] }

  for (const change of act.steps) await changeStep(sql, act.run_id, change)
  const created = new Set(act.create.map((row) => row.key))
  const { rows, started, refused } = await placeNew(
    sql,
    act.create,
    act.starts.filter((start) => created.has(start.key)),
  )
  await insertMany(sql, steps, rows)
  for (const start of act.starts) {
    if (created.has(start.key)) continue
    const refusal = await startStep(sql, act.run_id, start)
    if (refusal === 'started') started.push(start.key)
    else if (refusal !== null) refused.push(refusal)
  }
  if (act.run) await changeRun(sql, act.run_id, run.state as RunState, act.run) // the column holds states only
  const children: AcceptResult[] = []
  for (const child of act.children) children.push(await acceptRun(sql, child))
  await insertMany(sql, auditEvents, act.audit)
  return { fenced: false, started, refused, children }
}

async function changeStep(sql: Sql, runId: string, change: StepChange): Promise<void> {
  // What a step holds is for the store to count: nobody else writes it.
  const { held: _, ...given } = change.patch
  const patch: Partial<StepRow> = given
  const before = await sql.one('select state, held from step where run_id = ? and key = ? and attempt = ?', [runId, change.key, change.attempt])
  if (before === null) return
  const from = before.state as StepState // the column holds states only
  if (patch.state !== undefined) {
    if (!enterable[patch.state].includes(from)) return
    if (!holding.includes(patch.state) && holding.includes(from)) {
      await givePlaces(sql, heldPlaces(String(before.held)))
      patch.held = []
    }
  }
  const { text, values } = steps.assign(patch)
  if (text !== '') await sql.run(`update step set ${text} where run_id = ? and key = ?`, [...values, runId, change.key])
}

// Null: the step is no longer one that could start, so that nothing is to be said about it.
async function startStep(sql: Sql, runId: string, { key, places }: StepStart): Promise<'started' | Refusal | null> {
  const before = await sql.one('select state, reason from step where run_id = ? and key = ?', [runId, key])
  if (before === null || !startable.includes(before.state as StepState)) return null // the column holds states only
  const gauge = await takePlaces(sql, places)
  if (gauge === null) {
    const text = `update step set state = 'starting', reason = null, held = ? where run_id = ? and key = ?`
    await sql.run(text, [JSON.stringify(heldText(places)), runId, key])
    return 'started'
  }
  const reason = reasonOf(gauge)
  // It is tried again at every place that becomes free: what does not change is not written.
  if (before.state !== 'queued' || before.reason !== reason)
    await sql.run(`update step set state = 'queued', reason = ? where run_id = ? and key = ?`, [reason, runId, key])
  return { key, gauge }
}

async function changeRun(sql: Sql, id: string, from: RunState, patch: NonNullable<AdvanceAct['run']>): Promise<void> {
  if (patch.state !== undefined && !enterable[patch.state].includes(from)) return
  const { text, values } = runs.assign(patch)
  if (text !== '') await sql.run(`update run set ${text}, version = version + 1 where id = ?`, [...values, id])
}
