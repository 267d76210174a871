import { uuid } from './decode.ts'
import { started } from './routes-job.ts'
import type { Doing, Route } from './route.ts'

const workflowOf = ({ parameters }: Doing) => uuid(parameters.workflow_uid, 'workflow')

/** What starts jobs (contract §6, §17). The members of a body are variables, whatever they are called. */
const eventRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/v2/workflows/:workflow_uid/events',
    gone: true,
    body: 'object',
    operations: ['workflow.run'],
    async does(doing) {
      const run = await doing.invoke<{ id: string }>('workflow.run', { workflow: workflowOf(doing), message: doing.body })
      return started(doing, run.id)
    },
  },
  {
    method: 'POST',
    path: '/v2/workflows/:workflow_uid/test',
    permission: 'WORKFLOW_MODIFY',
    body: 'object',
    operations: ['workflow.test'],
    async does(doing) {
      const run = await doing.invoke<{ id: string }>('workflow.test', { workflow: workflowOf(doing), message: doing.body })
      return started(doing, run.id)
    },
  },
]

export { eventRoutes }
