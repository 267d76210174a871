import { timestamp } from '../kernel/clock.ts'
import { objectLabels } from './labels.ts'
import { unreplicated, unscheduled } from './task-view.ts'
import { workloadOf } from './workload.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { TaskView } from './task-view.ts'

/** A deployment or service as callers see it. `gatewayUrl` is null while there is no gateway. */
function workloadTask(row: ResourceRow, gatewayUrl: string | null): TaskView {
  const { replicas, status } = workloadOf(row)
  return {
    ...accepted(row),
    state: status.state,
    reason: status.reason,
    message: status.message,
    attempt: status.state === 'queued' ? 0 : 1,
    exit_code: status.exit_code,
    replicas,
    // While one generation takes over from another there are more for a moment.
    ready_replicas: Math.min(replicas, status.ready.length),
    address: addressOf(row, gatewayUrl),
    started_at: timestamp(status.started_at),
  }
}

/** A deployment or service as it was when it was accepted: the answer of a deploy. */
function acceptedWorkload(row: ResourceRow): TaskView {
  return { ...accepted(row), replicas: workloadOf(row).replicas, ready_replicas: 0 }
}

function accepted(row: ResourceRow): TaskView {
  const spec = workloadOf(row)
  const { repository, directory, branch, commit, image, labels } = spec.plan.spec
  return {
    id: row.id,
    name: spec.name,
    namespace: spec.namespace,
    type: spec.type,
    generation: spec.generation,
    ...{ repository, directory, branch, commit, image },
    labels: objectLabels(row.id, { labels }),
    ...{ state: 'queued', reason: null, message: null, deleted: false, attempt: 0, max_attempts: 1, exit_code: null },
    ...{ schedule: '', pipeline_id: null, cronjob: null, started_at: null, finished_at: null },
    ...unscheduled,
    ...unreplicated,
    created_by: spec.created_by,
    created_at: timestamp(row.created_at),
  }
}

function addressOf(row: ResourceRow, gatewayUrl: string | null): TaskView['address'] {
  const { type, status, container_port, published } = workloadOf(row)
  if (type !== 'service') return null
  const listening = status.ready.find((replica) => replica.port !== null)?.port ?? null
  return {
    port: listening ?? container_port ?? 80,
    container_port: container_port ?? 80,
    internal_url: listening === null ? '' : `http://127.0.0.1:${listening}`,
    url: published && gatewayUrl !== null ? gatewayUrl + published.prefix : null,
    published,
  }
}

export { workloadTask, acceptedWorkload }
