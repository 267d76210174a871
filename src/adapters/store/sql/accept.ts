import { DuplicateKey } from '../../../ports/store/store.ts'
import type { StepRow } from '../../../ports/store/rows.ts'
import type { AcceptAct, AcceptResult, IdempotencyRecord, Refusal, StepStart } from '../../../ports/store/runs.ts'
import { auditEvents } from './audit.ts'
import { heldText, reasonOf, takePlaces } from './gauge.ts'
import { idempotency, idempotencyTable } from './idempotency.ts'
import { insertMany } from './many.ts'
import { runs } from './run.ts'
import type { Sql } from './sql.ts'
import { steps } from './step.ts'

const insertRun = `${runs.insert(['exclusive'])} on conflict do nothing`
const activeNamed = 'select id from run where kind = ? and namespace = ? and name = ? and active = 1 order by created_at desc, id desc limit 1'
const unlist = `update run set listed = 0 where kind = ? and namespace = ? and name = ? and listed = 1 and active = 0 returning id, created_at`

/** Accepts one run inside the transaction of `sql`. Every refusal comes before anything that stays is written. */
export async function acceptRun(sql: Sql, act: AcceptAct): Promise<AcceptResult> {
  const { run, slot } = act
  const name = [run.kind, run.namespace, run.name]

  // The record goes in first: of two requests with one key the second waits here for the first, and then reads its outcome.
  const record = act.idempotency
  if (record) {
    const kept = await idempotencyTable(sql).put(record)
    if (kept !== record) return { outcome: 'replayed', record: kept }
  }
  if (slot && !(await takeSlot(sql, slot, run.id))) {
    await forget(sql, record)
    return { outcome: 'slot_taken' }
  }
  const taken = act.unique ? await sql.one(activeNamed, name) : null
  if (taken) return nameTaken(sql, act, String(taken.id))
  if (act.queueLimit !== null && (await queued(sql, run.kind, run.namespace)) >= act.queueLimit) {
    await forget(sql, record)
    await leaveSlot(sql, slot)
    return { outcome: 'queue_full' }
  }
  if ((await sql.run(insertRun, [...runs.values(run), act.unique ? 1 : 0])) === 0) {
    // Another server accepted the name after our look: the index knows.
    const other = act.unique ? await sql.one(activeNamed, name) : null
    if (!other || other.id === run.id) throw new DuplicateKey('runs.id')
    return nameTaken(sql, act, String(other.id))
  }

  const replaced = act.unique && run.active ? await unlistEnded(sql, name) : null
  if (record) await setOutcome(sql, record, { ...record.outcome, replaced })
  const { rows, started, refused } = await placeNew(sql, act.steps, act.starts)
  await insertMany(sql, steps, rows)
  await insertMany(sql, auditEvents, act.audit)
  return { outcome: 'accepted', started, refused, replaced }
}

/** New steps as they go in: `starting` with their places if these are free, else queued with the reason. */
export async function placeNew(
  sql: Sql,
  rows: readonly StepRow[],
  starts: readonly StepStart[],
): Promise<{ rows: StepRow[]; started: string[]; refused: Refusal[] }> {
  const wanted = new Map(starts.map((start) => [start.key, start.places]))
  const started: string[] = []
  const refused: Refusal[] = []
  const placed: StepRow[] = []
  for (const row of rows) {
    const places = wanted.get(row.key)
    if (places === undefined) {
      placed.push(row)
      continue
    }
    const gauge = await takePlaces(sql, places)
    if (gauge === null) {
      started.push(row.key)
      placed.push({ ...row, state: 'starting', reason: null, held: heldText(places) })
    } else {
      refused.push({ key: row.key, gauge })
      placed.push({ ...row, reason: reasonOf(gauge) })
    }
  }
  return { rows: placed, started, refused }
}

async function nameTaken(sql: Sql, act: AcceptAct, id: string): Promise<AcceptResult> {
  await leaveSlot(sql, act.slot)
  if (act.idempotency) await setOutcome(sql, act.idempotency, { conflict: id })
  return { outcome: 'name_taken', id }
}

async function unlistEnded(sql: Sql, name: readonly string[]): Promise<string | null> {
  const ended = (await sql.all(unlist, name)).map((raw) => ({ id: String(raw.id), at: Number(raw.created_at) }))
  ended.sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
  return ended[0]?.id ?? null
}

async function queued(sql: Sql, kind: string, namespace: string): Promise<number> {
  const text = `select count(*) as count from run where active = 1 and kind = ? and namespace = ? and state in ('queued', 'waiting')`
  return Number((await sql.one(text, [kind, namespace]))?.count)
}

async function takeSlot(sql: Sql, slot: { schedule_id: string; at: number }, runId: string): Promise<boolean> {
  const text = 'insert into schedule_slot (schedule_id, at, run_id) values (?, ?, ?) on conflict (schedule_id, at) do nothing'
  return (await sql.run(text, [slot.schedule_id, slot.at, runId])) > 0
}

async function leaveSlot(sql: Sql, slot: AcceptAct['slot']): Promise<void> {
  if (slot) await sql.run('delete from schedule_slot where schedule_id = ? and at = ?', [slot.schedule_id, slot.at])
}

async function setOutcome(sql: Sql, { identity, route, key }: IdempotencyRecord, outcome: IdempotencyRecord['outcome']): Promise<void> {
  const text = `update ${idempotency.table} set outcome = ? where identity = ? and route = ? and key = ?`
  await sql.run(text, [JSON.stringify(outcome), identity, route, key])
}

async function forget(sql: Sql, record: IdempotencyRecord | null): Promise<void> {
  if (record) await sql.run('delete from idempotency where identity = ? and route = ? and key = ?', [record.identity, record.route, record.key])
}
