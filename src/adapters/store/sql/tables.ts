import type { Tables } from '../../../ports/store/tables.ts'
import { apiKeyTable } from './api-key.ts'
import { auditTable } from './audit.ts'
import { commentTable } from './comment.ts'
import { followerTable } from './follower.ts'
import { gistTable } from './gist.ts'
import { grantTable } from './grant.ts'
import { idempotencyTable } from './idempotency.ts'
import { loadingTable } from './loading.ts'
import { memberTable } from './member.ts'
import { pullRequestTable } from './pull-request.ts'
import { pushTable } from './push.ts'
import { resourceTable } from './resource.ts'
import { runTable } from './run.ts'
import { scheduleTable } from './schedule.ts'
import { secretTable } from './secret.ts'
import { serverTable } from './server.ts'
import { sessionTable } from './session.ts'
import { settingTable } from './setting.ts'
import { signingKeyTable } from './signing-key.ts'
import type { Sql } from './sql.ts'
import { stepTable } from './step.ts'
import { userTable } from './user.ts'
import { deliveryTable, webhookTable } from './webhook.ts'
import { triggerEventTable, triggerKeeperTable } from './trigger-event.ts'
import { artifactEntityTable, workflowTriggerTable, workflowVersionTable } from './workflow.ts'

/** All tables over one executor: a connection, a transaction, or a pool. */
function tablesOver(sql: Sql): Tables {
  return {
    users: userTable(sql),
    sessions: sessionTable(sql),
    apiKeys: apiKeyTable(sql),
    signingKeys: signingKeyTable(sql),
    resources: resourceTable(sql),
    members: memberTable(sql),
    followers: followerTable(sql),
    grants: grantTable(sql),
    audit: auditTable(sql),
    secrets: secretTable(sql),
    pushes: pushTable(sql),
    pullRequests: pullRequestTable(sql),
    comments: commentTable(sql),
    gists: gistTable(sql),
    settings: settingTable(sql),
    runs: runTable(sql),
    steps: stepTable(sql),
    schedules: scheduleTable(sql),
    servers: serverTable(sql),
    idempotency: idempotencyTable(sql),
    loadings: loadingTable(sql),
    webhooks: webhookTable(sql),
    deliveries: deliveryTable(sql),
    workflowVersions: workflowVersionTable(sql),
    workflowTriggers: workflowTriggerTable(sql),
    triggerEvents: triggerEventTable(sql),
    triggerKeepers: triggerKeeperTable(sql),
    artifactEntities: artifactEntityTable(sql),
  }
}

export { tablesOver }
