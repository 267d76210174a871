import { firstAdministrator } from '../identity/first-administrator.ts'
import { isFault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { factsOf } from './after-push.ts'
import { branchName } from './branch-name.ts'
import { storageOf, storageOfKind } from './code.ts'
import { grantAtCreation } from './grants.ts'
import { checkPath, parentPath } from './names.ts'
import { onStorage } from './on-storage.ts'
import { refuseTaken } from './place.ts'
import { freshSpec } from './spec.ts'
import { discardStorage } from './storage.ts'
import { everyRow } from './walk.ts'
import type { Found } from '../../ports/incoming.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'

const hourMs = 60 * 60 * 1000

const rescanRepositories = defineOperation({
  name: 'repository.rescan',
  summary: 'Takes in repositories that were put below the folder `incoming`, and says which of ours have lost their storage.',
  description:
    'What lies at `<data>/incoming/<path>` becomes the repository `<path>` of the first administrator, with groups as they are missing; its hooks and configuration stay behind. With `remove_missing` repositories without storage are deleted.',
  input: Closed({ remove_missing: Type.Optional(Type.Boolean()) }),
  output: Closed({ added: Type.Array(Type.String()), removed: Type.Array(Type.String()) }),
  access: 'administrator',
  subjects: {},
  effect: 'act',
  deadlineMs: hourMs,
  audit: {
    subject: () => 'repositories',
    subjectId: () => null,
    detail: ({ remove_missing }, output) => ({
      remove_missing: remove_missing ?? false,
      ...(output ? { added: output.added, removed: output.removed } : {}),
    }),
  },
  example: {},
  async run(ctx, input) {
    const added: string[] = []
    const list = await ctx.services.incoming.list()
    const owner = list.length > 0 ? await firstAdministrator(ctx.db) : null
    for (const found of list) if (await takeIn(ctx, found, owner?.id ?? null)) added.push(found.path)
    const lost: ResourceRow[] = []
    for await (const row of everyRow(ctx.db, { kind: 'repository' })) if (!(await storageOf(ctx.services, row).exists(row.id))) lost.push(row)
    const output = { added, removed: lost.map(({ name }) => name) }
    await ctx.write(async (inside) => {
      if (!input.remove_missing) return output
      for (const { id } of lost) {
        await inside.db.grants.removeResource(id)
        await inside.db.resources.markDeleted(id, inside.clock.now())
      }
      return output
    })
    return output
  },
})

// One that cannot be taken in stays where it is, and does not keep the others from it.
async function takeIn(ctx: Ctx, found: Found, ownerId: string | null): Promise<boolean> {
  const id = ctx.ids.record()
  try {
    checkPath(found.path, 'repository', ctx.services.settings)
    await refuseTaken(ctx.db, found.path)
    const storage = storageOfKind(ctx.services, found.kind)
    const row = rowOf(ctx, id, { ...found, ownerId })
    const { head, ...facts } = await onStorage(ctx, row, async () => {
      await storage.adopt(id, found.folder)
      return factsOf(ctx.services, row)
    })
    // Not the operation's own commit: that is made when all is done.
    await ctx.services.store.write(async (tables) => {
      const inside = { ...ctx, db: tables, writing: true } as WriteCtx
      await refuseTaken(tables, found.path)
      const parent = await groupsFor(inside, parentPath(found.path), ownerId)
      // The next number of its kind, not the one that stands for none in a row that is not stored yet.
      const { serial: _, ...unstored } = row
      const made = await tables.resources.insert({
        ...unstored,
        parent_id: parent?.id ?? null,
        spec: { ...row.spec, ...facts, default_branch: branchName(head) },
      })
      await grantAtCreation(inside, made, parent, { copy: true })
      if (ownerId !== null) await tables.followers.add(id, ownerId, ctx.clock.now())
    })
    ctx.emit({ kind: 'repository', id, name: found.path, state: 'created', resource_id: id })
    await ctx.services.incoming.taken(found, id)
    return true
  } catch (error) {
    ctx.log.warn('repository.not_taken_in', { path: found.path, ...(isFault(error) ? { code: error.code } : { error }) })
    await discardUnlessKept(ctx, id)
    return false
  }
}

async function discardUnlessKept(ctx: Ctx, id: string): Promise<void> {
  if ((await ctx.db.resources.byId(id)) === null) await discardStorage(ctx, id)
}

function rowOf(ctx: Ctx, id: string, { path, kind, ownerId }: Found & { readonly ownerId: string | null }): ResourceRow {
  const now = ctx.clock.now()
  return {
    id,
    kind: 'repository',
    serial: 0,
    name: path,
    owner_id: ownerId,
    parent_id: null,
    private: false,
    active: true,
    state: 'ready',
    spec: freshSpec({ kind }),
    version: 1,
    created_at: now,
    updated_at: now,
    deleted_at: null,
  }
}

/** The group of a path, made with all above it where they are missing. */
async function groupsFor(ctx: WriteCtx, path: string | undefined, ownerId: string | null): Promise<ResourceRow | null> {
  if (path === undefined) return null
  const known = await ctx.db.resources.byName('repository-group', path)
  if (known) return known
  await refuseTaken(ctx.db, path)
  const parent = await groupsFor(ctx, parentPath(path), ownerId)
  const now = ctx.clock.now()
  const made = await ctx.db.resources.insert({
    id: ctx.ids.record(),
    kind: 'repository-group',
    name: path,
    owner_id: ownerId,
    parent_id: parent?.id ?? null,
    private: false,
    active: true,
    state: 'ready',
    spec: { description: '' },
    created_at: now,
    updated_at: now,
  })
  await grantAtCreation(ctx, made, parent, { copy: true })
  return made
}

export { rescanRepositories }
