import { timestamp } from '../kernel/clock.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, Nullable, Time, Type } from '../kernel/schema.ts'
import { builtinGroupState } from './organisation.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const groupMembers = {
  id: Type.String(),
  serial: Type.Integer(),
  name: Type.String(),
  description: Nullable(Type.String()),
  active: Type.Boolean(),
  built_in: Type.Boolean({ description: 'Kept by the server itself: the users of an organisation.' }),
  owner: Nullable(Type.String()),
  owner_id: Nullable(Type.String()),
  created_at: Time,
  updated_at: Time,
}

/** A group of users. */
const Group = Closed(groupMembers)
type GroupView = Static<typeof Group>

async function groupView(ctx: Ctx, row: ResourceRow): Promise<GroupView> {
  const owner = row.owner_id === null ? null : await ctx.db.users.byId(row.owner_id)
  return viewOf(row, owner?.name ?? null)
}

async function groupViews(ctx: Ctx, rows: readonly ResourceRow[]): Promise<GroupView[]> {
  const owners = await ctx.db.users.byIds([...new Set(rows.map((row) => row.owner_id).filter((id) => id !== null))])
  const names = new Map(owners.map((owner) => [owner.id, owner.name]))
  return rows.map((row) => viewOf(row, names.get(row.owner_id ?? '') ?? null))
}

/** Refuses changes of a group that the server keeps itself. */
function refuseBuiltinGroup(row: ResourceRow): void {
  if (row.state !== builtinGroupState) return
  throw fault('state_conflict', {
    what: `The group "${row.name}"`,
    state: 'built in',
    next: 'It follows its users: change their organisation with user.update, or their role with role.assign.',
  })
}

// One that never had a member for it is empty; null was said.
function descriptionOf({ spec }: ResourceRow): string | null {
  return spec.description === null ? null : typeof spec.description === 'string' ? spec.description : ''
}

function emitGroup(ctx: Ctx, row: Pick<ResourceRow, 'id' | 'name'>, state: 'created' | 'updated' | 'deleted'): void {
  ctx.emit({ kind: 'group', id: row.id, name: row.name, state, resource_id: row.id })
}

function viewOf(row: ResourceRow, owner: string | null): GroupView {
  return {
    id: row.id,
    serial: row.serial,
    name: row.name,
    description: descriptionOf(row),
    active: row.active,
    built_in: row.state === builtinGroupState,
    owner,
    owner_id: row.owner_id,
    created_at: timestamp(row.created_at),
    updated_at: timestamp(row.updated_at),
  }
}

export type { GroupView }
export { groupMembers, Group, groupView, groupViews, refuseBuiltinGroup, emitGroup }
