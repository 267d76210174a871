import { heldAmong } from '../access/held.ts'
import { queueTriggers } from '../workflow/trigger/facts.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import type { PushRow, ResourceRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { DeliveryRow, WebhookRow } from '../../ports/store/webhooks.ts'

/** What webhooks can ask for. */
const webhookEvents = ['push', 'pull-request', 'comment', 'run'] as const
type WebhookEvent = (typeof webhookEvents)[number]

/** Something that happened, for whoever wants to be told. */
type Fact = {
  /** The same for the same fact, however often it is looked at: a webhook is told of it once. */
  readonly id: string
  readonly event: WebhookEvent
  readonly at: number
  /** Whose webhooks hear of it besides those of everything; null: only those. */
  readonly repository: ResourceRow | null
  /** Ids of what it tells about: whoever may not read all of it does not hear of it. */
  readonly about: readonly string[]
  readonly data: JsonObject
  /** The run whose step did it; nothing where somebody else did. */
  readonly cause?: string | null
}

/** How many events wait for one webhook at most. Beyond that they are counted and dropped: a receiver that is gone must not fill the store. */
const mostWaiting = 1000

/**
 * Puts a fact into the queue of each webhook that hears of it and of each workflow that it starts, in the caller's transaction: what happened and that it
 * is to be told become durable together.
 */
async function queueFact(db: Tables, fact: Fact): Promise<void> {
  for (const hook of await db.webhooks.listening(fact.repository?.id ?? null, fact.event)) {
    if (fact.at >= hook.created_at && (await mayHear(db, hook, fact))) {
      await db.deliveries.queue(newDelivery(hook, { id: `${fact.id}.${hook.id}`, event: fact.event, at: fact.at, body: bodyOf(fact) }), mostWaiting)
    }
  }
  await queueTriggers(db, fact)
}

// With the rights of now of whoever made it: a webhook goes on being told only as long as they could look themselves.
async function mayHear(db: Tables, hook: WebhookRow, { about }: Fact): Promise<boolean> {
  const user = await db.users.byId(hook.created_by)
  if (!user?.active) return false
  if (user.administrator) return true
  if (hook.resource_id === null) return false
  const viewer = { userId: user.id, administrator: false }
  const seen = await heldAmong(db, { kind: 'repository', ids: [...about] }, viewer)
  return about.every((id) => seen.has(id))
}

function bodyOf({ repository, data }: Fact): JsonObject {
  return { repository: repository === null ? null : { id: repository.id, serial: repository.serial, path: repository.name }, ...data }
}

/** A delivery that has not been tried. */
function newDelivery(hook: Pick<WebhookRow, 'id'>, given: { id: string; event: string; at: number; body: JsonObject; of?: string }): DeliveryRow {
  return {
    id: given.id,
    webhook_id: hook.id,
    event: given.event,
    body: given.body,
    state: 'waiting',
    attempt: 0,
    next_at: given.at,
    owner: '',
    lease_until: 0,
    status: null,
    excerpt: null,
    error: null,
    duration_ms: null,
    redelivery_of: given.of ?? null,
    created_at: given.at,
    finished_at: null,
  }
}

const mostChanges = 100

/** The fact of a push that changed something. */
function pushFact(row: ResourceRow, push: PushRow, changes: readonly RefUpdate[], at: number, cause: string | null = null): Fact {
  const shown = changes.slice(0, mostChanges).map(({ ref, from, to }) => ({ ref, from, to }))
  return {
    id: push.id,
    event: 'push',
    at,
    repository: row,
    about: [row.id],
    cause,
    data: { by: push.user, push: { id: push.id, count: changes.length, changes: shown } },
  }
}

export type { WebhookEvent, Fact }
export { webhookEvents, mostWaiting, queueFact, newDelivery, pushFact }
