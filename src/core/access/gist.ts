import { atLeast } from '../kernel/level.ts'
import { viewerOf } from '../identity/principal.ts'
import { heldOn } from './held.ts'
import { resourceAt } from './row.ts'
import type { Level } from '../kernel/level.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Reference } from './reference.ts'

/**
 * The gist of a reference and what the caller holds on it. The letters that a private one is named by are its key: who names it by them may read it
 * (Kallithea contract §9). One that has expired is none, for everybody.
 */
async function gistHeld(ctx: Ctx, reference: Reference): Promise<{ row: ResourceRow; level: Level; extras: readonly string[] } | null> {
  const row = await resourceAt(ctx.db, reference)
  if (!row) return null
  const gist = await ctx.db.gists.byId(row.id)
  if (!gist || (gist.expires_at !== null && gist.expires_at <= ctx.clock.now())) return null
  const { level, extras } = await heldOn(ctx.db, row, viewerOf(ctx.principal))
  const byItsLetters = row.private && reference.name === row.name
  return { row, level: byItsLetters && !atLeast(level, 'read') ? 'read' : level, extras }
}

export { gistHeld }
