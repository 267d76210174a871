import { find } from '../access/find.ts'
import { fault } from '../kernel/fault.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { levels } from '../kernel/level.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { branchRef } from './branch-name.ts'
import { storageOf } from './code.ts'
import { displayOf } from './create.ts'
import { keptRemote, mirrorStorageOf, namedRemote, transferMs, withRemote } from '../mirror/remote.ts'
import { setPullSchedule } from '../mirror/schedule-row.ts'
import { scheduleChanged } from '../run/schedule.ts'
import { grant } from './grants.ts'
import { PathMember, RepositoryMember, repositoryMembers } from './inputs.ts'
import { checkPath, parentPath } from './names.ts'
import { mayUseTopLevel, namedOwner, refuseTaken, sameParent, stillThere } from './place.ts'
import { patchedSpec, specOf } from './spec.ts'
import { onStorage } from './on-storage.ts'
import { Repository, viewOneRepository } from './view.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { RepositorySpec } from './spec.ts'

const EveryoneMember = OneOf(levels, { description: 'What everyone is granted from now on.' })

const updateRepository = defineOperation({
  name: 'repository.update',
  summary: 'Changes a repository and gives it as it is then.',
  description:
    'Another path renames or moves it: clones go on under the new path, and `_<serial>` stays the same. Moving into a group needs write on that group, to the top level the system permission repository.create.',
  input: Closed({ repository: RepositoryMember, path: Type.Optional(PathMember), ...repositoryMembers, everyone: Type.Optional(EveryoneMember) }),
  output: Repository,
  access: 'signed-in',
  subjects: { repository: subject('repository', 'admin', 'repository') },
  effect: 'act',
  deadlineMs: transferMs,
  secretMembers: ['clone_uri'],
  audit: {
    subject: (input, output) => `repository:${output?.path ?? input.repository}`,
    detail: ({ repository, description, clone_uri, ...given }, output) => ({
      repository,
      ...dropUndefined(given),
      ...(clone_uri === undefined ? {} : { clone_uri: output?.clone_uri ?? '' }),
      ...(description === undefined ? {} : { described: true }),
    }),
  },
  example: { repository: 'lab/weather', description: 'Forecasts of tomorrow' },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const path = input.path ?? row.name
    const parent = path === row.name ? undefined : await destination(ctx, row, path)
    const owner = input.owner === undefined ? undefined : await namedOwner(ctx, 'repository.update', input.owner)
    const remote = await remoteFor(ctx, row, input.clone_uri)
    if (path !== row.name) {
      await refuseTaken(ctx.db, path)
      checkPath(path, 'repository', ctx.services.settings)
    }
    const undoHead = input.default_branch === undefined ? null : await pointHead(ctx, row, input.default_branch)
    try {
      const view = await ctx.write(async (inside) => {
        const now = await stillThere(inside.db, row, 'repository')
        if (path !== row.name) await refuseTaken(inside.db, path)
        const group = path === row.name ? undefined : await sameParent(inside.db, parent, path)
        await inside.db.resources.update(row.id, {
          ...(path === row.name ? {} : { name: path, parent_id: group?.id ?? null }),
          ...(input.private === undefined ? {} : { private: input.private }),
          ...(owner === undefined ? {} : { owner_id: owner.id }),
          spec: patchedSpec(now, {
            ...(input.description === undefined ? {} : { description: input.description }),
            ...(input.default_branch === undefined ? {} : { default_branch: input.default_branch }),
            ...displayOf(input),
            ...remote,
          }),
          updated_at: inside.clock.now(),
        })
        if (input.pull_schedule !== undefined) await setPullSchedule(inside, row, input.pull_schedule)
        if (input.everyone !== undefined) await grant(inside, row.id, { id: everyoneId, kind: 'user' }, input.everyone)
        return viewOneRepository(inside, await stillThere(inside.db, row, 'repository'))
      })
      if (input.pull_schedule !== undefined) scheduleChanged(ctx.services.store)
      ctx.emit({ kind: 'repository', id: row.id, name: view.path, state: 'updated', resource_id: row.id })
      return view
    } catch (error) {
      await undoHead?.()
      throw error
    }
  },
})

/** What changes about where it is copied from. An address is asked before it is kept; sent back as it is shown, it stays what it was. */
async function remoteFor(ctx: Ctx, row: ResourceRow, given: string | undefined): Promise<Partial<RepositorySpec>> {
  const { kind, clone_uri } = specOf(row)
  if (given === undefined || given === clone_uri) return {}
  // Empty and not null: that there was one and is none any more is shown (Kallithea contract §3.4).
  if (given === '') return { clone_uri: '', clone_sealed: null, pull_error: null }
  const storage = mirrorStorageOf(ctx.services, kind)
  const address = namedRemote(ctx, row, given, 'repository.update')
  await withRemote(ctx, address, (remote) => onStorage(ctx, row, () => storage.probe(remote, { signal: ctx.signal })))
  return { ...keptRemote(ctx, row.id, address), pull_error: null }
}

// A new name inside the same group needs nothing but admin on the repository; at the top level a new name is like a new repository.
async function destination(ctx: Ctx, row: ResourceRow, path: string): Promise<ResourceRow | undefined> {
  const parent = parentPath(path)
  if (parent === undefined) {
    await mayUseTopLevel(ctx, 'repository.update')
    return undefined
  }
  if (parent === parentPath(row.name)) return (await ctx.db.resources.byName('repository-group', parent)) ?? undefined
  return (await find(ctx, { kind: 'repository-group', need: 'write', member: 'path' }, parent, 'repository.update')).row
}

/** Points HEAD at a branch that is there (any, while there are none), and gives what puts it back. */
async function pointHead(ctx: Ctx, row: ResourceRow, branch: string): Promise<() => Promise<void>> {
  const storage = storageOf(ctx.services, row)
  const ref = branchRef(branch)
  return onStorage(ctx, row, async () => {
    const refs = await storage.refs(row.id)
    const branches = [...refs.keys()].filter((name) => name.startsWith('refs/heads/'))
    if (branches.length > 0 && !branches.includes(ref)) {
      throw fault(
        'not_found',
        { kind: 'branch', reference: branch },
        { private: { absence: 'missing', kind: 'branch', reference: branch, member: 'default_branch' } },
      )
    }
    const before = await storage.head(row.id)
    await storage.setHead(row.id, ref)
    return () => storage.setHead(row.id, before).catch((error: unknown) => ctx.log.warn('repository.head_left', { repository: row.id, error }))
  })
}

function dropUndefined<T extends object>(given: T) {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

export { updateRepository }
