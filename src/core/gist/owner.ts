import { fault } from '../kernel/fault.ts'
import { parseReference } from '../access/reference.ts'
import type { Ctx } from '../operation/context.ts'
import type { UserRow } from '../../ports/store/rows.ts'

/** The id of the user whose gists are asked for, by exact name or id. Of one who is missing there are none: `not_found`. */
async function locateOwner(ctx: Ctx, owner: string): Promise<string> {
  return (await userNamed(ctx, owner)).id
}

/** The id of who shall own a new gist: the caller, or whom an administrator names. Anybody else's naming of another is `forbidden`. */
async function newOwner(ctx: Ctx, owner: string | undefined): Promise<string> {
  if (owner === undefined) return ctx.principal.id
  const context = { kind: 'user', reference: owner, member: 'owner' } as const
  const { id, name } = parseReference(owner, ['user'])
  if (id === ctx.principal.id || name === ctx.principal.name) return ctx.principal.id
  if (!ctx.principal.administrator) {
    throw fault('forbidden', { operation: 'gist.create', need: 'an administrator', subject: 'the owner' }, { private: context })
  }
  const user = await userNamed(ctx, owner)
  if (user.kind === 'builtin') throw missing(owner)
  return user.id
}

async function userNamed(ctx: Ctx, owner: string): Promise<UserRow> {
  const { id, name } = parseReference(owner, ['user'])
  const user = id ? await ctx.db.users.byId(id) : await ctx.db.users.byName(name ?? '')
  if (!user) throw missing(owner)
  return user
}

function missing(reference: string): Error {
  return fault('not_found', { kind: 'user', reference }, { private: { absence: 'missing', kind: 'user', reference, member: 'owner' } })
}

export { locateOwner, newOwner }
