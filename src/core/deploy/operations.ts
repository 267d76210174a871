import { namespaceOperations } from './namespace-operations.ts'
import { pipelineOperations } from './pipeline-operations.ts'
import { taskOperations } from './task-operations.ts'
import type { AnyOperation } from '../operation/operation.ts'

/** Everything that can be done with tasks, pipelines and namespaces. */
const deployOperations: readonly AnyOperation[] = [...taskOperations, ...pipelineOperations, ...namespaceOperations]

export { deployOperations }
