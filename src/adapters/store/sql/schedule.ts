import type { ScheduleRow } from '../../../ports/store/rows.ts'
import type { ScheduledRun, ScheduleTable } from '../../../ports/store/runs.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { seesThrough } from './permission.ts'
import { equal, textList } from './sql.ts'
import type { Raw, Sql } from './sql.ts'

const schedules = codec<ScheduleRow>('schedule', {
  id: 'text',
  kind: 'text',
  name: 'text',
  namespace: 'text',
  resource_id: 'text',
  expression: 'text',
  zone: 'text',
  suspended: 'bool',
  spec: 'json',
  created_by: 'text',
  next_at: 'time',
  last_slot: 'time',
  version: 'int',
  created_at: 'time',
  updated_at: 'time',
  deleted_at: 'time',
})

const insertText = schedules.insert()

// The condition of the partial index, to the letter.
const waiting = 'deleted_at is null and suspended = 0 and next_at is not null'

const byName: Order = {
  by: [
    { column: 's.namespace', kind: 'text' },
    { column: 's.name', kind: 'text' },
    { column: 's.id', kind: 'text' },
  ],
  direction: 'asc',
}

const runMembers = 's.schedule_id, s.at, r.id, r.name, r.state, r.active, r.listed'

function scheduledRun(raw: Raw): ScheduledRun {
  // The columns are those of the type, flags as numbers.
  return { ...raw, at: Number(raw.at), active: raw.active === 1, listed: raw.listed === 1 } as unknown as ScheduledRun
}

function scheduleTable(sql: Sql): ScheduleTable {
  const one = async (condition: string, values: string[]) => {
    const raw = await sql.one(`select ${schedules.list} from schedule where ${condition}`, values)
    return raw === null ? null : schedules.decode(raw)
  }
  return {
    async insert(row) {
      const full: ScheduleRow = { ...row, version: 1 }
      await sql.run(insertText, schedules.values(full))
      return full
    },
    byId: (id) => one('id = ?', [id]),
    byName: (kind, namespace, name) => one('kind = ? and namespace = ? and name = ? and deleted_at is null', [kind, namespace, name]),
    async count(kind, namespace) {
      const raw = await sql.one('select count(*) as count from schedule where kind = ? and namespace = ? and deleted_at is null', [kind, namespace])
      return Number(raw?.count)
    },
    lock: async (id) => {
      const raw = await sql.one(`select ${schedules.list} from schedule where id = ?${sql.dialect.forUpdate}`, [id])
      return raw === null ? null : schedules.decode(raw)
    },
    async update(id, patch) {
      const { text, values } = schedules.assign(patch)
      if (text !== '') await sql.run(`update schedule set ${text}, version = version + 1 where id = ?`, [...values, id])
    },
    async advance(id, from, patch) {
      const text = 'update schedule set last_slot = ?, next_at = ? where id = ? and next_at = ? and deleted_at is null'
      return (await sql.run(text, [patch.last_slot, patch.next_at, id, from])) > 0
    },
    async due(now, limit) {
      const text = `select ${schedules.list} from schedule where ${waiting} and next_at <= ? order by next_at, id limit ?`
      return (await sql.all(text, [now, limit])).map(schedules.decode)
    },
    async nextAt() {
      const raw = await sql.one(`select min(next_at) as next_at from schedule where ${waiting}`)
      return raw === null || raw.next_at === null ? null : Number(raw.next_at)
    },
    async runOfSlot(id, at) {
      const raw = await sql.one('select run_id from schedule_slot where schedule_id = ? and at = ?', [id, at])
      return raw === null ? null : String(raw.run_id)
    },
    async ofRun(runId) {
      const raw = await sql.one('select schedule_id from schedule_slot where run_id = ?', [runId])
      return raw === null ? null : String(raw.schedule_id)
    },
    async activeRuns(ids) {
      if (ids.length === 0) return []
      // From the runs that are active, which are few, to their slots.
      const text = `select ${runMembers} from run r join schedule_slot s on s.run_id = r.id
        where r.active = 1 and s.schedule_id in (${sql.dialect.texts}) order by s.at, r.id`
      return (await sql.all(text, [textList(ids)])).map(scheduledRun)
    },
    async recentRuns(id, limit, runIds) {
      const latest = 'select run_id from schedule_slot where schedule_id = ? order by at desc limit ?'
      const text = `select ${runMembers} from run r join schedule_slot s on s.run_id = r.id
        where s.schedule_id = ? and (r.id in (select run_id from (${latest}) l) or r.id in (${sql.dialect.texts})) order by s.at desc, r.id`
      return (await sql.all(text, [id, id, limit, textList(runIds)])).map(scheduledRun)
    },
    async prune(before, limit) {
      const slots = `delete from schedule_slot where run_id in (select run_id from schedule_slot where at < ? limit ?)`
      const gone = `delete from schedule where id in (select id from schedule where deleted_at is not null and deleted_at < ? limit ?)`
      return (await sql.run(slots, [before, limit])) + (await sql.run(gone, [before, limit]))
    },
    page: (filter, viewer, page) =>
      readPage(sql, {
        codec: schedules,
        alias: 's',
        conditions: [
          equal('s.kind', filter.kind),
          equal('s.namespace', filter.namespace),
          { text: 's.deleted_at is null', values: [] },
          seesThrough(viewer, 's.resource_id', 's.created_by'),
        ],
        order: byName,
        page,
        position: (row) => [row.namespace, row.name, row.id],
      }),
  }
}

export { scheduleTable }
