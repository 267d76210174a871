import { pair } from './migration.ts'

// Of many events few wait: what is looked at for each event and each start is in small indexes of its own.
export const triggerEvents = pair(7, 'trigger-event', ({ text, whole, document, end }) => [
  `create table trigger_event (
    id ${text} primary key, trigger_id ${text} not null, workflow_id ${text} not null, state ${text} not null, depth ${whole} not null,
    attempt ${whole} not null, next_at ${whole} not null, owner ${text} not null, lease_until ${whole} not null, job_id ${text}, error ${text},
    created_at ${whole} not null, finished_at ${whole}, message ${document} not null)${end}`,
  `create index trigger_event_waiting on trigger_event (next_at, id) where state = 'waiting'`,
  `create index trigger_event_of on trigger_event (workflow_id) where state = 'waiting'`,
  'create index trigger_event_listed on trigger_event (trigger_id, created_at, id)',
  'create index trigger_event_finished on trigger_event (finished_at) where finished_at is not null',

  `create table trigger_keeper (trigger_id ${text} primary key, owner ${text} not null, lease_until ${whole} not null)${end}`,
])
