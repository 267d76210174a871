import type { DeliveryRow, DeliveryTable, WebhookRow, WebhookTable } from '../../../ports/store/webhooks.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { equal } from './sql.ts'
import type { Sql } from './sql.ts'

const webhooks = codec<WebhookRow>('webhook', {
  id: 'text',
  resource_id: 'text',
  url: 'text',
  events: 'json',
  active: 'bool',
  sealed: 'text',
  created_by: 'text',
  created_by_name: 'text',
  dropped: 'int',
  created_at: 'time',
  updated_at: 'time',
})

const deliveries = codec<DeliveryRow>('webhook_delivery', {
  id: 'text',
  webhook_id: 'text',
  event: 'text',
  body: 'json',
  state: 'text',
  attempt: 'int',
  next_at: 'time',
  owner: 'text',
  lease_until: 'time',
  status: 'int',
  excerpt: 'text',
  error: 'text',
  duration_ms: 'int',
  redelivery_of: 'text',
  created_at: 'time',
  finished_at: 'time',
})

const insertWebhook = webhooks.insert()
const insertDelivery = `${deliveries.insert()} on conflict (id) do nothing`

const oldestFirst: Order = {
  by: [
    { column: 'w.created_at', kind: 'number' },
    { column: 'w.id', kind: 'text' },
  ],
  direction: 'asc',
}
const newestFirst: Order = {
  by: [
    { column: 'd.created_at', kind: 'number' },
    { column: 'd.id', kind: 'text' },
  ],
  direction: 'desc',
}

// Events are words of ours without quotes, so the word in quotes is found in the JSON list only where it is a member.
const hears = `active = 1 and events like ?`
const word = (event: string) => `%"${event}"%`

const waiting = `from webhook_delivery d join webhook w on w.id = d.webhook_id where d.state = 'waiting' and w.active = 1`

function webhookTable(sql: Sql): WebhookTable {
  return {
    async insert(row) {
      await sql.run(insertWebhook, webhooks.values(row))
    },
    async byId(id) {
      const raw = await sql.one(`select ${webhooks.list} from webhook where id = ?`, [id])
      return raw === null ? null : webhooks.decode(raw)
    },
    async update(id, patch) {
      const { text, values } = webhooks.assign(patch)
      if (text !== '') await sql.run(`update webhook set ${text} where id = ?`, [...values, id])
    },
    async remove(id) {
      await sql.run('delete from webhook_delivery where webhook_id = ?', [id])
      await sql.run('delete from webhook where id = ?', [id])
    },
    async removeOf(resourceId) {
      await sql.run('delete from webhook_delivery where webhook_id in (select id from webhook where resource_id = ?)', [resourceId])
      await sql.run('delete from webhook where resource_id = ?', [resourceId])
    },
    page: (filter, page) =>
      readPage(sql, {
        codec: webhooks,
        alias: 'w',
        conditions: [equal('w.resource_id', filter.resourceId)],
        order: oldestFirst,
        page,
        position: (row) => [row.created_at, row.id],
      }),
    async count(resourceId) {
      const where = resourceId === null ? 'resource_id is null' : 'resource_id = ?'
      const raw = await sql.one(`select count(*) as count from webhook where ${where}`, resourceId === null ? [] : [resourceId])
      return Number(raw?.count)
    },
    async listening(resourceId, event) {
      const text = `select ${webhooks.list} from webhook where (resource_id is null or resource_id = ?) and ${hears} order by created_at, id`
      return (await sql.all(text, [resourceId ?? '', word(event)])).map(webhooks.decode)
    },
    any: async (event) => (await sql.one(`select 1 as found from webhook where ${hears} limit 1`, [word(event)])) !== null,
  }
}

function deliveryTable(sql: Sql): DeliveryTable {
  const byId = async (id: string) => {
    const raw = await sql.one(`select ${deliveries.list} from webhook_delivery where id = ?`, [id])
    return raw === null ? null : deliveries.decode(raw)
  }
  return {
    async queue(row, most) {
      const open = await sql.one(`select count(*) as count from webhook_delivery where webhook_id = ? and state = 'waiting'`, [row.webhook_id])
      if (Number(open?.count) < most) return (await sql.run(insertDelivery, deliveries.values(row))) > 0
      if ((await byId(row.id)) === null) await sql.run('update webhook set dropped = dropped + 1 where id = ?', [row.webhook_id])
      return false
    },
    byId,
    async due(now, limit) {
      const text = `select d.webhook_id ${waiting} group by d.webhook_id
        having min(d.next_at) <= ? and max(d.lease_until) <= ? order by min(d.next_at), d.webhook_id limit ?`
      return (await sql.all(text, [now, now, limit])).map((raw) => String(raw.webhook_id))
    },
    async take(webhookId, owner, now, until) {
      const text = `select id from webhook_delivery where webhook_id = ? and state = 'waiting' and next_at <= ? and lease_until <= ?
        order by next_at, created_at, id limit 1${sql.dialect.forUpdate}`
      const first = await sql.one(text, [webhookId, now, now])
      if (first === null) return null
      const id = String(first.id)
      const taken = `update webhook_delivery set owner = ?, lease_until = ? where id = ? and state = 'waiting' and lease_until <= ?`
      return (await sql.run(taken, [owner, until, id, now])) > 0 ? byId(id) : null
    },
    async settle(id, owner, patch) {
      const { text, values } = deliveries.assign(patch)
      const end = `update webhook_delivery set ${text}, owner = '', lease_until = 0 where id = ? and owner = ? and state = 'waiting'`
      return (await sql.run(end, [...values, id, owner])) > 0
    },
    async nextAt() {
      const each = `select min(d.next_at) as due, max(d.lease_until) as free ${waiting} group by d.webhook_id`
      const raw = await sql.one(`select min(case when due > free then due else free end) as next_at from (${each}) x`)
      return raw === null || raw.next_at === null ? null : Number(raw.next_at)
    },
    release: (owner) =>
      sql.run(`update webhook_delivery set owner = '', lease_until = 0 where state = 'waiting' and lease_until > 0 and owner <> ?`, [owner]),
    page: (webhookId, page) =>
      readPage(sql, {
        codec: deliveries,
        alias: 'd',
        conditions: [equal('d.webhook_id', webhookId)],
        order: newestFirst,
        page,
        position: (row) => [row.created_at, row.id],
      }),
    prune: (before, limit) =>
      sql.run(
        'delete from webhook_delivery where id in (select id from webhook_delivery where finished_at is not null and finished_at < ? limit ?)',
        [before, limit],
      ),
    async endedRuns(after, limit) {
      const text = `select id, finished_at from run where finished_at > ? and parent_id is null and kind <> 'replica' order by finished_at limit ?`
      return (await sql.all(text, [after, limit])).map((raw) => ({ id: String(raw.id), finished_at: Number(raw.finished_at) }))
    },
  }
}

export { webhookTable, deliveryTable }
