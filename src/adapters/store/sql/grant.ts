import type { GrantRow } from '../../../ports/store/rows.ts'
import type { GrantTable } from '../../../ports/store/tables.ts'
import { codec } from './codec.ts'
import type { Sql } from './sql.ts'

const grants = codec<GrantRow>('grant_entry', {
  resource_id: 'text',
  subject_id: 'text',
  subject_kind: 'text',
  level: 'level',
  extras: 'json',
  created_at: 'time',
})

const setText = `${grants.insert()} on conflict (resource_id, subject_id) do update set level = excluded.level, extras = excluded.extras`

function grantTable(sql: Sql): GrantTable {
  return {
    async set(row) {
      await sql.run(setText, grants.values(row))
    },
    async remove(resourceId, subjectId) {
      return (await sql.run('delete from grant_entry where resource_id = ? and subject_id = ?', [resourceId, subjectId])) > 0
    },
    async one(resourceId, subjectId) {
      const raw = await sql.one(`select ${grants.list} from grant_entry where resource_id = ? and subject_id = ?`, [resourceId, subjectId])
      return raw === null ? null : grants.decode(raw)
    },
    async ofResource(resourceId) {
      const raws = await sql.all(`select ${grants.list} from grant_entry where resource_id = ? order by subject_kind, subject_id`, [resourceId])
      return raws.map(grants.decode)
    },
    async ofSubject(subjectId) {
      const raws = await sql.all(`select ${grants.list} from grant_entry where subject_id = ? order by resource_id`, [subjectId])
      return raws.map(grants.decode)
    },
    async copy(fromResourceId, toResourceId, at) {
      // `where true` is for SQLite, which else takes "on" for a join.
      const text = `insert into grant_entry (resource_id, subject_id, subject_kind, level, extras, created_at)
        select ?, subject_id, subject_kind, level, extras, cast(? as bigint) from grant_entry where resource_id = ? and true
        on conflict (resource_id, subject_id) do update set level = excluded.level, extras = excluded.extras`
      await sql.run(text, [toResourceId, at, fromResourceId])
    },
    async removeSubject(subjectId) {
      await sql.run('delete from grant_entry where subject_id = ?', [subjectId])
    },
    async removeResource(resourceId) {
      await sql.run('delete from grant_entry where resource_id = ?', [resourceId])
    },
  }
}

export { grantTable }
