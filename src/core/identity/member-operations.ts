import { readablePage } from '../access/held.ts'
import { Closed, listMembers, PageOf, Type } from '../kernel/schema.ts'
import { fault } from '../kernel/fault.ts'
import { userNamed } from '../access/subject.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { emitGroup, groupMembers, groupView, groupViews, refuseBuiltinGroup } from './group-view.ts'
import { UserSummary, userSummary } from './view.ts'
import { UserReference } from './user-fields.ts'
import type { AnyOperation } from '../operation/operation.ts'

const GroupReference = Type.String({ minLength: 1, maxLength: 700, description: 'Name, id, or `group:…`.' })
const input = Closed({ group: GroupReference, user: UserReference })
const output = Closed({ ...groupMembers, changed: Type.Boolean({ description: 'False when it was so before.' }) })
const audit = {
  subject: (given: { group: string }, made: { name: string } | undefined) => `group:${made?.name ?? given.group}`,
  detail: (given: { user: string }) => ({ user: given.user }),
}

const add = defineOperation({
  name: 'group.add-member',
  summary: 'Puts a user into a group.',
  input,
  output,
  access: 'signed-in',
  subjects: { group: subject('group', 'admin', 'group') },
  example: { group: 'dev', user: 'ann' },
  effect: 'write',
  audit,
  async run(ctx, { user: reference }, { group: { row } }) {
    refuseBuiltinGroup(row)
    const user = await userNamed(ctx, reference, 'user')
    if (user.kind === 'builtin')
      throw fault('state_conflict', { what: `The user "${user.name}"`, state: 'built in', next: 'Grant to everyone instead.' })
    const changed = await ctx.db.members.add(row.id, user.id, ctx.clock.now())
    emitGroup(ctx, row, 'updated')
    return { ...(await groupView(ctx, row)), changed }
  },
})

const remove = defineOperation({
  name: 'group.remove-member',
  summary: 'Takes a user out of a group.',
  input,
  output,
  access: 'signed-in',
  subjects: { group: subject('group', 'admin', 'group') },
  example: { group: 'dev', user: 'ann' },
  effect: 'write',
  audit,
  async run(ctx, { user: reference }, { group: { row } }) {
    refuseBuiltinGroup(row)
    const changed = await ctx.db.members.remove(row.id, (await userNamed(ctx, reference, 'user')).id)
    emitGroup(ctx, row, 'updated')
    return { ...(await groupView(ctx, row)), changed }
  },
})

const list = defineOperation({
  name: 'group.list-members',
  summary: 'The users of a group, by name.',
  input: Closed({ group: GroupReference }),
  output: Closed({ items: Type.Array(UserSummary), next: Type.Null() }),
  access: 'signed-in',
  subjects: { group: subject('group', 'read', 'group') },
  example: { group: 'dev' },
  effect: 'read',
  audit: 'none',
  async run(ctx, _input, { group }) {
    return { items: (await ctx.db.members.ofGroup(group.row.id)).map(userSummary), next: null }
  },
})

const listWithMembers = defineOperation({
  name: 'group.list-with-members',
  summary: 'The groups that the caller may read with the users of each, by name.',
  input: Closed(listMembers),
  output: PageOf(Closed({ ...groupMembers, members: Type.Array(UserSummary) })),
  access: 'signed-in',
  subjects: {},
  example: {},
  effect: 'read',
  audit: 'none',
  async run(ctx, given) {
    const page = await readablePage(ctx, { kind: 'group' }, given)
    const members = await ctx.db.members.ofGroups(page.items.map(({ id }) => id))
    const views = await groupViews(ctx, page.items)
    return { items: views.map((view) => ({ ...view, members: (members.get(view.id) ?? []).map(userSummary) })), next: page.next }
  },
})

const memberOperations: AnyOperation[] = [add, remove, list, listWithMembers]

export { memberOperations }
