import type { AuditRow } from '../../../ports/store/rows.ts'
import type { AuditTable } from '../../../ports/store/tables.ts'
import { codec } from './codec.ts'
import { insertMany } from './many.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { equal } from './sql.ts'
import type { Sql } from './sql.ts'

const auditEvents = codec<AuditRow>('audit_event', {
  id: 'text',
  at: 'time',
  actor_id: 'text',
  actor: 'text',
  operation: 'text',
  subject: 'text',
  subject_id: 'text',
  outcome: 'text',
  via: 'text',
  peer: 'text',
  credential: 'text',
  request_id: 'text',
  intent_id: 'text',
  detail: 'json',
})

const newestFirst: Order = {
  by: [
    { column: 'a.at', kind: 'number' },
    { column: 'a.id', kind: 'text' },
  ],
  direction: 'desc',
}

function auditTable(sql: Sql): AuditTable {
  return {
    async append(rows) {
      await insertMany(sql, auditEvents, rows)
    },
    page: (filter, page) =>
      readPage(sql, {
        codec: auditEvents,
        alias: 'a',
        conditions: [
          equal('a.actor_id', filter.actorId),
          equal('a.actor', filter.actor),
          equal('a.subject', filter.subject),
          equal('a.subject_id', filter.subjectId),
          equal('a.operation', filter.operation),
          filter.since === undefined ? null : { text: 'a.at >= ?', values: [filter.since] },
        ],
        order: newestFirst,
        page,
        position: (row) => [row.at, row.id],
      }),
    async openIntents() {
      const text = `select ${auditEvents.listOf('a')} from audit_event a where a.outcome = 'intent'
        and not exists (select 1 from audit_event o where o.intent_id = a.id) order by a.at, a.id`
      return (await sql.all(text)).map(auditEvents.decode)
    },
  }
}

export { auditEvents, auditTable }
