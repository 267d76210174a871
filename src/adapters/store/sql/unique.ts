import { DuplicateKey } from '../../../ports/store/store.ts'

// The port speaks of tables by the names of its members.
const members: Readonly<Record<string, string>> = {
  user_account: 'users',
  session: 'sessions',
  api_key: 'apiKeys',
  signing_key: 'signingKeys',
  resource: 'resources',
  group_member: 'members',
  grant_entry: 'grants',
  audit_event: 'audit',
  secret: 'secrets',
  push: 'pushes',
  pull_request: 'pullRequests',
  comment: 'comments',
  gist: 'gists',
  gist_revision: 'gists',
  run: 'runs',
  step: 'steps',
  schedule: 'schedules',
  loading: 'loadings',
  webhook: 'webhooks',
  webhook_delivery: 'deliveries',
  workflow_version: 'workflowVersions',
  workflow_trigger: 'workflowTriggers',
  trigger_event: 'triggerEvents',
  trigger_keeper: 'triggerKeepers',
  artifact_entity: 'artifactEntities',
  server: 'servers',
}

/** The name of a table in the port. */
function memberOf(table: string): string {
  return members[table] ?? table
}

/** The error for a broken uniqueness in a table and its column, both as the engine calls them. */
function duplicateKey(table: string, column: string, cause: unknown): DuplicateKey {
  const shown = column === 'name_key' ? 'name' : column === 'email_key' ? 'email' : column
  return new DuplicateKey(`${memberOf(table)}.${shown}`, { cause })
}

export { memberOf, duplicateKey }
