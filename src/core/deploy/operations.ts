import { startOccurrence } from './cron-occurrence.ts'
import { loadingOperations } from './loading-operations.ts'
import { namespaceOperations } from './namespace-operations.ts'
import { pipelineOperations } from './pipeline-operations.ts'
import { taskOperations } from './task-operations.ts'
import { templateOperations } from './template-operations.ts'
import { admit } from './admit.ts'
import type { AnyOperation } from '../operation/operation.ts'

/** Everything that can be done with tasks, pipelines and namespaces. */
const deployOperations: readonly AnyOperation[] = [
  ...taskOperations,
  admit,
  ...pipelineOperations,
  ...namespaceOperations,
  startOccurrence,
  ...loadingOperations,
  ...templateOperations,
]

export { deployOperations }
