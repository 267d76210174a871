import { expect, test } from 'vitest'
import { systemIds } from '../../../core/kernel/id.ts'
import type { DeliveryRow, WebhookRow } from '../../../ports/store/webhooks.ts'
import { allPages, firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'

function webhookRow(patch: Partial<WebhookRow> = {}): WebhookRow {
  return {
    id: systemIds.record(),
    resource_id: 'repository',
    url: 'https://hook.test/ä',
    events: ['push', 'comment'],
    active: true,
    sealed: 'v1.x',
    created_by: 'ann',
    created_by_name: 'Ann',
    dropped: 0,
    created_at: 5,
    updated_at: 6,
    ...patch,
  }
}

function deliveryRow(webhook: WebhookRow, patch: Partial<DeliveryRow> = {}): DeliveryRow {
  return {
    id: systemIds.record(),
    webhook_id: webhook.id,
    event: 'push',
    body: { deep: [1, { yes: true }] },
    state: 'waiting',
    attempt: 0,
    next_at: 10,
    owner: '',
    lease_until: 0,
    status: null,
    excerpt: null,
    error: null,
    duration_ms: null,
    redelivery_of: null,
    created_at: 10,
    finished_at: null,
    ...patch,
  }
}

const ended = { state: 'delivered', attempt: 1, next_at: null, status: 200, excerpt: 'ok', error: null, duration_ms: 3, finished_at: 40 } as const
const most = 1000

export function webhookSuite(use: UseStore): void {
  test('a webhook comes back member by member, changed where it was changed, and goes with its deliveries', async () => {
    const { store } = use()
    const row = webhookRow()
    await store.write((t) => t.webhooks.insert(row))
    expect(await store.reader.webhooks.byId(row.id)).toStrictEqual(row)
    const patch = { url: 'http://x.test', events: ['run'], active: false, sealed: 'v1.y', updated_at: 9 }
    await store.write((t) => t.webhooks.update(row.id, patch))
    expect(await store.reader.webhooks.byId(row.id)).toStrictEqual({ ...row, ...patch })
    const delivery = deliveryRow(row)
    await store.write((t) => t.deliveries.queue(delivery, most))
    expect(await store.reader.deliveries.byId(delivery.id)).toStrictEqual(delivery)
    await store.write((t) => t.webhooks.remove(row.id))
    expect(await store.reader.webhooks.byId(row.id)).toBeNull()
    expect(await store.reader.deliveries.byId(delivery.id)).toBeNull()
    const other = webhookRow({ resource_id: 'other' })
    await store.write(async (t) => {
      await t.webhooks.insert(row)
      await t.webhooks.insert(other)
      await t.deliveries.queue(delivery, most)
      await t.webhooks.removeOf('repository')
    })
    expect([await store.reader.webhooks.byId(row.id), await store.reader.deliveries.byId(delivery.id)]).toEqual([null, null])
    expect(await store.reader.webhooks.byId(other.id)).not.toBeNull()
  })

  test('active webhooks of the repository and of everything hear of an event that they asked for', async () => {
    const { store } = use()
    const own = webhookRow()
    const all = webhookRow({ resource_id: null, created_at: 6 })
    const rows = [own, all, webhookRow({ resource_id: 'other' }), webhookRow({ active: false }), webhookRow({ events: ['pull-request'] })]
    await store.write(async (t) => {
      for (const row of rows) await t.webhooks.insert(row)
    })
    const { webhooks } = store.reader
    expect(await webhooks.listening('repository', 'push')).toStrictEqual([own, all])
    expect(await webhooks.listening(null, 'push')).toStrictEqual([all])
    expect(await webhooks.listening('repository', 'pull')).toEqual([])
    expect([await webhooks.any('pull-request'), await webhooks.any('run')]).toEqual([true, false])
    expect([await webhooks.count('repository'), await webhooks.count(null)]).toEqual([3, 1])
    expect(await allPages(2, (page) => webhooks.page({}, page))).toHaveLength(5)
    expect((await webhooks.page({ resourceId: null }, firstPage)).items).toStrictEqual([all])
  })

  test('an event is taken up once, and beyond the bound it is counted and not taken', async () => {
    const { store } = use()
    const row = webhookRow()
    const [one, two, three] = [deliveryRow(row), deliveryRow(row), deliveryRow(row)]
    await store.write((t) => t.webhooks.insert(row))
    const queue = (delivery: DeliveryRow) => store.write((t) => t.deliveries.queue(delivery, 2))
    expect([await queue(one), await queue({ ...one, event: 'other' }), await queue(two), await queue(three), await queue(one)]).toEqual([
      true,
      false,
      true,
      false,
      false,
    ])
    expect(await store.reader.webhooks.byId(row.id)).toMatchObject({ dropped: 1 })
    expect(await store.reader.deliveries.byId(one.id)).toStrictEqual(one)
    expect(await store.reader.deliveries.byId(three.id)).toBeNull()
  })

  test('a webhook gets one delivery at a time, the earliest first, and each is taken by one server', async () => {
    const { store } = use()
    const [hook, slow, off] = [webhookRow(), webhookRow(), webhookRow({ active: false })]
    const [late, early, other] = [deliveryRow(hook, { next_at: 20 }), deliveryRow(hook, { next_at: 15 }), deliveryRow(slow, { next_at: 30 })]
    await store.write(async (t) => {
      for (const row of [hook, slow, off]) await t.webhooks.insert(row)
      for (const row of [late, early, other, deliveryRow(off)]) await t.deliveries.queue(row, most)
    })
    const { deliveries } = store.reader
    const take = (id: string, owner: string, now: number) => store.write((t) => t.deliveries.take(id, owner, now, now + 100))
    expect([await deliveries.nextAt(), await deliveries.due(14, 9), await deliveries.due(30, 9), await deliveries.due(30, 1)]).toEqual([
      15,
      [],
      [hook.id, slow.id],
      [hook.id],
    ])
    expect(await take(hook.id, 'a', 14)).toBeNull()
    expect(await take(hook.id, 'a', 18)).toStrictEqual({ ...early, owner: 'a', lease_until: 118 })
    expect(await take(hook.id, 'b', 18)).toBeNull()
    expect(await deliveries.due(30, 9)).toEqual([slow.id])
    expect(await deliveries.nextAt()).toBe(30)
    const settle = (id: string, owner: string) => store.write((t) => t.deliveries.settle(id, owner, ended))
    expect([await settle(early.id, 'b'), await settle(early.id, 'a'), await settle(early.id, 'a')]).toEqual([false, true, false])
    expect(await deliveries.byId(early.id)).toStrictEqual({ ...early, ...ended })
    expect(await deliveries.due(30, 9)).toEqual([hook.id, slow.id])
  })

  test('what a server that is gone had taken is due again when its lease ends, and at once where nobody else can be sending', async () => {
    const { store } = use()
    const row = webhookRow()
    const delivery = deliveryRow(row)
    await store.write(async (t) => {
      await t.webhooks.insert(row)
      await t.deliveries.queue(delivery, most)
      await t.deliveries.take(row.id, 'gone', 10, 110)
    })
    const { deliveries } = store.reader
    expect([await deliveries.due(109, 9), await deliveries.due(110, 9), await deliveries.nextAt()]).toEqual([[], [row.id], 110])
    expect(await store.write((t) => t.deliveries.release('gone'))).toBe(0)
    expect(await store.write((t) => t.deliveries.release('new'))).toBe(1)
    expect(await deliveries.due(10, 9)).toEqual([row.id])
  })

  test('deliveries are listed newest first, and forgotten when they ended long ago', async () => {
    const { store } = use()
    const row = webhookRow()
    await store.write(async (t) => {
      await t.webhooks.insert(row)
      for (const created_at of [1, 2, 3, 4, 5]) await t.deliveries.queue(deliveryRow(row, { created_at, ...(created_at < 4 && ended) }), most)
    })
    const listed = () => allPages(2, (page) => store.reader.deliveries.page(row.id, page))
    expect((await listed()).map(({ created_at }) => created_at)).toEqual([5, 4, 3, 2, 1])
    expect([await store.write((t) => t.deliveries.prune(41, 2)), await store.write((t) => t.deliveries.prune(41, 9))]).toEqual([2, 1])
    expect((await listed()).map(({ created_at }) => created_at)).toEqual([5, 4])
  })
}
