import type { IdempotencyRecord, IdempotencyTable } from '../../../ports/store/runs.ts'
import { codec } from './codec.ts'
import type { Sql } from './sql.ts'

const idempotency = codec<IdempotencyRecord>('idempotency', {
  identity: 'text',
  route: 'text',
  key: 'text',
  fingerprint: 'text',
  outcome: 'json',
  at: 'time',
})

const putText = `${idempotency.insert()} on conflict (identity, route, key) do nothing`

function idempotencyTable(sql: Sql): IdempotencyTable {
  const get = async (identity: string, route: string, key: string) => {
    const raw = await sql.one(`select ${idempotency.list} from idempotency where identity = ? and route = ? and key = ?`, [identity, route, key])
    return raw === null ? null : idempotency.decode(raw)
  }
  return {
    get,
    async put(record) {
      if ((await sql.run(putText, idempotency.values(record))) > 0) return record
      return (await get(record.identity, record.route, record.key)) ?? record
    },
    prune: (before, limit) =>
      sql.run('delete from idempotency where (identity, route, key) in (select identity, route, key from idempotency where at < ? limit ?)', [
        before,
        limit,
      ]),
  }
}

export { idempotency, idempotencyTable }
