import { isJsonObject, memberOf, textMember, textsMember } from './document/members.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** What is special to a workflow, kept as the `spec` of its resource. */
type WorkflowSpec = {
  readonly description: string
  readonly type: 'normal' | 'snippet'
  readonly tags: readonly string[]
  /** The version that was published last; it runs while the workflow is active. */
  readonly published: string | null
  readonly draft: string | null
  readonly active: boolean
  readonly updated_by: string
  /** How long ended jobs are kept, where it is otherwise than for all; null: as for all. */
  readonly keep_days: number | null
  readonly keep_jobs: number | null
}

type WorkflowStatus = 'active' | 'inactive' | 'draft'

function workflowSpecOf({ spec }: Pick<ResourceRow, 'spec'>): WorkflowSpec {
  const id = (name: string) => textMember(spec, name) || null
  const count = (name: string) => {
    const value = memberOf(spec, name)
    return typeof value === 'number' ? value : null
  }
  return {
    description: textMember(spec, 'description'),
    type: textMember(spec, 'type') === 'snippet' ? 'snippet' : 'normal',
    tags: textsMember(spec, 'tags'),
    published: id('published'),
    draft: id('draft'),
    active: memberOf(spec, 'active') === true,
    updated_by: textMember(spec, 'updated_by'),
    keep_days: count('keep_days'),
    keep_jobs: count('keep_jobs'),
  }
}

/** `draft`: it was never activated. */
function statusOf(spec: WorkflowSpec): WorkflowStatus {
  return spec.active ? 'active' : spec.published === null ? 'draft' : 'inactive'
}

function storedSpec(spec: WorkflowSpec): JsonObject {
  return { ...spec, tags: [...spec.tags] }
}

/** What a run of kind `workflow` keeps as its `spec`. */
type JobSpec = {
  readonly version_id: string
  /** `active`: of the published version; `test`: of a draft. */
  readonly type: 'active' | 'test'
  /** The first job of a family of re-runs. */
  readonly group_id: string
  /** The trigger that started it; '' when it was started by hand. */
  readonly trigger_id: string
  readonly marks: JobMarks
}

/** What people say about a job; none of it changes how it ended. */
type JobMarks = {
  readonly retried?: true
  readonly dismissed?: true
  readonly owned_by?: number | null
  readonly viewed_by?: number | null
  readonly investigation?: string
}

function jobSpecOf(spec: JsonObject): JobSpec {
  const marks = memberOf(spec, 'marks')
  return {
    version_id: textMember(spec, 'version_id'),
    type: textMember(spec, 'type') === 'test' ? 'test' : 'active',
    group_id: textMember(spec, 'group_id'),
    trigger_id: textMember(spec, 'trigger_id'),
    marks: isJsonObject(marks) ? (marks as JobMarks) : {}, // written by us only
  }
}

export type { WorkflowSpec, WorkflowStatus, JobSpec, JobMarks }
export { workflowSpecOf, statusOf, storedSpec, jobSpecOf }
