import { timestamp } from '../../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../../kernel/schema.ts'
import { memberOf } from '../document/members.ts'
import { activeOf } from './queue.ts'
import { triggerOf } from './model.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Static } from '../../kernel/schema.ts'
import type { Ctx } from '../../operation/context.ts'
import type { TriggerEventRow, WorkflowTriggerRow } from '../../../ports/store/workflows.ts'

const TriggerView = Closed({
  id: Type.String(),
  name: Type.String(),
  type: Type.String({ description: 'What it does; a type that nothing here does is kept as the file has it.' }),
  settings: Type.Unsafe<JsonObject>({ type: 'object', description: 'What its type needs, in the members of the file or call that it came from.' }),
  api_schema: Type.Unknown(),
  api_variables: Type.Unknown(),
  require_auth: Type.Boolean(),
  status: OneOf(['active', 'inactive'], { description: '`active`: at least one active workflow is bound to it.' }),
  workflows: Type.Array(Type.String(), { description: 'Ids of the active workflows that it starts.' }),
  last_error: Nullable(Type.String()),
  created_at: Time,
  updated_at: Time,
})

const TriggerEventView = Closed({
  id: Type.String(),
  workflow: Type.String(),
  state: OneOf(['waiting', 'started', 'refused']),
  attempts: Type.Integer(),
  job: Nullable(Type.String()),
  error: Nullable(Type.String()),
  created_at: Time,
  finished_at: Nullable(Time),
})

/** A trigger as callers see it: never with a secret. */
async function viewTrigger(ctx: Ctx, row: WorkflowTriggerRow): Promise<Static<typeof TriggerView>> {
  const workflows = (await activeOf(ctx.db, row.id)).map(({ id }) => id)
  const { type } = triggerOf(row)
  return {
    id: row.id,
    name: row.name,
    type: type === 'unknown' ? row.type : type,
    settings: row.spec,
    api_schema: memberOf(row.spec, 'api_schema') ?? memberOf(row.spec, 'outputJsonSchema') ?? null,
    api_variables: memberOf(row.spec, 'api_variables') ?? null,
    require_auth: row.require_auth,
    status: workflows.length > 0 ? 'active' : 'inactive',
    workflows,
    last_error: row.last_error,
    created_at: timestamp(row.created_at),
    updated_at: timestamp(row.updated_at),
  }
}

function viewEvent(row: TriggerEventRow): Static<typeof TriggerEventView> {
  return {
    id: row.id,
    workflow: row.workflow_id,
    state: row.state,
    attempts: row.attempt,
    job: row.job_id,
    error: row.error,
    created_at: timestamp(row.created_at),
    finished_at: timestamp(row.finished_at),
  }
}

export { TriggerView, TriggerEventView, viewTrigger, viewEvent }
