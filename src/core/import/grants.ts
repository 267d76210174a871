import { everyoneId, systemResourceId } from '../kernel/builtin.ts'
import { changed } from './run.ts'
import type { SourceGrant, SourceKind } from '../../ports/import-source.ts'
import type { GrantRow } from '../../ports/store/rows.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ImportRun, Item } from './run.ts'

type Holder = Pick<GrantRow, 'subject_id' | 'subject_kind'>

/** The grants on a thing, to those who are here. The strongest of several to the same subject counts, as it did there. */
async function grantRows(
  run: ImportRun,
  kind: SourceKind,
  item: Item,
  grants: readonly SourceGrant[],
): Promise<(Holder & Pick<GrantRow, 'level'>)[]> {
  const rows = new Map<string, Holder & Pick<GrantRow, 'level'>>()
  let lost = 0
  for (const grant of grants) {
    const holder = await holderOf(run, grant)
    if (holder === null) lost++
    else rows.set(holder.subject_id, { ...holder, level: grant.level })
  }
  if (lost > 0) changed(run, kind, item, `${lost} of its grants are left out: those whom they were for are not here`)
  return [...rows.values()]
}

async function holderOf(run: ImportRun, { to, id }: SourceGrant): Promise<Holder | null> {
  if (to === 'everyone') return { subject_id: everyoneId, subject_kind: 'user' }
  const brought = await run.ledger.find(to, id)
  return brought && { subject_id: brought.id, subject_kind: to }
}

/** Writes grants on a new thing. */
async function setGrants(ctx: WriteCtx, resourceId: string, rows: readonly (Holder & Pick<GrantRow, 'level'>)[]): Promise<void> {
  for (const row of rows) await ctx.db.grants.set({ ...row, resource_id: resourceId, extras: [], created_at: ctx.clock.now() })
}

/** Grants system permissions besides those that the subject has. */
async function addRights(ctx: WriteCtx, holder: Holder, rights: readonly string[]): Promise<void> {
  if (rights.length === 0) return
  const before = await ctx.db.grants.one(systemResourceId, holder.subject_id)
  await ctx.db.grants.set({
    ...holder,
    resource_id: systemResourceId,
    level: before?.level ?? 'read',
    extras: [...new Set([...(before?.extras ?? []), ...rights])].sort(),
    created_at: before?.created_at ?? ctx.clock.now(),
  })
}

export { grantRows, setGrants, addRights }
