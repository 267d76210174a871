import { parseRemote } from '../mirror/address.ts'
import { keptRemote } from '../mirror/remote.ts'
import { factsOf } from '../repository/after-push.ts'
import { branchName } from '../repository/branch-name.ts'
import { storageOfKind } from '../repository/code.ts'
import { checkPath, lastSegment, parentPath } from '../repository/names.ts'
import { refuseTaken } from '../repository/place.ts'
import { freshSpec, patchedSpec, specOf } from '../repository/spec.ts'
import { discardStorage } from '../repository/storage.ts'
import { isFault } from '../kernel/fault.ts'
import { grantRows, setGrants } from './grants.ts'
import { ownerFor } from './people.ts'
import { bring, changed, commit, NotBrought, pretendName, serialFor, write } from './run.ts'
import type { SourceRepository, SourceRepositoryGroup } from '../../ports/import-source.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { RepositorySpec } from '../repository/spec.ts'
import type { ImportRun, Item } from './run.ts'

/** Brings the groups of repositories, those above before those in them, whatever their numbers are. */
async function bringRepositoryGroups(run: ImportRun): Promise<void> {
  const tried = new Set<number>()
  for (let before = -1; before < tried.size; ) {
    before = tried.size
    for await (const group of run.source.repositoryGroups()) {
      const { id, parent } = group
      if (tried.has(id) || (parent !== null && !tried.has(parent))) continue
      tried.add(id)
      await bring(run, 'repository-group', named(group), () => bringGroup(run, group))
    }
  }
  for await (const group of run.source.repositoryGroups()) {
    if (tried.has(group.id)) continue
    await bring(run, 'repository-group', named(group), () => Promise.reject(new NotBrought('it is not below any group that is there')))
  }
}

function named<T extends { readonly path: string }>(from: T): T & { readonly name: string } {
  return { ...from, name: from.path }
}

async function bringGroup(run: ImportRun, from: SourceRepositoryGroup): Promise<void> {
  const { ctx } = run
  const path = await placeOf(run, 'repository-group', from.path, from.parent)
  const item = named(from)
  const id = ctx.ids.record()
  const owner_id = await ownerFor(run, 'repository-group', item)
  const grants = await grantRows(run, 'repository-group', item, from.grants)
  const serial = await serialFor(
    run,
    'repository-group',
    item,
    async (wanted) => (await ctx.db.resources.bySerial('repository-group', wanted)) !== null,
  )
  await commit(run, 'repository-group', from.id, { id, serial, name: path }, async (inside) => {
    await refuseTaken(inside.db, path)
    await inside.db.resources.insert({
      ...{ id, kind: 'repository-group', serial, name: path, owner_id, parent_id: (await parentOf(inside.db, path))?.id ?? null },
      ...{ private: false, active: true, state: 'ready' },
      spec: { description: from.description },
      created_at: from.created_at,
      updated_at: from.created_at,
    })
    await setGrants(inside, id, grants)
  })
}

// Below its group as that is called here, unless the operator says another path.
async function placeOf(run: ImportRun, kind: 'repository' | 'repository-group', pathThere: string, groupThere: number | null): Promise<string> {
  const group = groupThere === null ? null : await run.ledger.find('repository-group', groupThere)
  if (groupThere !== null && !group) throw new NotBrought('the group that it is in is not here')
  const own = group ? `${group.name}/${lastSegment(pathThere)}` : pathThere
  const path = run.options.names.get(`${kind}:${pathThere}`) ?? own
  checkPath(path, kind === 'repository' ? 'repository' : 'group of repositories', run.ctx.services.settings)
  const again = `Call it something else with --rename ${kind}:${pathThere}=<path>`
  try {
    await refuseTaken(run.ctx.db, path)
  } catch (error) {
    if (isFault(error, 'name_taken')) throw new NotBrought(`its path is taken here. ${again}`, { cause: error })
    throw error
  }
  if (parentPath(path) !== undefined && !run.options.dryRun && !(await parentOf(run.ctx.db, path))) {
    throw new NotBrought(`there is no group ${parentPath(path)} here. Make it first`)
  }
  if (!pretendName(run, `path:${path}`)) throw new NotBrought(`its path is taken here. ${again}`)
  return path
}

function parentOf(db: ImportRun['ctx']['db'], path: string): Promise<ResourceRow | null> {
  const parent = parentPath(path)
  return parent === undefined ? Promise.resolve(null) : db.resources.byName('repository-group', parent)
}

/** Brings the repositories: a copy of their storage first, and then the row; then which is a fork of which. */
async function bringRepositories(run: ImportRun): Promise<void> {
  for await (const from of run.source.repositories()) await bring(run, 'repository', named(from), () => bringRepository(run, from))
  for await (const from of run.source.repositories()) if (from.fork_of !== null) await bringFork(run, named(from), from.fork_of)
}

