import type { LoadingRow, LoadingTable } from '../../../ports/store/loading.ts'
import { codec } from './codec.ts'
import type { Sql } from './sql.ts'

const loadings = codec<LoadingRow>('loading', {
  id: 'text',
  kind: 'text',
  user_id: 'text',
  state: 'text',
  step: 'text',
  repository: 'text',
  directory: 'text',
  branch: 'text',
  commit: 'text',
  size: 'int',
  created_at: 'time',
  finished_at: 'time',
  error: 'json',
  problems: 'json',
  configuration: 'json',
})

const insertText = loadings.insert()

function loadingTable(sql: Sql): LoadingTable {
  return {
    async insert(row) {
      await sql.run(insertText, loadings.values(row))
    },
    async byId(id) {
      const raw = await sql.one(`select ${loadings.list} from loading where id = ?`, [id])
      return raw === null ? null : loadings.decode(raw)
    },
    async update(id, patch) {
      const { text, values } = loadings.assign(patch)
      return (await sql.run(`update loading set ${text} where id = ? and finished_at is null`, [...values, id])) > 0
    },
    async usage(userId, since) {
      const open = await sql.one('select count(*) as open from loading where finished_at is null')
      const text = `select count(*) as own, coalesce(sum(size), 0) as bytes from loading
        where user_id = ? and (finished_at is null or finished_at > ?)`
      const own = await sql.one(text, [userId, since])
      return { open: Number(open?.open ?? 0), own: Number(own?.own ?? 0), bytes: Number(own?.bytes ?? 0) }
    },
    async unfinished(before, limit) {
      const text = `select ${loadings.list} from loading where finished_at is null and created_at < ? order by created_at limit ?`
      return (await sql.all(text, [before, limit])).map(loadings.decode)
    },
    prune: (before) => sql.run('delete from loading where finished_at is not null and finished_at < ?', [before]),
  }
}

export { loadingTable }
