import { atLeast } from '../kernel/level.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { kindOf } from '../resource/kind.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { GrantRow, ResourceRow } from '../../ports/store/rows.ts'
import type { Level } from '../kernel/level.ts'

/**
 * Writes the grants that a new repository or group begins with: those of the group it is in when `copy` says so, else one for everyone: `everyone`, or
 * the default of the kind.
 * The members of an organisation get *read* on what is made directly in its group (design §12, "Git organisation").
 */
async function grantAtCreation(
  ctx: WriteCtx,
  made: ResourceRow,
  parent: ResourceRow | null,
  options: { copy: boolean; everyone?: Level | undefined },
): Promise<void> {
  const everyone = options.everyone ?? kindOf(made.kind).everyone
  if (parent && options.copy) await ctx.db.grants.copy(parent.id, made.id, ctx.clock.now())
  else if (everyone) await grant(ctx, made.id, { id: everyoneId, kind: 'user' }, everyone)
  if (parent && made.kind === 'repository') await grantMembers(ctx, made, parent)
}

async function grantMembers(ctx: WriteCtx, made: ResourceRow, parent: ResourceRow): Promise<void> {
  const members = await ctx.db.resources.byName('group', membersOf(parent.name))
  if (!members) return
  const copied = await ctx.db.grants.one(made.id, members.id)
  if (copied && atLeast(copied.level, 'read')) return
  await grant(ctx, made.id, { id: members.id, kind: 'group' }, 'read')
}

/** The name of the built-in group of the users of an organisation. */
function membersOf(organisation: string): string {
  return `members:${organisation}`
}

/** Gives a subject a level on a resource, in place of what it had. */
async function grant(ctx: WriteCtx, resourceId: string, to: { id: string; kind: GrantRow['subject_kind'] }, level: Level): Promise<void> {
  await ctx.db.grants.set({ resource_id: resourceId, subject_id: to.id, subject_kind: to.kind, level, extras: [], created_at: ctx.clock.now() })
}

export { grantAtCreation, membersOf, grant }
