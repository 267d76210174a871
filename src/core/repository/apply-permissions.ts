import { parseReference } from '../access/reference.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { GroupMember } from './inputs.ts'
import { rowsBelow } from './walk.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const applyPermissions = defineOperation({
  name: 'repository-group.apply-permissions',
  summary: 'Copies the grants of a group of repositories to everything below it, and says to how many.',
  description:
    'Grants do not inherit: this is how a change reaches what exists already. Without `to` all grants are copied and others on the children stay; with `to` only that one is, and where the group has none for it, it is taken away.',
  input: Closed({
    group: GroupMember,
    kinds: OneOf(['repositories', 'groups', 'both']),
    to: Type.Optional(Type.String({ maxLength: 300, description: '`user:…`, `group:…` or `everyone`.' })),
  }),
  output: Closed({ id: Type.String(), path: Type.String(), changed: Type.Integer() }),
  access: 'signed-in',
  subjects: { group: subject('repository-group', 'admin', 'group') },
  effect: 'write',
  audit: {
    subject: (input, output) => `repository-group:${output?.path ?? input.group}`,
    detail: ({ kinds, to }, output) => ({ kinds, changed: output?.changed ?? 0, ...(to === undefined ? {} : { to }) }),
  },
  example: { group: 'lab', kinds: 'both' },
  async run(ctx, input, { group }) {
    const { row } = group
    const only = input.to === undefined ? null : await subjectId(ctx, input.to)
    const kinds =
      input.kinds === 'repositories' ? ['repository'] : input.kinds === 'groups' ? ['repository-group'] : ['repository-group', 'repository']
    let changed = 0
    for (const kind of kinds) {
      for await (const child of rowsBelow(ctx.db, kind, row.name)) {
        await apply(ctx, row, child, only)
        changed++
      }
    }
    return { id: row.id, path: row.name, changed }
  },
})

async function apply(ctx: WriteCtx, from: ResourceRow, to: ResourceRow, only: string | null): Promise<void> {
  const { grants } = ctx.db
  const now = ctx.clock.now()
  if (only === null) return grants.copy(from.id, to.id, now)
  const grant = await grants.one(from.id, only)
  if (grant) await grants.set({ ...grant, resource_id: to.id, created_at: now })
  else await grants.remove(to.id, only)
}

async function subjectId(ctx: WriteCtx, reference: string): Promise<string> {
  if (reference === 'everyone') return everyoneId
  const { kind, id, name } = parseReference(reference, ['user', 'group'])
  const row = await (kind === 'user'
    ? id
      ? ctx.db.users.byId(id)
      : ctx.db.users.byName(name ?? '')
    : id
      ? ctx.db.resources.byId(id)
      : ctx.db.resources.byName('group', name ?? ''))
  if (row) return row.id
  throw fault('not_found', { kind, reference }, { private: { absence: 'missing', kind, reference, member: 'to' } })
}

export { applyPermissions }
