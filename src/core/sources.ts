import { pipelineSource } from './deploy/pipeline-run.ts'
import { replicaSource } from './deploy/replica.ts'
import { taskSource } from './deploy/work.ts'
import { roundSource, workflowSource } from './workflow/job/source.ts'
import type { RunSource } from './run/source.ts'

/** Every kind of run. A new one is a line here. */
export const sources: readonly RunSource[] = [taskSource, pipelineSource, replicaSource, workflowSource, roundSource]
