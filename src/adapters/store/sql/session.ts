import type { SessionRow } from '../../../ports/store/rows.ts'
import type { SessionTable } from '../../../ports/store/tables.ts'
import { codec } from './codec.ts'
import type { Sql } from './sql.ts'

const sessions = codec<SessionRow>('session', {
  id: 'text',
  user_id: 'text',
  created_at: 'time',
  expires_at: 'time',
  ended_at: 'time',
  via: 'text',
  peer: 'text',
})

const insertText = sessions.insert()

function sessionTable(sql: Sql): SessionTable {
  return {
    async insert(row) {
      await sql.run(insertText, sessions.values(row))
    },
    async byId(id) {
      const raw = await sql.one(`select ${sessions.list} from session where id = ?`, [id])
      return raw === null ? null : sessions.decode(raw)
    },
    async end(id, at) {
      await sql.run('update session set ended_at = ? where id = ? and ended_at is null', [at, id])
    },
    async endAll(userId, at) {
      await sql.run('update session set ended_at = ? where user_id = ? and ended_at is null', [at, userId])
    },
    prune: (before, limit) => sql.run('delete from session where id in (select id from session where expires_at < ? limit ?)', [before, limit]),
  }
}

export { sessionTable }
