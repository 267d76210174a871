import { artifactOperations } from './artifact/operations.ts'
import { connectionOperations } from './connection/operations.ts'
import { jobOperations } from './job/operations.ts'
import { notifyOperations } from './notify.ts'
import { pluginOperations } from './plugin/operations.ts'
import { triggerOperations } from './trigger/operations.ts'
import { transferOperations } from './transfer-operations.ts'
import { versionOperations } from './version-operations.ts'
import { workflowOperations } from './workflow-operations.ts'
import type { AnyOperation } from '../operation/operation.ts'

/** Everything that can be done with workflows and their jobs. */
const allWorkflowOperations: readonly AnyOperation[] = [
  ...workflowOperations,
  ...versionOperations,
  ...transferOperations,
  ...jobOperations,
  ...connectionOperations,
  ...artifactOperations,
  ...triggerOperations,
  ...pluginOperations,
  ...notifyOperations,
]

export { allWorkflowOperations }
