import { find } from '../access/find.ts'
import { fault } from '../kernel/fault.ts'
import { viewPage } from '../kernel/page.ts'
import { readablePage } from '../access/held.ts'
import { Closed, listMembers, PageOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { kindOf } from '../resource/kind.ts'
import { grant, grantAtCreation, membersOf } from './grants.ts'
import { CopyMember, DescriptionMember, GroupMember, OwnerMember, PathMember } from './inputs.ts'
import { checkPath, parentPath } from './names.ts'
import { mayUseTopLevelForGroups, namedOwner, ownerOf, parentSubject, refuseTaken, sameParent, stillThere } from './place.ts'
import { moveGroup } from './move-group.ts'
import { groupSpecOf } from './spec.ts'
import { RepositoryGroup, viewGroups, viewOneGroup } from './view.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

export const createGroup = defineOperation({
  name: 'repository-group.create',
  summary: 'Makes a group of repositories and gives it.',
  description:
    'Inside another group this needs admin on that group, at the top level an administrator. Who makes it, or is named as owner, gets admin on it.',
  input: Closed({
    path: PathMember,
    description: Type.Optional(DescriptionMember),
    owner: Type.Optional(OwnerMember),
    copy_permissions: Type.Optional(CopyMember),
  }),
  output: RepositoryGroup,
  access: 'signed-in',
  subjects: { parent: parentSubject('admin') },
  effect: 'write',
  audit: { subject: (input) => `repository-group:${input.path}` },
  example: { path: 'lab' },
  async run(ctx, input, { parent }) {
    const { path } = input
    if (parentPath(path) === undefined) mayUseTopLevelForGroups(ctx, 'repository-group.create')
    const ownerId = await ownerOf(ctx, 'repository-group.create', input.owner)
    await refuseTaken(ctx.db, path)
    checkPath(path, 'group of repositories', ctx.services.settings)
    const group = parentPath(path) === undefined ? null : await sameParent(ctx.db, parent.row, path)
    const now = ctx.clock.now()
    const row = await ctx.db.resources.insert({
      id: ctx.ids.record(),
      kind: 'repository-group',
      name: path,
      owner_id: ownerId,
      parent_id: group?.id ?? null,
      private: false,
      active: true,
      state: 'ready',
      spec: { description: input.description ?? '' },
      created_at: now,
      updated_at: now,
    })
    await grantAtCreation(ctx, row, group, { copy: input.copy_permissions ?? true })
    await grantOwner(ctx, row, ownerId)
    ctx.emit({ kind: 'repository-group', id: row.id, name: path, state: 'created', resource_id: row.id })
    return viewOneGroup(ctx, row)
  },
})

export const getGroup = defineOperation({
  name: 'repository-group.get',
  summary: 'Gives one group of repositories.',
  input: Closed({ group: GroupMember }),
  output: RepositoryGroup,
  access: 'anyone',
  subjects: { group: subject('repository-group', 'read', 'group') },
  effect: 'read',
  audit: 'none',
  example: { group: 'lab' },
  run: (ctx, _, { group }) => viewOneGroup(ctx, group.row),
})

export const listGroups = defineOperation({
  name: 'repository-group.list',
  summary: 'Lists the groups of repositories that the caller may read, by path.',
  input: Closed({
    parent: Type.Optional(GroupMember),
    search: Type.Optional(Type.String({ maxLength: 300, description: 'Only paths that contain this, ignoring case.' })),
    ...listMembers,
  }),
  output: PageOf(RepositoryGroup),
  access: 'anyone',
  subjects: { parent: subject('repository-group', 'read', 'parent') },
  effect: 'read',
  audit: 'none',
  example: { limit: 20 },
  run(ctx, input, { parent }) {
    const filter = {
      kind: 'repository-group',
      ...(input.parent === undefined ? {} : { parentId: parent.row.id }),
      ...(input.search ? { search: input.search } : {}),
    } as const
    return viewPage(readablePage(ctx, filter, input), (rows) => viewGroups(ctx, rows))
  },
})

export const updateGroup = defineOperation({
  name: 'repository-group.update',
  summary: 'Changes a group of repositories and gives it as it is then.',
  description:
    'Another path renames or moves it with everything below, at once. Moving into another group needs admin on that group; a new name at the top level needs an administrator.',
  input: Closed({
    group: GroupMember,
    path: Type.Optional(PathMember),
    description: Type.Optional(DescriptionMember),
    owner: Type.Optional(OwnerMember),
  }),
  output: RepositoryGroup,
  access: 'signed-in',
  subjects: { group: subject('repository-group', 'admin', 'group') },
  effect: 'write',
  audit: {
    subject: (input, output) => `repository-group:${output?.path ?? input.group}`,
    detail: ({ group, path, owner }) => ({ group, ...(path === undefined ? {} : { path }), ...(owner === undefined ? {} : { owner }) }),
  },
  example: { group: 'lab', description: 'What the laboratory measures' },
  async run(ctx, input, { group }) {
    const { row } = group
    const owner = input.owner === undefined ? undefined : await namedOwner(ctx, 'repository-group.update', input.owner)
    if (input.path !== undefined && input.path !== row.name) await moveGroup(ctx, row, input.path, await newParent(ctx, row, input.path))
    await ctx.db.resources.update(row.id, {
      ...(owner === undefined ? {} : { owner_id: owner.id }),
      spec: { ...groupSpecOf(row), ...(input.description === undefined ? {} : { description: input.description }) },
      updated_at: ctx.clock.now(),
    })
    if (owner) await grantOwner(ctx, row, owner.id)
    const now = await stillThere(ctx.db, row, 'group')
    ctx.emit({ kind: 'repository-group', id: row.id, name: now.name, state: 'updated', resource_id: row.id })
    return viewOneGroup(ctx, now)
  },
})

export const deleteGroup = defineOperation({
  name: 'repository-group.delete',
  summary: 'Deletes a group of repositories that holds nothing any more.',
  input: Closed({ group: GroupMember }),
  output: Closed({ id: Type.String(), path: Type.String() }),
  access: 'signed-in',
  subjects: { group: subject('repository-group', 'admin', 'group') },
  effect: 'write',
  audit: { subject: (input, output) => `repository-group:${output?.path ?? input.group}` },
  example: { group: 'lab' },
  async run(ctx, _, { group }) {
    const { row } = group
    const children = await ctx.db.resources.countChildren(row.id)
    if (children > 0) throw stillUsed(row, `${children} repositories or groups in it`)
    await removeMembers(ctx, row)
    await ctx.db.grants.removeResource(row.id)
    await ctx.db.resources.markDeleted(row.id, ctx.clock.now())
    ctx.emit({ kind: 'repository-group', id: row.id, name: row.name, state: 'deleted', resource_id: row.id })
    return { id: row.id, path: row.name }
  },
})

// Its built-in group goes with it: else the users of the old organisation would be members of a new one of the same name.
async function removeMembers(ctx: WriteCtx, row: ResourceRow): Promise<void> {
  const members = await ctx.db.resources.byName('group', membersOf(row.name))
  if (!members) return
  const users = await ctx.db.members.ofGroup(members.id)
  if (users.length > 0) throw stillUsed(row, `${users.length} users, whose organisation it is`)
  await ctx.db.grants.removeSubject(members.id)
  await ctx.db.grants.removeResource(members.id)
  await ctx.db.resources.markDeleted(members.id, ctx.clock.now())
}

function stillUsed(row: ResourceRow, by: string) {
  return fault('in_use', { what: `The ${kindOf(row.kind).title} "${row.name}"`, by }, { private: { kind: row.kind, path: row.name } })
}

// Owning a group means nothing by itself (design §9), so its owner is granted what an owner needs; administrators need no row.
async function grantOwner(ctx: WriteCtx, row: ResourceRow, ownerId: string): Promise<void> {
  const owner = await ctx.db.users.byId(ownerId)
  if (owner && !owner.administrator) await grant(ctx, row.id, { id: owner.id, kind: 'user' }, 'admin')
}

async function newParent(ctx: WriteCtx, row: ResourceRow, path: string): Promise<ResourceRow | null> {
  const parent = parentPath(path)
  if (parent === undefined) {
    mayUseTopLevelForGroups(ctx, 'repository-group.update')
    return null
  }
  if (parent === parentPath(row.name)) return ctx.db.resources.byName('repository-group', parent)
  return (await find(ctx, { kind: 'repository-group', need: 'admin', member: 'path' }, parent, 'repository-group.update')).row
}
