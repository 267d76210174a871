import { holdsSystem } from '../access/system.ts'
import { parseReference } from '../access/reference.ts'
import { fault } from '../kernel/fault.ts'
import { kindOf } from '../resource/kind.ts'
import { parentPath } from './names.ts'
import { specOf } from './spec.ts'
import type { Level } from '../kernel/level.ts'
import type { Ctx } from '../operation/context.ts'
import type { SubjectRule } from '../operation/operation.ts'
import type { ResourceRow, UserRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** The group that a new thing goes into, as a subject of an operation whose input has a `path`: none at the top level. */
function parentSubject(need: Level): SubjectRule<{ path: string }, 'repository-group'> {
  return { kind: 'repository-group', need, member: 'path', reference: (input) => parentPath(input.path) }
}

/** Refuses callers who may not make repositories at the top level. */
async function mayUseTopLevel(ctx: Ctx, operation: string): Promise<void> {
  if (await holdsSystem(ctx, 'repository.create')) return
  const need = 'the system permission repository.create'
  throw fault('forbidden', { operation, need, subject: 'the top level' }, { private: { kind: 'system', member: 'path' } })
}

/** Refuses callers who are no administrators where a group of repositories would be made or renamed at the top level. */
function mayUseTopLevelForGroups(ctx: Ctx, operation: string): void {
  if (ctx.principal.administrator) return
  throw fault('forbidden', { operation, need: 'an administrator', subject: 'the top level' }, { private: { kind: 'system', member: 'path' } })
}

/** Who shall own it: the caller, or whom an administrator names. */
async function ownerOf(ctx: Ctx, operation: string, owner: string | undefined): Promise<string> {
  if (owner === undefined) return ctx.principal.id
  return (await namedOwner(ctx, operation, owner)).id
}

/** The user that an administrator names as owner. Everybody else is refused before the name is looked at. */
async function namedOwner(ctx: Ctx, operation: string, owner: string): Promise<UserRow> {
  const context = { kind: 'user', reference: owner, member: 'owner' } as const
  if (!ctx.principal.administrator) throw fault('forbidden', { operation, need: 'an administrator', subject: 'the owner' }, { private: context })
  const { id, name } = parseReference(owner, ['user'])
  const user = id ? await ctx.db.users.byId(id) : await ctx.db.users.byName(name ?? '')
  if (!user || user.kind === 'builtin') throw fault('not_found', { kind: 'user', reference: owner }, { private: { ...context, absence: 'missing' } })
  return user
}

/** Refuses a path that a repository or a group has already: the two cannot share one. */
async function refuseTaken(db: Tables, path: string): Promise<void> {
  for (const kind of ['repository', 'repository-group'] as const) {
    const taken = await db.resources.byName(kind, path)
    if (!taken) continue
    const note = kind === 'repository' && specOf(taken).fork_of !== null ? { note: 'fork' } : {}
    throw fault('name_taken', { kind: kindOf(kind).title, name: path }, { private: { kind, reference: path, member: 'path', path, ...note } })
  }
}

/** The group again, inside the transaction: it may have gone or moved since it was found. */
async function sameParent(db: Tables, parent: ResourceRow | undefined, path: string): Promise<ResourceRow | null> {
  if (!parent) return null
  const now = await db.resources.byId(parent.id)
  if (now && now.deleted_at === null && now.name === parentPath(path)) return now
  const context = { absence: 'missing', kind: 'repository-group', reference: parent.name, member: 'path' } as const
  throw fault('not_found', { kind: kindOf('repository-group').title, reference: parent.name }, { private: context })
}

/** The row of a subject again, inside the transaction, so that what is built on it is not of yesterday. */
async function stillThere(db: Tables, row: ResourceRow, member: string): Promise<ResourceRow> {
  const now = await db.resources.byId(row.id)
  if (now && now.deleted_at === null) return now
  const context = { absence: 'missing', kind: row.kind, reference: row.name, member } as const
  throw fault('not_found', { kind: kindOf(row.kind).title, reference: row.name }, { private: context })
}

export { parentSubject, mayUseTopLevel, mayUseTopLevelForGroups, ownerOf, namedOwner, refuseTaken, sameParent, stillThere }
