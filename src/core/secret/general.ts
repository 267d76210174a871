import type { WriteCtx } from '../operation/context.ts'

/*
 * A secret of everywhere is a thing of the kind `secret`, named as the secret: so that *execute* on it can be granted (`grant.set` on `secret:<name>`),
 * listed and taken back as on anything else. The values themselves are rows of the secret table; the resource holds none.
 */

/** Makes the thing that a general secret's grants are on, when there is none. */
async function reserveGeneral(ctx: WriteCtx, name: string): Promise<void> {
  if (await ctx.db.resources.byName('secret', name)) return
  const now = ctx.clock.now()
  await ctx.db.resources.insert({
    id: ctx.ids.record(),
    kind: 'secret',
    name,
    owner_id: null,
    parent_id: null,
    private: false,
    active: true,
    state: '',
    spec: {},
    created_at: now,
    updated_at: now,
  })
}

/** Takes the thing and its grants away once the last key of a general secret is gone: a later secret of the name begins without grants. */
async function releaseGeneral(ctx: WriteCtx, name: string): Promise<void> {
  const left = (await ctx.db.secrets.ofScopes([''])).some((row) => row.name === name)
  const row = left ? null : await ctx.db.resources.byName('secret', name)
  if (!row) return
  await ctx.db.grants.removeResource(row.id)
  await ctx.db.resources.markDeleted(row.id, ctx.clock.now())
}

export { reserveGeneral, releaseGeneral }
