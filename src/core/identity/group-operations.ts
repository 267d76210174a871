import { viewPage } from '../kernel/page.ts'
import { readablePage } from '../access/held.ts'
import { Closed, listMembers, Nullable, PageOf, Type } from '../kernel/schema.ts'
import { fault } from '../kernel/fault.ts'
import { userNamed } from '../access/subject.ts'
import { kinds } from '../resource/kind.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { emitGroup, Group, groupView, groupViews, refuseBuiltinGroup } from './group-view.ts'
import { checkName } from './names.ts'
import { viewerOf } from './principal.ts'
import { UserReference } from './user-fields.ts'
import { onlyAdministrators } from './user-rules.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const GroupReference = Type.String({ minLength: 1, maxLength: 700, description: 'Name, id, or `group:…`.' })
const target = { group: GroupReference }
const fields = {
  description: Type.Optional(Nullable(Type.String({ maxLength: 1000 }))),
  active: Type.Optional(Type.Boolean({ description: 'An inactive group grants nothing.' })),
  owner: Type.Optional(UserReference),
}

const audit = {
  subject: (input: { group?: string; name?: string }, output: { name: string } | undefined) =>
    `group:${output?.name ?? input.name ?? input.group ?? ''}`,
}

const create = defineOperation({
  name: 'group.create',
  summary: 'A new group of users, administered by its owner.',
  input: Closed({ name: Type.String({ minLength: 1, maxLength: 200 }), ...fields }),
  output: Group,
  access: { system: 'group.create' },
  subjects: {},
  example: { name: 'dev', description: 'The developers' },
  effect: 'write',
  audit,
  async run(ctx, input) {
    const owner = await ownerOf(ctx, input.owner)
    const name = checkName('group name', input.name)
    await refuseTakenName(ctx, name)
    const now = ctx.clock.now()
    const group = await ctx.db.resources.insert({
      id: ctx.ids.record(),
      kind: 'group',
      name,
      owner_id: owner,
      parent_id: null,
      private: false,
      active: input.active ?? true,
      state: '',
      spec: { description: input.description === undefined ? '' : input.description },
      created_at: now,
      updated_at: now,
    })
    const row = { resource_id: group.id, subject_kind: 'user' as const, extras: [], created_at: now }
    await ctx.db.grants.set({ ...row, subject_id: everyoneId, level: kinds.group.everyone })
    if (owner !== null) await ctx.db.grants.set({ ...row, subject_id: owner, level: 'admin' })
    emitGroup(ctx, group, 'created')
    return groupView(ctx, group)
  },
})

const get = defineOperation({
  name: 'group.get',
  summary: 'One group.',
  input: Closed(target),
  output: Group,
  access: 'signed-in',
  subjects: { group: subject('group', 'read', 'group') },
  example: { group: 'dev' },
  effect: 'read',
  audit: 'none',
  run: (ctx, _input, { group }) => groupView(ctx, group.row),
})

const list = defineOperation({
  name: 'group.list',
  summary: 'The groups that the caller may read, by name.',
  input: Closed({ search: Type.Optional(Type.String({ maxLength: 200 })), ...listMembers }),
  output: PageOf(Group),
  access: 'signed-in',
  subjects: {},
  example: {},
  effect: 'read',
  audit: 'none',
  run(ctx, input) {
    const filter = { kind: 'group', ...(input.search ? { search: input.search } : {}) } as const
    return viewPage(readablePage(ctx, filter, input), (rows) => groupViews(ctx, rows))
  },
})

