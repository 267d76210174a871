import { pair } from './migration.ts'

// Of many deliveries few wait: what is looked at for each event and each try is in small indexes of its own.
export const webhooks = pair(5, 'webhook', ({ text, whole, flag, document, end }) => [
  `create table webhook (
    id ${text} primary key, resource_id ${text}, url ${text} not null, events ${document} not null, active ${flag} not null, sealed ${text} not null,
    created_by ${text} not null, created_by_name ${text} not null, dropped ${whole} not null, created_at ${whole} not null,
    updated_at ${whole} not null)${end}`,
  'create index webhook_resource on webhook (resource_id)',
  `create table webhook_delivery (
    id ${text} primary key, webhook_id ${text} not null, event ${text} not null, body ${document} not null, state ${text} not null,
    attempt ${whole} not null, next_at ${whole}, owner ${text} not null, lease_until ${whole} not null, status ${whole}, excerpt ${text},
    error ${text}, duration_ms ${whole}, redelivery_of ${text}, created_at ${whole} not null, finished_at ${whole})${end}`,
  `create index webhook_delivery_waiting on webhook_delivery (webhook_id, next_at, lease_until) where state = 'waiting'`,
  'create index webhook_delivery_listed on webhook_delivery (webhook_id, created_at, id)',
  'create index webhook_delivery_finished on webhook_delivery (finished_at) where finished_at is not null',
])
