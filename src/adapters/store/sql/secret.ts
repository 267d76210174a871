import type { SecretRow } from '../../../ports/store/rows.ts'
import type { SecretTable } from '../../../ports/store/tables.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { among, equal, textList } from './sql.ts'
import type { Sql } from './sql.ts'

// Lists are read without the sealed value: what is not read cannot leak.
const listed = codec<Omit<SecretRow, 'sealed'>>('secret', {
  id: 'text',
  scope: 'text',
  name: 'text',
  key: 'text',
  created_at: 'time',
  updated_at: 'time',
  updated_by: 'text',
})
const secrets = codec<SecretRow>('secret', { ...listed.kinds, sealed: 'text' })

const setText = `${secrets.insert()} on conflict (scope, name, key)
  do update set sealed = excluded.sealed, updated_at = excluded.updated_at, updated_by = excluded.updated_by`

const byScope: Order = {
  by: [
    { column: 's.scope', kind: 'text' },
    { column: 's.name', kind: 'text' },
    { column: 's.key', kind: 'text' },
  ],
  direction: 'asc',
}

function secretTable(sql: Sql): SecretTable {
  return {
    async set(row) {
      await sql.run(setText, secrets.values(row))
    },
    async get(scope, name, key) {
      const raw = await sql.one(`select ${secrets.list} from secret where scope = ? and name = ? and key = ?`, [scope, name, key])
      return raw === null ? null : secrets.decode(raw)
    },
    remove: (scope, name, key) =>
      key === null
        ? sql.run('delete from secret where scope = ? and name = ?', [scope, name])
        : sql.run('delete from secret where scope = ? and name = ? and key = ?', [scope, name, key]),
    page: (filter, page) =>
      readPage(sql, {
        codec: listed,
        alias: 's',
        conditions: [equal('s.scope', filter.scope), among(sql, 's.scope', filter.scopes)],
        order: byScope,
        page,
        position: (row) => [row.scope, row.name, row.key],
      }),
    async ofScopes(scopes) {
      const text = `select ${secrets.list} from secret where scope in (${sql.dialect.texts}) order by scope, name, key`
      return (await sql.all(text, [textList(scopes)])).map(secrets.decode)
    },
  }
}

export { secretTable }
