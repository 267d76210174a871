import { pageRequest } from '../kernel/page.ts'
import { system, viewerOf } from '../identity/principal.ts'
import { workflowSpecOf } from './spec.ts'
import type { Services } from '../operation/services.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const dayMs = 24 * 3_600_000
const pageSize = 200

/** How long the ended jobs of some workflows are kept, where it is otherwise than for all. */
type JobRule = { readonly of: string; readonly days: number; readonly keep: number }

async function jobRules(services: Services): Promise<JobRule[]> {
  const { retention } = services.settings
  const rules: JobRule[] = []
  for await (const row of allWorkflows(services)) {
    const { keep_days: days, keep_jobs: keep } = workflowSpecOf(row)
    if (days !== null || keep !== null) rules.push({ of: row.id, days: days ?? retention.workflowDays, keep: keep ?? retention.keep })
  }
  return rules
}

/**
 * Removes drafts that another draft took the place of so long ago that no job of them is kept any more, one by one. A workflow with a job that has not ended
 * is left as it is: the job may be one of them.
 */
async function pruneDrafts(services: Services): Promise<number> {
  const { store, clock, settings, stopping } = services
  let removed = 0
  for await (const row of allWorkflows(services)) {
    if (stopping.aborted) break
    const { draft, published, keep_days: days } = workflowSpecOf(row)
    const before = clock.now() - ((days ?? settings.retention.workflowDays) + 1) * dayMs
    const versions = await store.reader.workflowVersions.ofWorkflow(row.id)
    const old = versions.filter(({ id, state }, index) => {
      // Newest first: the one before it in the list took its place.
      const next = versions[index - 1]
      return state === 'draft' && id !== draft && id !== published && next !== undefined && next.created_at < before
    })
    if (old.length === 0 || (await hasActiveJob(services, row.id))) continue
    for (const { id } of old) await store.write(({ workflowVersions }) => workflowVersions.delete(id))
    removed += old.length
  }
  return removed
}

async function hasActiveJob({ store }: Services, workflow: string): Promise<boolean> {
  const filter = { kinds: ['workflow'], resourceId: workflow, active: true }
  return (await store.reader.runs.page(filter, null, 'newest', { limit: 1, after: null })).items.length > 0
}

async function* allWorkflows({ store }: Services): AsyncGenerator<ResourceRow> {
  let after: readonly (string | number)[] | null = null
  do {
    const page = await store.reader.resources.page(
      { kind: 'workflow' },
      viewerOf(system),
      { need: 'none', ownerIsAdmin: true },
      { limit: pageSize, after },
    )
    yield* page.items
    after = positionOf(page.next)
  } while (after)
}

function positionOf(cursor: string | null): readonly (string | number)[] | null {
  return cursor === null ? null : pageRequest({ cursor }).after
}

export type { JobRule }
export { jobRules, pruneDrafts }
