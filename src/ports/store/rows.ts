import type { Json, JsonObject } from '../../core/kernel/json.ts'
import type { Level } from '../../core/kernel/level.ts'
import type { RunState, StepState } from '../../core/kernel/run-state.ts'

/**
 * What the store keeps, as every engine gives it back: members are the columns' names, times are epoch milliseconds, booleans are booleans,
 * documents are parsed.
 */
export type UserRow = {
  id: string
  /** Small number for APIs that want integers; 1 is the built-in `default` user. */
  serial: number
  name: string
  email: string | null
  first_name: string
  last_name: string
  /** What the user is in the company, as the user or a manager of users says it. */
  company_title: string
  kind: 'user' | 'service' | 'builtin'
  administrator: boolean
  active: boolean
  /** Signed up, waits for an administrator's approval. */
  pending: boolean
  password_hash: string | null
  /** The repository group that short repository names are looked up in; '' for the top level. */
  organisation: string
  /** CIDR list; empty: from anywhere. */
  networks: string[]
  created_at: number
  updated_at: number
  last_sign_in_at: number | null
}

export type SessionRow = { id: string; user_id: string; created_at: number; expires_at: number; ended_at: number | null; via: string; peer: string }

export type ApiKeyRow = {
  id: string
  user_id: string
  label: string
  /** The public 40 letters and digits (Komodo shows them as `K_<40>_K`). */
  public_key: string
  /** SHA-256 of the secret, hex. The secret itself is kept nowhere. */
  secret_hash: string
  /** What it may be used for; null: all that its user may do. */
  scopes: string[] | null
  created_at: number
  expires_at: number | null
  last_used_at: number | null
}

export type SigningKeyRow = { id: string; user_id: string; sealed: string; created_at: number }

/** Any named, owned, permissioned thing. What is special to a kind is in `spec`, checked by the kind's own schema. */
export type ResourceRow = {
  id: string
  kind: string
  serial: number
  /** Unique within the kind while not deleted. */
  name: string
  owner_id: string | null
  parent_id: string | null
  /** Everyone's grant does not count. */
  private: boolean
  /** Inactive groups grant nothing. */
  active: boolean
  state: string
  spec: JsonObject
  version: number
  created_at: number
  updated_at: number
  deleted_at: number | null
}
/** What tells one state of a resource from all others, and what permissions and lists of names need. */
export type ResourceKey = Pick<ResourceRow, 'id' | 'kind' | 'serial' | 'name' | 'owner_id' | 'version'>

export type SubjectKind = 'user' | 'group'
export type GrantRow = { resource_id: string; subject_id: string; subject_kind: SubjectKind; level: Level; extras: string[]; created_at: number }

export type AuditRow = {
  id: string
  at: number
  actor_id: string
  actor: string
  operation: string
  /** `kind:name` of what was acted on; '' when nothing was. */
  subject: string
  subject_id: string | null
  outcome: 'intent' | 'succeeded' | 'failed' | 'refused' | 'unknown'
  /** The API it came through. */
  via: string
  peer: string
  /** How the actor was identified. */
  credential: string
  request_id: string
  /** For the outcome of an intent: the intent's id. */
  intent_id: string | null
  detail: JsonObject
}

export type SecretRow = {
  id: string
  /** '' everywhere, else `namespace:<name>` or `repository:<id>`. */
  scope: string
  name: string
  key: string
  sealed: string
  created_at: number
  updated_at: number
  updated_by: string
}

export type PushRow = {
  id: string
  repository_id: string
  user_id: string
  user: string
  state: 'open' | 'done' | 'failed'
  commands: { ref: string; from: string | null; to: string | null }[]
  changes: { ref: string; from: string | null; to: string | null }[]
  at: number
}

export type RunRow = {
  id: string
  kind: string
  name: string
  /** Namespace of the Deploy API, '' for none. */
  namespace: string
  /** The resource whose grants rule this run. */
  resource_id: string | null
  state: RunState
  reason: string | null
  message: string | null
  parent_id: string | null
  parent_step: string | null
  retry_of: string | null
  started_by: string
  started_by_name: string
  /** What the kind needs to run it and APIs need to show it. */
  spec: JsonObject
  /** The compiled flow graph; null for a lone task, whose graph is one step made from the spec. */
  graph: JsonObject | null
  input: Json
  output: Json
  /** While true, (kind, namespace, name) is unique. */
  active: boolean
  /** Shown in lists; a replaced or deleted one is not, but stays readable by id. */
  listed: boolean
  /** The order to end it, with what to do; null when none was given. */
  cancel: JsonObject | null
  /** The server that works on it, and the fence that its writes carry. */
  owner: string
  fence: number
  version: number
  created_at: number
  started_at: number | null
  finished_at: number | null
  deleted_at: number | null
}

export type StepAttempt = {
  attempt: number
  state: StepState
  reason: string | null
  exit_code: number | null
  started_at: number | null
  finished_at: number
}

export type StepRow = {
  run_id: string
  /** Path inside the run's graph: `fetch`, `loop/3/body`. */
  key: string
  node: string
  kind: string
  /** Counts up in the order of making, within the run. */
  position: number
  state: StepState
  reason: string | null
  message: string | null
  attempt: number
  max_attempts: number
  exit_code: number | null
  runtime: string
  handle: JsonObject | null
  /** Gauges that this step holds while it is starting or running. */
  held: string[]
  due_at: number | null
  child_id: string | null
  /** The filled input of the step, kept so that a restart gives it the same. */
  input: Json
  output: Json
  attempts: StepAttempt[]
  created_at: number
  started_at: number | null
  finished_at: number | null
}

export type ScheduleRow = {
  id: string
  kind: string
  name: string
  namespace: string
  resource_id: string | null
  expression: string
  zone: string
  suspended: boolean
  spec: JsonObject
  created_by: string
  next_at: number | null
  last_slot: number | null
  version: number
  created_at: number
  updated_at: number
  deleted_at: number | null
}

export type ServerRow = { id: string; host: string; boot: string; started_at: number; lease_until: number }
