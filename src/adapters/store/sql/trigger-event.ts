import type { TriggerEventRow, TriggerEventTable, TriggerKeeperTable } from '../../../ports/store/workflows.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import { equal, textList } from './sql.ts'
import type { Sql } from './sql.ts'

const events = codec<TriggerEventRow>('trigger_event', {
  id: 'text',
  trigger_id: 'text',
  workflow_id: 'text',
  message: 'json',
  depth: 'int',
  state: 'text',
  attempt: 'int',
  next_at: 'time',
  owner: 'text',
  lease_until: 'time',
  job_id: 'text',
  error: 'text',
  created_at: 'time',
  finished_at: 'time',
})

const insertEvent = `${events.insert()} on conflict (id) do nothing`

function triggerEventTable(sql: Sql): TriggerEventTable {
  return {
    async queue(row, most) {
      const known = await sql.one('select 1 as found from trigger_event where id = ?', [row.id])
      if (known !== null) return 'known'
      if (row.state === 'waiting') {
        const open = await sql.one(`select count(*) as count from trigger_event where workflow_id = ? and state = 'waiting'`, [row.workflow_id])
        if (Number(open?.count) >= most) return 'full'
      }
      return (await sql.run(insertEvent, events.values(row))) > 0 ? 'taken' : 'known'
    },
    async byId(id) {
      const raw = await sql.one(`select ${events.list} from trigger_event where id = ?`, [id])
      return raw === null ? null : events.decode(raw)
    },
    async take(owner, now, until, limit) {
      const due = `state = 'waiting' and next_at <= ? and lease_until <= ?`
      const text = `select id from trigger_event where ${due} order by next_at, id limit ?${sql.dialect.forUpdate}`
      const ids = (await sql.all(text, [now, now, limit])).map((raw) => String(raw.id))
      if (ids.length === 0) return []
      const among = `id in (${sql.dialect.texts})`
      await sql.run(`update trigger_event set owner = ?, lease_until = ? where ${among} and ${due}`, [owner, until, textList(ids), now, now])
      const mine = `select ${events.list} from trigger_event where ${among} and owner = ? and lease_until = ? order by next_at, id`
      return (await sql.all(mine, [textList(ids), owner, until])).map(events.decode)
    },
    async settle(id, owner, patch) {
      const { text, values } = events.assign(patch)
      const end = `update trigger_event set ${text}, owner = '', lease_until = 0 where id = ? and owner = ? and state = 'waiting'`
      return (await sql.run(end, [...values, id, owner])) > 0
    },
    async nextAt() {
      const due = 'case when next_at > lease_until then next_at else lease_until end'
      const raw = await sql.one(`select min(${due}) as next_at from trigger_event where state = 'waiting'`)
      return raw === null || raw.next_at === null ? null : Number(raw.next_at)
    },
    release: (owner) =>
      sql.run(`update trigger_event set owner = '', lease_until = 0 where state = 'waiting' and lease_until > 0 and owner <> ?`, [owner]),
    page: (triggerId, page) =>
      readPage(sql, {
        codec: events,
        alias: 'e',
        conditions: [equal('e.trigger_id', triggerId)],
        order: {
          by: [
            { column: 'e.created_at', kind: 'number' },
            { column: 'e.id', kind: 'text' },
          ],
          direction: 'desc',
        },
        page,
        position: (row) => [row.created_at, row.id],
      }),
    prune: (before, limit) =>
      sql.run('delete from trigger_event where id in (select id from trigger_event where finished_at is not null and finished_at < ? limit ?)', [
        before,
        limit,
      ]),
  }
}

function triggerKeeperTable(sql: Sql): TriggerKeeperTable {
  return {
    async claim(triggerId, owner, now, until) {
      const text = `insert into trigger_keeper (trigger_id, owner, lease_until) values (?, ?, ?) on conflict (trigger_id) do update
        set owner = excluded.owner, lease_until = excluded.lease_until where trigger_keeper.owner = excluded.owner or trigger_keeper.lease_until <= ?`
      return (await sql.run(text, [triggerId, owner, until, now])) > 0
    },
    async release(triggerId, owner) {
      await sql.run('delete from trigger_keeper where trigger_id = ? and owner = ?', [triggerId, owner])
    },
    async releaseOthers(owner) {
      await sql.run('delete from trigger_keeper where owner <> ?', [owner])
    },
  }
}

export { triggerEventTable, triggerKeeperTable }
