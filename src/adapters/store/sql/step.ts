import type { StepRow } from '../../../ports/store/rows.ts'
import type { StepSummary, StepTable } from '../../../ports/store/runs.ts'
import { codec, encode } from './codec.ts'
import { textList } from './sql.ts'
import type { Sql } from './sql.ts'

export const steps = codec<StepRow>('step', {
  run_id: 'text',
  key: 'text',
  node: 'text',
  kind: 'text',
  position: 'int',
  state: 'text',
  reason: 'text',
  message: 'text',
  attempt: 'int',
  max_attempts: 'int',
  exit_code: 'int',
  runtime: 'text',
  handle: 'json',
  held: 'json',
  due_at: 'time',
  child_id: 'text',
  input: 'json',
  output: 'json',
  attempts: 'json',
  created_at: 'time',
  started_at: 'time',
  finished_at: 'time',
})

const summaries = codec<StepSummary>('step', {
  run_id: 'text',
  key: 'text',
  position: 'int',
  state: 'text',
  reason: 'text',
  message: 'text',
  attempt: 'int',
  max_attempts: 'int',
  exit_code: 'int',
})

const settle = `update step set handle = ? where run_id = ? and key = ? and kind = 'question' and state = 'waiting' and handle is null`

/** The condition of the partial index on steps that have not ended: a statement must repeat it for SQLite to use the index. */
export const live = `state in ('queued', 'starting', 'running', 'waiting')`

export function stepTable(sql: Sql): StepTable {
  return {
    async one(runId, key) {
      const raw = await sql.one(`select ${steps.list} from step where run_id = ? and key = ?`, [runId, key])
      return raw === null ? null : steps.decode(raw)
    },
    async ofRun(runId) {
      return (await sql.all(`select ${steps.list} from step where run_id = ? order by position, key`, [runId])).map(steps.decode)
    },
    async ofRuns(runIds) {
      const text = `select ${steps.list} from step where run_id in (${sql.dialect.texts}) order by run_id, position, key`
      return (await sql.all(text, [textList(runIds)])).map(steps.decode)
    },
    async summaries(runIds) {
      const text = `select ${summaries.list} from step where run_id in (${sql.dialect.texts}) order by run_id, position, key`
      return (await sql.all(text, [textList(runIds)])).map(summaries.decode)
    },
    async answer(runId, key, answer) {
      return (await sql.run(settle, [encode('json', { answer }), runId, key])) > 0
    },
    async expire(runId, key) {
      return (await sql.run(settle, [encode('json', { expired: true }), runId, key])) > 0
    },
    drop(runIds, limit) {
      const ended = 'exists (select 1 from run r where r.id = step.run_id and r.active = 0)'
      const some = `select run_id, key from step where run_id in (${sql.dialect.texts}) and ${ended} limit ?`
      return sql.run(`delete from step where (run_id, key) in (${some})`, [textList(runIds), limit])
    },
    async countActive(states) {
      const text = `select count(*) as count from step where ${live} and state in (${sql.dialect.texts})`
      return Number((await sql.one(text, [textList(states)]))?.count)
    },
  }
}
