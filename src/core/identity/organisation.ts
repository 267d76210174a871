import { fault } from '../kernel/fault.ts'
import { membersOf } from '../repository/grants.ts'
import { everyoneId } from '../kernel/builtin.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** The state of groups that the server keeps itself. */
const builtinGroupState = 'builtin'

/**
 * The built-in group `members:<organisation>` of the users of a group of repositories, made when it is first asked for. Then it also gets *read* on the
 * repositories that are in the group already, as if it had been there when they were made.
 */
async function membersGroup(ctx: WriteCtx, organisation: ResourceRow): Promise<ResourceRow> {
  const { resources, grants } = ctx.db
  const name = membersOf(organisation.name)
  const known = await resources.byName('group', name)
  if (known) return known
  const now = ctx.clock.now()
  const group = await resources.insert({
    id: ctx.ids.record(),
    kind: 'group',
    name,
    owner_id: null,
    parent_id: null,
    private: false,
    active: true,
    state: builtinGroupState,
    spec: { description: `The users of the organisation ${organisation.name}.` },
    created_at: now,
    updated_at: now,
  })
  await grants.set({ resource_id: group.id, subject_id: everyoneId, subject_kind: 'user', level: 'read', extras: [], created_at: now })
  for (const repository of await childrenOf(ctx, organisation)) {
    if (await grants.one(repository.id, group.id)) continue
    await grants.set({ resource_id: repository.id, subject_id: group.id, subject_kind: 'group', level: 'read', extras: [], created_at: now })
  }
  return group
}

/** Puts a user into an organisation ('' for none) and out of the one before: membership of the built-in groups follows. */
async function moveToOrganisation(ctx: WriteCtx, userId: string, from: string, to: string): Promise<void> {
  if (from === to) return
  const left = from === '' ? null : await ctx.db.resources.byName('group', membersOf(from))
  if (left) await ctx.db.members.remove(left.id, userId)
  if (to === '') return
  const group = await membersGroup(ctx, await organisationNamed(ctx, to))
  await ctx.db.members.add(group.id, userId, ctx.clock.now())
}

/** The group of repositories that an organisation is, or `not_found`. */
async function organisationNamed(ctx: WriteCtx, path: string): Promise<ResourceRow> {
  const row = await ctx.db.resources.byName('repository-group', path)
  if (row) return row
  const context = { absence: 'missing', kind: 'repository-group', reference: path, member: 'organisation' } as const
  throw fault('not_found', { kind: 'group of repositories', reference: path }, { private: context })
}

/** The organisation of users for whom none is said: the configured one, once there is such a group of repositories. */
async function defaultOrganisation(ctx: WriteCtx): Promise<string> {
  const path = ctx.services.settings.defaultOrganisation
  return path !== '' && (await ctx.db.resources.byName('repository-group', path)) ? path : ''
}

/** Follows a group of repositories that was renamed: its users and its built-in group take the new path. To be called in the transaction of the move. */
async function renameOrganisation(ctx: WriteCtx, from: string, to: string): Promise<void> {
  const group = await ctx.db.resources.byName('group', membersOf(from))
  if (!group) return
  const now = ctx.clock.now()
  for (const user of await ctx.db.members.ofGroup(group.id)) await ctx.db.users.update(user.id, { organisation: to, updated_at: now })
  await ctx.db.resources.update(group.id, { name: membersOf(to), updated_at: now })
}

async function childrenOf(ctx: WriteCtx, organisation: ResourceRow): Promise<ResourceRow[]> {
  const children: ResourceRow[] = []
  const all = { userId: everyoneId, administrator: true }
  for (let after: readonly (string | number)[] | null = null; ; ) {
    const filter = { kind: 'repository', parentId: organisation.id }
    const page = await ctx.db.resources.page(filter, all, { need: 'none', ownerIsAdmin: false }, { limit: 1000, after })
    children.push(...page.items)
    if (page.next === null) return children
    after = [children.at(-1)?.name ?? '']
  }
}

export { builtinGroupState, membersGroup, moveToOrganisation, defaultOrganisation, renameOrganisation }
