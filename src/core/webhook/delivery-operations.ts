import { fault } from '../kernel/fault.ts'
import { pageRequest, viewPage } from '../kernel/page.ts'
import { Closed, listMembers, PageOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { mostWaiting, newDelivery } from './fact.ts'
import { Delivery, viewDelivery } from './view.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { DeliveryRow, WebhookRow } from '../../ports/store/webhooks.ts'

const WebhookMember = Type.String({ maxLength: 300, description: 'Id of a webhook.' })
const auditSubject = { subject: (input: { webhook: string }) => `webhook:${input.webhook}`, subjectId: (input: { webhook: string }) => input.webhook }
const example = { webhook: '01981c0e-0000-7000-8000-000000000000' }

const test = defineOperation({
  name: 'webhook.test',
  summary: 'Sends an event `ping` to a webhook, and gives the delivery: what comes of it is in the list of deliveries.',
  input: Closed({ webhook: WebhookMember }),
  output: Delivery,
  access: 'signed-in',
  subjects: { webhook: subject('webhook', 'admin', 'webhook') },
  effect: 'write',
  audit: auditSubject,
  example,
  run: (ctx, _, { webhook }) => queue(ctx, webhook.row, { event: 'ping', body: { by: ctx.principal.name } }),
})

const list = defineOperation({
  name: 'webhook.list-deliveries',
  summary: 'What a webhook was told of and is to be told of, newest first, with what came of it. Kept for a week after its end.',
  input: Closed({ webhook: WebhookMember, ...listMembers }),
  output: PageOf(Delivery),
  access: 'signed-in',
  subjects: { webhook: subject('webhook', 'admin', 'webhook') },
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, input, { webhook }) => viewPage(ctx.db.deliveries.page(webhook.row.id, pageRequest(input)), (rows) => rows.map(viewDelivery)),
})

const redeliver = defineOperation({
  name: 'webhook.redeliver',
  summary: 'Sends what was sent before once more, as a delivery of its own, and gives that.',
  input: Closed({ webhook: WebhookMember, delivery: Type.String({ maxLength: 300, description: 'Id of a delivery of this webhook.' }) }),
  output: Delivery,
  access: 'signed-in',
  subjects: { webhook: subject('webhook', 'admin', 'webhook') },
  effect: 'write',
  audit: { ...auditSubject, detail: ({ delivery }) => ({ delivery }) },
  example: { ...example, delivery: '01981c0e-0000-7000-8000-000000000001' },
  async run(ctx, input, { webhook }) {
    const before = await ctx.db.deliveries.byId(input.delivery)
    if (before?.webhook_id !== webhook.row.id) {
      const context = { absence: 'missing', kind: 'delivery', reference: input.delivery, member: 'delivery' } as const
      throw fault('not_found', { kind: 'delivery', reference: input.delivery }, { private: context })
    }
    return queue(ctx, webhook.row, { event: before.event, body: before.body, of: before.id })
  },
})

async function queue(ctx: WriteCtx, webhook: WebhookRow, what: Pick<DeliveryRow, 'event' | 'body'> & { readonly of?: string }) {
  const name = `The webhook "${webhook.id}"`
  if (!webhook.active) throw fault('state_conflict', { what: name, state: 'not active', next: 'Make it active first.' })
  const row = newDelivery(webhook, { id: ctx.ids.record(), at: ctx.clock.now(), ...what })
  if (!(await ctx.db.deliveries.queue(row, mostWaiting))) throw fault('quota_exceeded', { scope: name, limit: `${mostWaiting} waiting deliveries` })
  ctx.emit({ kind: 'webhook', id: webhook.id, name: webhook.id, state: 'queued', resource_id: null })
  return viewDelivery(row)
}

const deliveryOperations: readonly AnyOperation[] = [test, list, redeliver]

export { deliveryOperations }
