import type { ServerRow } from '../../../ports/store/rows.ts'
import type { ServerTable } from '../../../ports/store/runs.ts'
import { codec } from './codec.ts'
import { heldPlaces } from './gauge.ts'
import { runs } from './run.ts'
import type { Sql } from './sql.ts'
import { live } from './step.ts'

const servers = codec<ServerRow>('server', { id: 'text', host: 'text', boot: 'text', started_at: 'time', lease_until: 'time' })

const beatText = `${servers.insert()} on conflict (id) do update
  set host = excluded.host, boot = excluded.boot, started_at = excluded.started_at, lease_until = excluded.lease_until`

function serverTable(sql: Sql): ServerTable {
  return {
    async beat(row) {
      await sql.run(beatText, servers.values(row))
    },
    async all() {
      return (await sql.all(`select ${servers.list} from server order by started_at, id`)).map(servers.decode)
    },
    async remove(id) {
      await sql.run('delete from server where id = ?', [id])
    },
    async takeOver(from, to) {
      const text = `update run set owner = ?, fence = fence + 1, version = version + 1 where owner = ? and active = 1 returning ${runs.list}`
      return (await sql.all(text, [to, from])).map(runs.decode).sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1))
    },
    async orphans(now) {
      const text = `select distinct owner from run where active = 1
        and not exists (select 1 from server s where s.id = run.owner and s.lease_until > ?) order by owner`
      return (await sql.all(text, [now])).map((raw) => String(raw.owner))
    },
    async recount() {
      const totals = new Map<string, number>()
      const raws = await sql.all(`select held from step where ${live} and state in ('starting', 'running')`)
      // The column is written from `heldText` only.
      for (const { gauge, amount } of raws.flatMap((raw) => heldPlaces(JSON.parse(String(raw.held)) as string[])))
        totals.set(gauge, (totals.get(gauge) ?? 0) + amount)
      await sql.run('delete from gauge')
      for (const [name, active] of totals) await sql.run('insert into gauge (name, active) values (?, ?)', [name, active])
    },
  }
}

export { serverTable }
