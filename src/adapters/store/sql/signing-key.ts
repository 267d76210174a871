import type { SigningKeyRow } from '../../../ports/store/rows.ts'
import type { SigningKeyTable } from '../../../ports/store/tables.ts'
import { codec } from './codec.ts'
import type { Sql } from './sql.ts'

const signingKeys = codec<SigningKeyRow>('signing_key', { id: 'text', user_id: 'text', sealed: 'text', created_at: 'time' })

const insertText = signingKeys.insert()

function signingKeyTable(sql: Sql): SigningKeyTable {
  return {
    async insert(row) {
      await sql.run(insertText, signingKeys.values(row))
    },
    async ofUser(userId) {
      const raws = await sql.all(`select ${signingKeys.list} from signing_key where user_id = ? order by created_at, id`, [userId])
      return raws.map(signingKeys.decode)
    },
    async remove(id) {
      await sql.run('delete from signing_key where id = ?', [id])
    },
  }
}

export { signingKeyTable }