async function bringRepository(run: ImportRun, from: SourceRepository): Promise<void> {
  const { ctx } = run
  const item = named(from)
  const kind = kindOf(run, from)
  const path = await placeOf(run, 'repository', from.path, from.group)
  const id = ctx.ids.record()
  const spec = freshSpec({ kind, ...shown(run, item), ...remoteOf(run, item, id) })
  const row: ResourceRow = {
    ...{ id, kind: 'repository', serial: 0, name: path, owner_id: null, parent_id: null, private: from.private, active: true, state: 'ready' },
    ...{ spec, version: 1, created_at: from.created_at, updated_at: from.updated_at, deleted_at: null },
  }
  const facts = await copyStorage(run, from, row)
  try {
    const owner_id = await ownerFor(run, 'repository', item)
    const grants = await grantRows(run, 'repository', item, from.grants)
    const serial = await serialFor(run, 'repository', item, async (wanted) => (await ctx.db.resources.bySerial('repository', wanted)) !== null)
    const followers = await followersOf(run, from)
    await commit(run, 'repository', from.id, { id, serial, name: path }, async (inside) => {
      await refuseTaken(inside.db, path)
      const parent_id = (await parentOf(inside.db, path))?.id ?? null
      await inside.db.resources.insert({ ...row, serial, owner_id, parent_id, spec: { ...spec, ...facts } })
      await setGrants(inside, id, grants)
      for (const follower of followers) await inside.db.followers.add(id, follower, from.created_at)
    })
  } catch (error) {
    // A kill leaves the storage as well; the next start of the server, or of an import, removes what no row stands for.
    if (!run.options.dryRun && (await ctx.db.resources.byId(id)) === null) await discardStorage(ctx, id)
    throw error
  }
}

function kindOf({ ctx }: ImportRun, { kind }: SourceRepository): RepositorySpec['kind'] {
  if (kind !== 'git' && kind !== 'hg') throw new NotBrought(`its kind is "${kind.slice(0, 20)}", which is neither git nor hg`)
  const missing = kind === 'hg' ? ctx.services.hg.missing : null
  if (missing !== null) throw new NotBrought(`Mercurial repositories cannot be kept here: ${missing}`)
  return kind
}

async function copyStorage(run: ImportRun, from: SourceRepository, row: ResourceRow): Promise<Partial<RepositorySpec>> {
  const { services } = run.ctx
  const held = await run.source.storage(from)
  try {
    if (run.options.dryRun) return {}
    await storageOfKind(services, specOf(row).kind).adopt(row.id, held.folder)
  } finally {
    await held.close()
  }
  try {
    const { head, ...facts } = await factsOf(services, row)
    return { ...facts, default_branch: branchName(head) }
  } catch (error) {
    await discardStorage(run.ctx, row.id)
    throw error
  }
}

type Named = SourceRepository & Item

function shown(run: ImportRun, from: Named): Partial<RepositorySpec> {
  const { description, statistics, downloads } = from
  const fits = /^[a-z]+:.+$/.test(from.landing_revision) && from.landing_revision.length <= 300
  if (!fits) changed(run, 'repository', from, 'its landing revision cannot be read, and is the newest commit now')
  return { description, statistics, downloads, ...(fits && { landing_revision: from.landing_revision }) }
}

function remoteOf(run: ImportRun, from: Named, id: string): Partial<RepositorySpec> {
  if (from.clone_uri === null) return {}
  try {
    return keptRemote(run.ctx, id, parseRemote(from.clone_uri, 'import'))
  } catch (error) {
    if (!isFault(error)) throw error
    changed(run, 'repository', from, 'the address that it is a mirror of is left out: only http and https ones are used here')
    return {}
  }
}

async function followersOf(run: ImportRun, from: SourceRepository): Promise<Set<string>> {
  const ids = new Set<string>()
  for (const follower of from.followers) {
    const user = await run.ledger.find('user', follower)
    if (user) ids.add(user.id)
  }
  return ids
}

async function bringFork(run: ImportRun, from: Item, parentThere: number): Promise<void> {
  const [child, parent] = [await run.ledger.find('repository', from.id), await run.ledger.find('repository', parentThere)]
  if (!child) return
  if (!parent) return changed(run, 'repository', from, 'it is no fork here: what it is a fork of was not brought')
  if (run.options.dryRun) return
  const row = await run.ctx.db.resources.byId(child.id)
  if (!row || row.deleted_at !== null || specOf(row).fork_of !== null) return
  await write(run, async (inside) => {
    const now = await inside.db.resources.byId(child.id)
    if (now) await inside.db.resources.update(child.id, { spec: patchedSpec(now, { fork_of: parent.id }) })
  })
}

export { bringRepositoryGroups, bringRepositories }
