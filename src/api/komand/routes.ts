import { artifactRoutes } from './routes-artifact.ts'
import { connectorRoutes } from './routes-connector.ts'
import { eventRoutes } from './routes-event.ts'
import { jobRoutes } from './routes-job.ts'
import { sessionRoutes } from './routes-session.ts'
import { triggerRoutes } from './routes-trigger.ts'
import { userRoutes } from './routes-user.ts'
import { workflowRoutes } from './routes-workflow.ts'
import type { Route } from './route.ts'

/** Every route of the contract. */
export const routes: readonly Route[] = [
  ...sessionRoutes,
  ...workflowRoutes,
  ...eventRoutes,
  ...jobRoutes,
  ...triggerRoutes,
  ...connectorRoutes,
  ...userRoutes,
  ...artifactRoutes,
]
