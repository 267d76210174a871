import { holds } from '../access/find.ts'
import { atLeast } from '../kernel/level.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { viewerOf } from '../identity/principal.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { heldAmong } from '../access/held.ts'
import { RepositoryMember } from './inputs.ts'
import { storageOf } from './code.ts'
import { specOf } from './spec.ts'
import { everyRow } from './walk.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'

const deleteRepository = defineOperation({
  name: 'repository.delete',
  summary: 'Deletes a repository: its name is free at once, its storage is kept aside for some days.',
  description:
    'Its grants go with it. While it has forks it is refused, unless `forks` says to `detach` them (they stay, without a parent) or to `delete` them as well, which needs admin on each.',
  input: Closed({ repository: RepositoryMember, forks: Type.Optional(OneOf(['refuse', 'detach', 'delete'])) }),
  output: Closed({
    id: Type.String(),
    path: Type.String(),
    detached: Type.Array(Type.String(), { description: 'Paths of forks that lost their parent, as far as the caller may know them.' }),
    deleted: Type.Array(Type.String(), { description: 'Paths of forks that were deleted as well.' }),
    forks: Type.Integer({ description: 'How many forks were detached or deleted.' }),
  }),
  access: 'signed-in',
  subjects: { repository: subject('repository', 'admin', 'repository') },
  effect: 'act',
  audit: {
    subject: (input, output) => `repository:${output?.path ?? input.repository}`,
    detail: (input, output) => ({ forks: input.forks ?? 'refuse', deleted: output?.deleted ?? [], count: output?.forks ?? 0 }),
  },
  example: { repository: 'lab/weather' },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const mode = input.forks ?? 'refuse'
    const forks = await forksOf(ctx.db, row.id, { deep: mode === 'delete' })
    if (forks.length > 0 && mode === 'refuse') {
      const by = forks.length === 1 ? 'a fork' : `${forks.length} forks`
      throw fault('in_use', { what: `The repository "${row.name}"`, by }, { private: { kind: 'repository', reference: row.name, note: 'forks' } })
    }
    const readable = await readableOf(ctx, forks)
    if (mode === 'delete') await refuseForeign(ctx, forks)
    const gone = mode === 'delete' ? [row, ...forks] : [row]
    const output = {
      id: row.id,
      path: row.name,
      detached: mode === 'detach' ? readable : [],
      deleted: mode === 'delete' ? readable : [],
      forks: forks.length,
    }
    await ctx.write(async (inside) => {
      for (const { id } of gone) {
        // A new repository of this name must not bring the old grants back.
        await inside.db.grants.removeResource(id)
        await inside.db.webhooks.removeOf(id)
        await inside.db.resources.markDeleted(id, inside.clock.now())
      }
      return output
    })
    for (const lost of gone) {
      const { id, name } = lost
      ctx.emit({ kind: 'repository', id, name, state: 'deleted', resource_id: id })
      // The row is deleted, so nobody reaches the storage; if this fails the sweep of the next start does it.
      await storageOf(ctx.services, lost)
        .setAside(id)
        .catch((error: unknown) => ctx.log.warn('repository.not_set_aside', { repository: id, error }))
    }
    return output
  },
})

async function refuseForeign(ctx: Ctx, forks: readonly ResourceRow[]): Promise<void> {
  for (const fork of forks) {
    const level = await holds(ctx, fork)
    if (atLeast(level, 'admin')) continue
    const subject = level === 'none' ? 'a fork' : `repository:${fork.name}`
    throw fault(
      'forbidden',
      { operation: 'repository.delete', need: 'admin', subject },
      { private: { kind: 'repository', path: fork.name, note: 'forks' } },
    )
  }
}

async function readableOf(ctx: Ctx, forks: readonly ResourceRow[]): Promise<string[]> {
  if (forks.length === 0) return []
  const ids = forks.map(({ id }) => id)
  const seen = await heldAmong(ctx.db, { kind: 'repository', ids }, viewerOf(ctx.principal))
  return forks.filter(({ id }) => seen.has(id)).map(({ name }) => name)
}

// A fork that is made while this looks keeps its parent's id and shows no parent, which is what detaching means.
async function forksOf(db: Tables, id: string, options: { deep: boolean }): Promise<ResourceRow[]> {
  const children = new Map<string, ResourceRow[]>()
  for await (const row of everyRow(db, { kind: 'repository' })) {
    const parent = specOf(row).fork_of
    if (parent) children.set(parent, [...(children.get(parent) ?? []), row])
  }
  const found = [...(children.get(id) ?? [])]
  if (options.deep) for (const fork of found) found.push(...(children.get(fork.id) ?? []))
  return found
}

export { deleteRepository }
