import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { unreplicated, unscheduled } from './task-view.ts'
import { workloadOf } from './workload.ts'
import type { Static } from '../kernel/schema.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { TaskView } from './task-view.ts'

const common = {
  id: Type.String(),
  name: Type.String(),
  namespace: Type.String(),
  state: OneOf(['queued', 'starting', 'running', 'degraded']),
  reason: Nullable(Type.String()),
  labels: Type.Unsafe<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } }),
  image: Nullable(Type.String()),
  generation: Type.Integer(),
  repository: Type.String(),
  directory: Type.String(),
  branch: Type.String(),
  commit: Nullable(Type.String()),
  created_by: Type.String(),
  created_at: Time,
}

const Deployment = Closed({
  ...common,
  replicas: Type.Integer({ description: 'Instances that are wanted.' }),
  ready_replicas: Type.Integer(),
  service: Nullable(Type.String({ description: 'The service that it belongs to, if it was not deployed on its own.' })),
})
type DeploymentView = Static<typeof Deployment>

const PublishedView = Closed({
  access: Nullable(Type.String()),
  prefix: Type.String(),
  rewrite: Type.String(),
  timeout_ms: Type.Integer(),
  sticky_sessions: Type.Boolean(),
  bypass_auth: Type.Boolean(),
})

const Service = Closed({
  ...common,
  deployment: Type.String(),
  port: Type.Integer({ description: 'The port that callers inside use.' }),
  container_port: Type.Integer(),
  internal_url: Type.String({ description: 'Where an instance answers, for callers on the same machine; empty while none does.' }),
  url: Nullable(Type.String({ description: 'Its public address at the gateway.' })),
  published: Nullable(PublishedView),
})
type ServiceView = Static<typeof Service>

function about(row: ResourceRow) {
  const spec = workloadOf(row)
  const { repository, directory, branch, commit, image, labels } = spec.plan.spec
  return {
    id: row.id,
    name: spec.name,
    namespace: spec.namespace,
    generation: spec.generation,
    ...{ repository, directory, branch, commit, image, labels },
    created_by: spec.created_by,
    created_at: timestamp(row.created_at) as string, // it has a time
  }
}

/** A deployment or service as the task that was deployed. */
function workloadTask(row: ResourceRow): TaskView {
  const { type, replicas, status } = workloadOf(row)
  return {
    ...accepted(row),
    type,
    state: status.state,
    reason: status.reason,
    message: status.message,
    attempt: status.state === 'queued' ? 0 : 1,
    exit_code: status.exit_code,
    replicas,
    ready_replicas: readyOf(row),
    started_at: timestamp(status.started_at),
  }
}

/** A deployment or service as it was when it was accepted: the answer of a deploy. */
function acceptedWorkload(row: ResourceRow): TaskView {
  return { ...accepted(row), replicas: workloadOf(row).replicas, ready_replicas: 0 }
}

function accepted(row: ResourceRow): TaskView {
  return {
    ...about(row),
    type: workloadOf(row).type,
    ...{ state: 'queued', reason: null, message: null, deleted: false, attempt: 0, max_attempts: 1, exit_code: null },
    ...{ schedule: '', pipeline_id: null, cronjob: null, started_at: null, finished_at: null },
    ...unscheduled,
    ...unreplicated,
  }
}

// While one generation takes over from another there are more for a moment.
function readyOf(row: ResourceRow): number {
  const { replicas, status } = workloadOf(row)
  return Math.min(replicas, status.ready.length)
}

/** A deployment as lists show it; the one of a service too. */
function deploymentView(row: ResourceRow): DeploymentView {
  const { type, name, replicas, status } = workloadOf(row)
  return {
    ...about(row),
    ...{ state: status.state, reason: status.reason, replicas, ready_replicas: readyOf(row) },
    service: type === 'service' ? name : null,
  }
}

/** A service as lists show it. `gatewayUrl` is null while there is no gateway. */
function serviceView(row: ResourceRow, gatewayUrl: string | null): ServiceView {
  const { name, status, container_port, published } = workloadOf(row)
  const port = status.ready.find((replica) => replica.port !== null)?.port ?? container_port ?? 80
  return {
    ...about(row),
    ...{ state: status.state, reason: status.reason, deployment: name, port, container_port: container_port ?? 80, published },
    internal_url: status.ready.length > 0 ? `http://127.0.0.1:${port}` : '',
    url: published && gatewayUrl !== null ? gatewayUrl + published.prefix : null,
  }
}

export type { DeploymentView, ServiceView }
export { Deployment, Service, workloadTask, acceptedWorkload, deploymentView, serviceView }
