import { viewerOf } from '../identity/principal.ts'
import { pageRequest } from '../kernel/page.ts'
import { kindOf, kinds } from '../resource/kind.ts'
import type { Level } from '../kernel/level.ts'
import type { Page } from '../kernel/page.ts'
import type { Ctx } from '../operation/context.ts'
import type { KindName } from '../resource/kind.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { ResourceFilter, Tables, Viewer } from '../../ports/store/tables.ts'

/** What a viewer holds on a resource: by grants, and as its owner where the kind is one whose owner holds everything. */
function heldOn(db: Tables, row: ResourceRow, viewer: Viewer): Promise<{ level: Level; extras: string[] }> {
  return db.resources.access(row, viewer, { ownerIsAdmin: kindOf(row.kind).ownerIsAdmin })
}

type Among = { readonly kind: KindName; readonly ids: readonly string[]; readonly need?: Level }

/** Those of some resources of one kind on which a viewer holds `need`: *read* when left out. */
function heldAmong(db: Tables, { kind, ids, need = 'read' }: Among, viewer: Viewer): Promise<Set<string>> {
  return db.resources.visible(ids, viewer, { need, ownerIsAdmin: kinds[kind].ownerIsAdmin })
}

/** A page of the resources of a kind that the caller may read, by name; `asked` is what a list takes. */
function readablePage(
  ctx: Ctx,
  filter: ResourceFilter & { readonly kind: KindName },
  asked: { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page<ResourceRow>> {
  const { ownerIsAdmin } = kinds[filter.kind]
  return ctx.db.resources.page(filter, viewerOf(ctx.principal), { need: 'read', ownerIsAdmin }, pageRequest(asked))
}

/** The resource of a kind and number, if the caller may read it; else null. */
async function readableBySerial(ctx: Ctx, kind: KindName, serial: number): Promise<ResourceRow | null> {
  const row = await ctx.db.resources.bySerial(kind, serial)
  if (!row || row.deleted_at !== null) return null
  return (await heldAmong(ctx.db, { kind, ids: [row.id] }, viewerOf(ctx.principal))).has(row.id) ? row : null
}

export { heldOn, heldAmong, readablePage, readableBySerial }
