import { pair } from './migration.ts'

// What is unfinished is looked for at each start and counted at each new one: there is little of it, so its index is small.
export const loadings = pair(3, 'loading', ({ text, whole, document, end }) => [
  `create table loading (
    id ${text} primary key, kind ${text} not null, user_id ${text} not null, state ${text} not null, step ${text} not null,
    repository ${text} not null, directory ${text} not null, branch ${text}, "commit" ${text}, size ${whole} not null, created_at ${whole} not null,
    finished_at ${whole}, error ${document}, problems ${document} not null, configuration ${document})${end}`,
  'create index loading_open on loading (created_at) where finished_at is null',
  'create index loading_user on loading (user_id, finished_at, size)',
  'create index loading_finished on loading (finished_at) where finished_at is not null',

  'create index schedule_slot_run on schedule_slot (run_id)',
  'create index schedule_slot_at on schedule_slot (at)',
  'create index schedule_deleted on schedule (deleted_at) where deleted_at is not null',
])
