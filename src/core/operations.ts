import { auditOperations } from './audit/operations.ts'
import { grantOperations } from './access/grant-operations.ts'
import { permissionOperations } from './access/permission-operations.ts'
import { apiKeyOperations } from './identity/api-key-operations.ts'
import { bootstrapOperations } from './identity/bootstrap-operations.ts'
import { groupOperations } from './identity/group-operations.ts'
import { handOverOperations } from './identity/hand-over.ts'
import { locateOperations } from './identity/locate.ts'
import { memberOperations } from './identity/member-operations.ts'
import { registerOperations } from './identity/register-operations.ts'
import { roleOperations } from './identity/role-operations.ts'
import { sessionOperations } from './identity/session-operations.ts'
import { signingKeyOperations } from './identity/signing-key-operations.ts'
import { userOperations } from './identity/user-operations.ts'
import { batchOperations } from './operation/batch.ts'
import { gistOperations } from './gist/operations.ts'
import { deployOperations } from './deploy/operations.ts'
import { eventStream } from './notify/streams.ts'
import { pullRequestOperations } from './pull-request/operations.ts'
import { serverOperations } from './operation/server.ts'
import { repositoryGroupOperations, repositoryOperations } from './repository/operations.ts'
import { runOperations } from './run/operations.ts'
import { scheduleOperations } from './run/schedule-operations.ts'
import { runLogStream } from './run/streams.ts'
import { secretOperations } from './secret/operations.ts'
import { webhookOperations } from './webhook/operations.ts'
import { allWorkflowOperations } from './workflow/operations.ts'
import type { AnyOperation } from './operation/operation.ts'
import type { AnyStream } from './operation/stream.ts'

/** Everything that the product can do. A new operation is in the list of its noun; a new noun is a line here. */
export const operations: readonly AnyOperation[] = [
  ...sessionOperations,
  ...handOverOperations,
  ...bootstrapOperations,
  ...registerOperations,
  ...userOperations,
  ...groupOperations,
  ...memberOperations,
  ...locateOperations,
  ...roleOperations,
  ...apiKeyOperations,
  ...signingKeyOperations,
  ...grantOperations,
  ...permissionOperations,
  ...secretOperations,
  ...repositoryOperations,
  ...repositoryGroupOperations,
  ...pullRequestOperations,
  ...gistOperations,
  ...deployOperations,
  ...runOperations,
  ...scheduleOperations,
  ...webhookOperations,
  ...allWorkflowOperations,
  ...auditOperations,
  ...batchOperations,
  ...serverOperations,
]

/** Everything that can be followed. */
export const streams: readonly AnyStream[] = [eventStream, runLogStream]
