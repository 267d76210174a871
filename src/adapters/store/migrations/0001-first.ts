import { pair } from './migration.ts'

// Unique indexes are called <table>_<column>: the name of the column reaches callers in `DuplicateKey`.
// Documents come last in a row, so that reading a small member never walks through a large one.
export const first = pair(1, 'first', ({ text, whole, flag, number, document, end }) => [
  `create table serial (name ${text} primary key, value ${whole} not null)${end}`,
  `create table setting (key ${text} primary key, value ${document} not null)${end}`,
  `create table gauge (name ${text} primary key, active ${number} not null)${end}`,

  `create table user_account (
    id ${text} primary key, serial ${whole} not null, name ${text} not null, name_key ${text} not null, email ${text}, email_key ${text},
    first_name ${text} not null, last_name ${text} not null, kind ${text} not null, administrator ${flag} not null, active ${flag} not null,
    pending ${flag} not null, password_hash ${text}, organisation ${text} not null, networks ${document} not null, created_at ${whole} not null,
    updated_at ${whole} not null, last_sign_in_at ${whole})${end}`,
  'create unique index user_account_serial on user_account (serial)',
  'create unique index user_account_name on user_account (name_key)',
  'create unique index user_account_email on user_account (email_key)',

  `create table session (
    id ${text} primary key, user_id ${text} not null references user_account (id) on delete cascade, created_at ${whole} not null,
    expires_at ${whole} not null, ended_at ${whole}, via ${text} not null, peer ${text} not null)${end}`,
  'create index session_owner on session (user_id)',
  'create index session_expiry on session (expires_at)',

  `create table api_key (
    id ${text} primary key, user_id ${text} not null references user_account (id) on delete cascade, label ${text} not null,
    public_key ${text} not null, secret_hash ${text} not null, created_at ${whole} not null, expires_at ${whole}, last_used_at ${whole}, scopes ${document})${end}`,
  'create unique index api_key_public_key on api_key (public_key)',
  'create unique index api_key_secret_hash on api_key (secret_hash)',
  'create index api_key_user on api_key (user_id)',

  `create table signing_key (
    id ${text} primary key, user_id ${text} not null references user_account (id) on delete cascade, sealed ${text} not null,
    created_at ${whole} not null)${end}`,
  'create index signing_key_user on signing_key (user_id)',

  `create table resource (
    id ${text} primary key, kind ${text} not null, serial ${whole} not null, name ${text} not null, name_key ${text} not null, owner_id ${text},
    parent_id ${text}, private ${flag} not null, active ${flag} not null, state ${text} not null, version ${whole} not null,
    created_at ${whole} not null, updated_at ${whole} not null, deleted_at ${whole}, spec ${document} not null)${end}`,
  'create unique index resource_serial on resource (kind, serial)',
  'create unique index resource_name on resource (kind, name) where deleted_at is null',
  'create index resource_parent on resource (parent_id)',
  'create index resource_owner on resource (owner_id)',
  'create index resource_deleted on resource (kind, deleted_at) where deleted_at is not null',

  `create table group_member (
    group_id ${text} not null, user_id ${text} not null references user_account (id) on delete cascade, created_at ${whole} not null,
    primary key (group_id, user_id))${end}`,
  'create index group_member_user on group_member (user_id, group_id)',

  `create table grant_entry (
    resource_id ${text} not null, subject_id ${text} not null, subject_kind ${text} not null, level ${flag} not null, extras ${document} not null,
    created_at ${whole} not null, primary key (resource_id, subject_id))${end}`,
  'create index grant_entry_subject on grant_entry (subject_id)',

  `create table audit_event (
    id ${text} primary key, at ${whole} not null, actor_id ${text} not null, actor ${text} not null, operation ${text} not null,
    subject ${text} not null, subject_id ${text}, outcome ${text} not null, via ${text} not null, peer ${text} not null,
    credential ${text} not null, request_id ${text} not null, intent_id ${text}, detail ${document} not null)${end}`,
  'create index audit_event_at on audit_event (at, id)',
  'create index audit_event_actor_id on audit_event (actor_id, at)',
  'create index audit_event_actor on audit_event (actor, at)',
  'create index audit_event_subject on audit_event (subject, at)',
  'create index audit_event_subject_id on audit_event (subject_id, at) where subject_id is not null',
  'create index audit_event_operation on audit_event (operation, at)',
  `create index audit_event_intent on audit_event (at, id) where outcome = 'intent'`,
  'create index audit_event_outcome on audit_event (intent_id) where intent_id is not null',

  `create table secret (
    id ${text} primary key, scope ${text} not null, name ${text} not null, key ${text} not null, sealed ${document} not null,
    created_at ${whole} not null, updated_at ${whole} not null, updated_by ${text} not null)${end}`,
  'create unique index secret_key on secret (scope, name, key)',

  `create table push (
    id ${text} primary key, repository_id ${text} not null, user_id ${text} not null, "user" ${text} not null, state ${text} not null,
    at ${whole} not null, commands ${document} not null, changes ${document} not null)${end}`,
  'create index push_repository on push (repository_id, at, id)',
  `create index push_open on push (at, id) where state = 'open'`,

  `create table run (
    id ${text} primary key, kind ${text} not null, namespace ${text} not null, name ${text} not null, resource_id ${text}, state ${text} not null,
    reason ${text}, message ${text}, parent_id ${text}, parent_step ${text}, retry_of ${text}, started_by ${text} not null,
    started_by_name ${text} not null, active ${flag} not null, listed ${flag} not null, exclusive ${flag} not null, owner ${text} not null,
    fence ${whole} not null, version ${whole} not null, created_at ${whole} not null, started_at ${whole}, finished_at ${whole},
    deleted_at ${whole}, cancel ${document}, output ${document}, input ${document}, spec ${document} not null, graph ${document})${end}`,
  'create unique index run_name on run (kind, namespace, name) where active = 1 and exclusive = 1',
  'create index run_named on run (kind, namespace, name, created_at, id)',
  'create index run_created on run (created_at, id)',
  'create index run_kind on run (kind, created_at, id)',
  'create index run_resource on run (resource_id, created_at, id) where resource_id is not null',
  // Also finds the runs of a server: there are few that are active.
  'create index run_active on run (kind, namespace, state) where active = 1',
  'create index run_parent on run (parent_id) where parent_id is not null',

  `create table step (
    run_id ${text} not null, key ${text} not null, node ${text} not null, kind ${text} not null, position ${whole} not null, state ${text} not null,
    reason ${text}, attempt ${whole} not null, max_attempts ${whole} not null, exit_code ${whole}, runtime ${text} not null, due_at ${whole},
    child_id ${text}, created_at ${whole} not null, started_at ${whole}, finished_at ${whole}, message ${text}, held ${document} not null,
    handle ${document}, attempts ${document} not null, input ${document}, output ${document}, primary key (run_id, key))${end}`,
  `create index step_live on step (state) where state in ('queued', 'starting', 'running', 'waiting')`,

  `create table schedule (
    id ${text} primary key, kind ${text} not null, namespace ${text} not null, name ${text} not null, resource_id ${text}, expression ${text} not null,
    zone ${text} not null, suspended ${flag} not null, created_by ${text} not null, next_at ${whole}, last_slot ${whole}, version ${whole} not null,
    created_at ${whole} not null, updated_at ${whole} not null, deleted_at ${whole}, spec ${document} not null)${end}`,
  'create unique index schedule_name on schedule (kind, namespace, name) where deleted_at is null',
  'create index schedule_due on schedule (next_at) where deleted_at is null and suspended = 0 and next_at is not null',
  `create table schedule_slot (schedule_id ${text} not null, at ${whole} not null, run_id ${text} not null, primary key (schedule_id, at))${end}`,

  `create table server (
    id ${text} primary key, host ${text} not null, boot ${text} not null, started_at ${whole} not null, lease_until ${whole} not null)${end}`,

  `create table idempotency (
    identity ${text} not null, route ${text} not null, key ${text} not null, fingerprint ${text} not null, at ${whole} not null,
    outcome ${document} not null, primary key (identity, route, key))${end}`,
  'create index idempotency_at on idempotency (at)',
])
