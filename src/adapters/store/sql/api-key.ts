import type { ApiKeyRow } from '../../../ports/store/rows.ts'
import type { ApiKeyTable } from '../../../ports/store/tables.ts'
import { codec } from './codec.ts'
import type { Sql } from './sql.ts'

const apiKeys = codec<ApiKeyRow>('api_key', {
  id: 'text',
  user_id: 'text',
  label: 'text',
  public_key: 'text',
  secret_hash: 'text',
  scopes: 'json',
  created_at: 'time',
  expires_at: 'time',
  last_used_at: 'time',
})

const insertText = apiKeys.insert()

function apiKeyTable(sql: Sql): ApiKeyTable {
  const one = async (column: 'id' | 'secret_hash', value: string) => {
    const raw = await sql.one(`select ${apiKeys.list} from api_key where ${column} = ?`, [value])
    return raw === null ? null : apiKeys.decode(raw)
  }
  return {
    async insert(row) {
      await sql.run(insertText, apiKeys.values(row))
    },
    byId: (id) => one('id', id),
    byHash: (secretHash) => one('secret_hash', secretHash),
    async ofUser(userId) {
      const raws = await sql.all(`select ${apiKeys.list} from api_key where user_id = ? order by created_at, id`, [userId])
      return raws.map(apiKeys.decode)
    },
    async touch(id, at) {
      await sql.run('update api_key set last_used_at = ? where id = ?', [at, id])
    },
    async remove(id) {
      await sql.run('delete from api_key where id = ?', [id])
    },
  }
}

export { apiKeyTable }
