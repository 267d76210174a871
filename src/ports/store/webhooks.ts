import type { JsonObject } from '../../core/kernel/json.ts'
import type { Page, PageRequest } from '../../core/kernel/page.ts'

/** Whom to tell of what: an address that events are posted to. */
type WebhookRow = {
  id: string
  /** The repository that it is of; null: everything here. */
  resource_id: string | null
  url: string
  events: string[]
  active: boolean
  /** What its posts are signed with, sealed. */
  sealed: string
  /** With whose rights it hears of things. */
  created_by: string
  created_by_name: string
  /** How many events it was not told of because too many waited. */
  dropped: number
  created_at: number
  updated_at: number
}

/**
 * One event on its way to one webhook. `waiting`: it is to be sent at `next_at`, or is being sent by `owner` until `lease_until`; then `delivered` when the
 * receiver took it, or `failed` when it was tried often enough.
 */
type DeliveryRow = {
  id: string
  webhook_id: string
  event: string
  body: JsonObject
  state: 'waiting' | 'delivered' | 'failed'
  attempt: number
  next_at: number | null
  owner: string
  lease_until: number
  /** Of the last try: the receiver's status, the beginning of what it said, or why nothing came back. */
  status: number | null
  excerpt: string | null
  error: string | null
  duration_ms: number | null
  redelivery_of: string | null
  created_at: number
  finished_at: number | null
}

type WebhookTable = {
  insert(row: WebhookRow): Promise<void>
  byId(id: string): Promise<WebhookRow | null>
  update(
    id: string,
    patch: Partial<Pick<WebhookRow, 'url' | 'events' | 'active' | 'sealed' | 'created_by' | 'created_by_name' | 'updated_at'>>,
  ): Promise<void>
  /** With its deliveries. */
  remove(id: string): Promise<void>
  /** All of a repository, with their deliveries. */
  removeOf(resourceId: string): Promise<void>
  /** By time of making. `resourceId` null: those of everything; left out: all. */
  page(filter: { resourceId?: string | null }, page: PageRequest): Promise<Page<WebhookRow>>
  count(resourceId: string | null): Promise<number>
  /** The active ones that hear of an event: those of everything, and of this repository. */
  listening(resourceId: string | null, event: string): Promise<WebhookRow[]>
  /** Whether any active one hears of an event, of whatever repository. */
  any(event: string): Promise<boolean>
}

type DeliveryTable = {
  /**
   * Takes an event up. One that is there already is left as it is, and where `most` wait for the webhook it is not taken but counted. Tells whether it
   * was taken.
   */
  queue(row: DeliveryRow, most: number): Promise<boolean>
  byId(id: string): Promise<DeliveryRow | null>
  /** The active webhooks that something is due for and to which nothing is being sent, the longest waiting first. */
  due(now: number, limit: number): Promise<string[]>
  /** Takes the next due delivery of a webhook until `until`; null when there is none, or somebody else took it. */
  take(webhookId: string, owner: string, now: number, until: number): Promise<DeliveryRow | null>
  /** Writes down what came of a try; false when it was somebody else's by then. */
  settle(
    id: string,
    owner: string,
    patch: Pick<DeliveryRow, 'state' | 'attempt' | 'next_at' | 'status' | 'excerpt' | 'error' | 'duration_ms' | 'finished_at'>,
  ): Promise<boolean>
  /** When something is to be sent next; null when nothing waits. */
  nextAt(): Promise<number | null>
  /** Gives back what was being sent by servers that are not `owner`: for one that is alone in its store. */
  release(owner: string): Promise<number>
  /** Newest first. */
  page(webhookId: string, page: PageRequest): Promise<Page<DeliveryRow>>
  /** Forgets those that ended before a moment, at most `limit`. Gives how many. */
  prune(before: number, limit: number): Promise<number>
  /** Ids of runs that ended after a moment, oldest first. */
  endedRuns(after: number, limit: number): Promise<{ id: string; finished_at: number }[]>
}

type WebhookTables = { readonly webhooks: WebhookTable; readonly deliveries: DeliveryTable }

export type { WebhookRow, DeliveryRow, WebhookTable, DeliveryTable, WebhookTables }
