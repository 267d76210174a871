import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { webhookEvents } from './fact.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { DeliveryRow, WebhookRow } from '../../ports/store/webhooks.ts'
import type { WebhookEvent } from './fact.ts'

/** What a webhook's secret is sealed for. */
function webhookContext(id: string): string {
  return `webhook:${id}`
}

const members = {
  id: Type.String(),
  repository: Nullable(Type.String({ description: 'The path of the repository that it is of; null: of everything here.' })),
  url: Type.String(),
  events: Type.Array(OneOf(webhookEvents)),
  active: Type.Boolean({ description: 'While false nothing is taken up, and what waits goes on waiting.' }),
  created_by: Type.String({ description: 'It is told of what this user may read.' }),
  dropped: Type.Integer({ description: 'How many events it was not told of because too many waited already.' }),
  created_at: Time,
  updated_at: Time,
}

/** A webhook as callers see it: never with its secret. */
const Webhook = Closed(members)
/** The one answer that holds a secret: when it was made here. */
const NewWebhook = Closed({ ...members, secret: Nullable(Type.String({ description: 'Shown once, and only if the input named none.' })) })
type WebhookView = Static<typeof Webhook>

/** One try after the other to tell a webhook of one event. */
const Delivery = Closed({
  id: Type.String(),
  webhook: Type.String(),
  event: Type.String(),
  state: OneOf(['waiting', 'delivered', 'failed']),
  attempts: Type.Integer(),
  next_at: Nullable(Time),
  status: Nullable(Type.Integer({ description: 'The HTTP status of the last answer.' })),
  excerpt: Nullable(Type.String({ description: 'The beginning of the last answer.' })),
  error: Nullable(Type.String({ description: 'Why there was no answer at the last try.' })),
  duration_ms: Nullable(Type.Integer()),
  redelivery_of: Nullable(Type.String()),
  created_at: Time,
  finished_at: Nullable(Time),
})
type DeliveryView = Static<typeof Delivery>

/** Webhooks as callers see them. Reads what all of them need at once. */
async function viewWebhooks(ctx: Ctx, rows: readonly WebhookRow[]): Promise<WebhookView[]> {
  const ids = [...new Set(rows.flatMap((row) => row.resource_id ?? []))]
  const paths = new Map((ids.length === 0 ? [] : await ctx.db.resources.byIds(ids)).map((row) => [row.id, row.name]))
  return rows.map((row) => ({
    id: row.id,
    repository: (row.resource_id && paths.get(row.resource_id)) ?? null,
    url: row.url,
    // Written by operations that take these words only.
    events: row.events as WebhookEvent[],
    active: row.active,
    created_by: row.created_by_name,
    dropped: row.dropped,
    created_at: timestamp(row.created_at),
    updated_at: timestamp(row.updated_at),
  }))
}

async function viewWebhook(ctx: Ctx, row: WebhookRow): Promise<WebhookView> {
  const [view] = await viewWebhooks(ctx, [row])
  if (!view) throw new Error('A view of one row is one view')
  return view
}

function viewDelivery(row: DeliveryRow): DeliveryView {
  return {
    id: row.id,
    webhook: row.webhook_id,
    event: row.event,
    state: row.state,
    attempts: row.attempt,
    next_at: timestamp(row.next_at),
    status: row.status,
    excerpt: row.excerpt,
    error: row.error,
    duration_ms: row.duration_ms,
    redelivery_of: row.redelivery_of,
    created_at: timestamp(row.created_at),
    finished_at: timestamp(row.finished_at),
  }
}

export { webhookContext, Webhook, NewWebhook, Delivery, viewWebhooks, viewWebhook, viewDelivery }
