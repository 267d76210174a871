import type { PushRow } from '../../../ports/store/rows.ts'
import type { PushTable } from '../../../ports/store/tables.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { equal } from './sql.ts'
import type { Sql } from './sql.ts'

const pushes = codec<PushRow>('push', {
  id: 'text',
  repository_id: 'text',
  user_id: 'text',
  user: 'text',
  state: 'text',
  commands: 'json',
  changes: 'json',
  at: 'time',
})

const insertText = pushes.insert()

const newestFirst: Order = {
  by: [
    { column: 'p.at', kind: 'number' },
    { column: 'p.id', kind: 'text' },
  ],
  direction: 'desc',
}

export function pushTable(sql: Sql): PushTable {
  return {
    async open(row) {
      await sql.run(insertText, pushes.values(row))
    },
    async close(id, state, changes) {
      await sql.run(`update push set state = ?, changes = ? where id = ? and state = 'open'`, [state, JSON.stringify(changes), id])
    },
    async openOnes() {
      return (await sql.all(`select ${pushes.list} from push where state = 'open' order by at, id`)).map(pushes.decode)
    },
    page: (repositoryId, page) =>
      readPage(sql, {
        codec: pushes,
        alias: 'p',
        conditions: [equal('p.repository_id', repositoryId)],
        order: newestFirst,
        page,
        position: (row) => [row.at, row.id],
      }),
  }
}
