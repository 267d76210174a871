import { pair } from './migration.ts'

// Documents stand last: lists of versions never walk through them.
export const workflows = pair(6, 'workflow', ({ text, whole, flag, document, end }) => [
  `create table workflow_version (
    id ${text} primary key, workflow_id ${text} not null, number ${whole} not null, state ${text} not null, created_by ${text} not null,
    created_by_name ${text} not null, created_at ${whole} not null, document ${document} not null)${end}`,
  'create unique index workflow_version_number on workflow_version (workflow_id, number)',

  `create table workflow_trigger (
    id ${text} primary key, name ${text} not null, type ${text} not null, require_auth ${flag} not null, owner_id ${text} not null, sealed ${text},
    last_error ${text}, created_at ${whole} not null, updated_at ${whole} not null, spec ${document} not null)${end}`,
  'create index workflow_trigger_listed on workflow_trigger (created_at, id)',
  `create table trigger_binding (workflow_id ${text} primary key, trigger_id ${text} not null)${end}`,
  'create index trigger_binding_trigger on trigger_binding (trigger_id)',

  `create table artifact_entity (
    id ${text} primary key, artifact_id ${text} not null, created_at ${whole} not null, value ${document} not null)${end}`,
  'create index artifact_entity_listed on artifact_entity (artifact_id, created_at, id)',
])
