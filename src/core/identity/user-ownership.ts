import { fault } from '../kernel/fault.ts'
import { kinds } from '../resource/kind.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ResourceRow, UserRow } from '../../ports/store/rows.ts'

const mostNamed = 20

/** Gives everything that a user owns to another; without another, refuses with what it is. To be called in the transaction that deletes the user. */
async function handOver(ctx: WriteCtx, from: UserRow, to: UserRow | null): Promise<void> {
  const owned = await ownedBy(ctx, from.id)
  if (owned.length === 0) return
  if (!to || to.id === from.id || to.kind === 'builtin') {
    const names = owned.slice(0, mostNamed).map((row) => `${row.kind}:${row.name}`)
    const more = owned.length > names.length ? ` and ${owned.length - names.length} more` : ''
    const params = { what: `The user "${from.name}"`, by: `what it owns (${names.join(', ')}${more}; or name a new_owner)` }
    throw fault('in_use', params, { details: { owns: names, count: owned.length } })
  }
  for (const row of owned) {
    await ctx.db.resources.update(row.id, { owner_id: to.id, updated_at: ctx.clock.now() })
    ctx.emit({ kind: row.kind, id: row.id, name: row.name, state: 'updated', resource_id: row.id })
  }
}

async function ownedBy(ctx: WriteCtx, ownerId: string): Promise<ResourceRow[]> {
  const owned: ResourceRow[] = []
  const all = { userId: ownerId, administrator: true }
  for (const kind of Object.keys(kinds)) {
    for (let after: readonly string[] | null = []; after !== null; ) {
      const request = { limit: 1000, after: after.length > 0 ? after : null }
      const page = await ctx.db.resources.page({ kind, ownerId }, all, { need: 'none', ownerIsAdmin: false }, request)
      owned.push(...page.items)
      const last = page.items.at(-1)
      after = page.next !== null && last ? [last.name] : null
    }
  }
  return owned
}

export { handOver }
