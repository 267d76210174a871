import { fault } from '../kernel/fault.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { parseReference } from './reference.ts'
import { resourceAt } from './row.ts'
import type { SubjectKind, UserRow } from '../../ports/store/rows.ts'
import type { Ctx } from '../operation/context.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** Who a grant is for. `reference` is how it is written: `user:ann`, `group:dev`, `everyone`. */
type GrantSubject = { readonly kind: SubjectKind; readonly id: string; readonly reference: string }

const kinds = ['user', 'group'] as const

/**
 * The subject that a reference names: `everyone`, `user:…` or `group:…`. Whoever administers a thing may name any user or group exactly, also ones that
 * a list would not show.
 */
async function grantSubject(ctx: Ctx, reference: string, member: string): Promise<GrantSubject> {
  if (reference === 'everyone') return { kind: 'user', id: everyoneId, reference }
  const parsed = parseReference(reference, kinds)
  if (parsed.kind === 'user') return ofUser(await userNamed(ctx, reference, member))
  const row = await resourceAt(ctx.db, parsed)
  if (!row) throw missing('group', reference, member)
  return { kind: 'group', id: row.id, reference: `group:${row.name}` }
}

/** The user that a reference names exactly, whoever asks. For callers that were found to administer something. */
async function userNamed(ctx: Ctx, reference: string, member: string): Promise<UserRow> {
  const parsed = parseReference(reference, ['user'])
  const row = parsed.id ? await ctx.db.users.byId(parsed.id) : await ctx.db.users.byLogin(parsed.name ?? '')
  if (!row) throw missing('user', reference, member)
  return row
}

/** How the subjects of grants are written; null for one that is gone. */
async function subjectReferences(
  tables: Tables,
  rows: readonly { subject_id: string; subject_kind: SubjectKind }[],
): Promise<(id: string) => string | null> {
  const users = await tables.users.byIds(rows.filter((row) => row.subject_kind === 'user').map((row) => row.subject_id))
  const groups = await tables.resources.byIds(rows.filter((row) => row.subject_kind === 'group').map((row) => row.subject_id))
  const known = new Map<string, string>([
    ...users.map((row) => [row.id, ofUser(row).reference] as const),
    ...groups.filter((row) => row.deleted_at === null).map((row) => [row.id, `group:${row.name}`] as const),
  ])
  return (id) => known.get(id) ?? null
}

function ofUser(row: UserRow): GrantSubject {
  return { kind: 'user', id: row.id, reference: row.id === everyoneId ? 'everyone' : `user:${row.name}` }
}

function missing(kind: string, reference: string, member: string): Error {
  return fault('not_found', { kind, reference }, { private: { absence: 'missing', kind, reference, member } })
}

export type { GrantSubject }
export { grantSubject, userNamed, subjectReferences }