const update = defineOperation({
  name: 'group.update',
  summary: 'Changes a group. Another owner gets no grant by that: rights on a group come from grants only.',
  input: Closed({ ...target, name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })), ...fields }),
  output: Group,
  access: 'signed-in',
  subjects: { group: subject('group', 'admin', 'group') },
  example: { group: 'dev', description: 'All developers' },
  effect: 'write',
  audit: {
    ...audit,
    detail: ({ name, active, owner }) => ({
      ...(name === undefined ? {} : { name }),
      ...(active === undefined ? {} : { active }),
      ...(owner === undefined ? {} : { owner }),
    }),
  },
  async run(ctx, input, { group: { row } }) {
    refuseBuiltinGroup(row)
    const patch = {
      ...(input.name === undefined || input.name === row.name ? {} : { name: checkName('group name', input.name) }),
      ...(input.active === undefined ? {} : { active: input.active }),
      ...(input.owner === undefined ? {} : { owner_id: (await userNamed(ctx, input.owner, 'owner')).id }),
      ...(input.description === undefined ? {} : { spec: { ...row.spec, description: input.description } }),
      updated_at: ctx.clock.now(),
    }
    if (patch.name !== undefined) await refuseTakenName(ctx, patch.name)
    await ctx.db.resources.update(row.id, patch)
    emitGroup(ctx, { ...row, ...patch }, 'updated')
    return groupView(ctx, { ...row, ...patch })
  },
})

const remove = defineOperation({
  name: 'group.delete',
  summary: 'Deletes a group that holds no grants any more; with `force` its grants go with it.',
  input: Closed({ ...target, force: Type.Optional(Type.Boolean()) }),
  output: Closed({ id: Type.String(), serial: Type.Integer(), name: Type.String() }),
  access: 'signed-in',
  subjects: { group: subject('group', 'admin', 'group') },
  example: { group: 'dev' },
  effect: 'write',
  audit,
  async run(ctx, input, { group: { row } }) {
    refuseBuiltinGroup(row)
    if (!input.force) await refuseHeldGrants(ctx, row)
    for (const member of await ctx.db.members.ofGroup(row.id)) await ctx.db.members.remove(row.id, member.id)
    await ctx.db.grants.removeSubject(row.id)
    await ctx.db.grants.removeResource(row.id)
    await ctx.db.resources.markDeleted(row.id, ctx.clock.now())
    emitGroup(ctx, row, 'deleted')
    return { id: row.id, serial: row.serial, name: row.name }
  },
})

const groupOperations: AnyOperation[] = [create, get, list, update, remove]

async function ownerOf(ctx: Ctx, reference: string | undefined): Promise<string | null> {
  // The server itself is no row that could own something.
  if (reference === undefined) return ctx.principal.kind === 'system' ? null : ctx.principal.id
  onlyAdministrators(ctx, 'group.create', ['owner'])
  return (await userNamed(ctx, reference, 'owner')).id
}

async function refuseTakenName(ctx: WriteCtx, name: string): Promise<void> {
  if (await ctx.db.resources.byName('group', name))
    throw fault('name_taken', { kind: 'group', name }, { private: { kind: 'group', reference: name } })
}

async function refuseHeldGrants(ctx: WriteCtx, group: ResourceRow): Promise<void> {
  const held = (await ctx.db.grants.ofSubject(group.id)).filter((grant) => grant.level !== 'none' || grant.extras.length > 0)
  if (held.length === 0) return
  const rows = await ctx.db.resources.byIds(held.map((grant) => grant.resource_id))
  // Names only of what the caller may see; the rest is a number.
  const names: string[] = held.map((grant) => grant.resource_id).filter((id) => ctx.principal.administrator && id.startsWith('kind:'))
  for (const row of rows.filter(({ deleted_at }) => deleted_at === null)) {
    const options = { need: 'read', ownerIsAdmin: row.owner_id === ctx.principal.id } as const
    if ((await ctx.db.resources.visible([row.id], viewerOf(ctx.principal), options)).has(row.id)) names.push(`${row.kind}:${row.name}`)
  }
  const others = held.length - names.length
  const by = `its grants on ${[...names.slice(0, 20), ...(others > 0 ? [`${others} other thing(s)`] : [])].join(', ')}`
  throw fault('in_use', { what: `The group "${group.name}"`, by }, { details: { resources: names, count: held.length } })
}

export { groupOperations }
