import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { heldAmong } from '../access/held.ts'
import { viewerOf } from '../identity/principal.ts'
import { lastSegment, parentPath } from './names.ts'
import { groupSpecOf, specOf } from './spec.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const CommitSummary = Closed({
  id: Type.String(),
  message: Type.String(),
  author_name: Type.String(),
  author_email: Type.String(),
  at: Time,
  revision: Type.Optional(Type.Integer({ description: 'Its number among all commits, from 0.' })),
})

/** A repository as callers see it. */
const Repository = Closed({
  id: Type.String(),
  serial: Type.Integer({ description: 'Stays the same for ever; `_<serial>` stands for the path in git addresses.' }),
  path: Type.String(),
  name: Type.String({ description: 'The last segment of the path.' }),
  group: Nullable(Type.String({ description: 'The path of the group that it is in; null at the top level.' })),
  kind: OneOf(['git', 'hg']),
  private: Type.Boolean({ description: 'While true, what is granted to everyone does not count.' }),
  description: Type.String(),
  clone_url: Type.String(),
  default_branch: Type.String(),
  owner: Nullable(Type.String()),
  owner_id: Nullable(Type.String()),
  fork_of: Nullable(Type.String({ description: 'The path of the repository that it was forked from, if the caller may read that.' })),
  state: Type.String(),
  size: Nullable(Type.Integer({ description: 'Bytes on disk after the last push.' })),
  last_commit: Nullable(CommitSummary),
  landing_revision: Type.String(),
  statistics: Type.Boolean(),
  downloads: Type.Boolean(),
  created_at: Time,
  updated_at: Time,
  pushed_at: Nullable(Time),
  clone_uri: Nullable(Type.String({ description: 'The address that it is a copy of; what could be a secret is `*****`.' })),
  pulled_at: Nullable(Time),
  pull_error: Nullable(Type.String({ description: 'Why the last pull from there failed.' })),
})
type RepositoryView = Static<typeof Repository>

/** A group of repositories as callers see it. */
const RepositoryGroup = Closed({
  id: Type.String(),
  serial: Type.Integer(),
  path: Type.String(),
  name: Type.String({ description: 'The last segment of the path.' }),
  parent: Nullable(Type.String({ description: 'The path of the group that it is in; null at the top level.' })),
  description: Type.String(),
  owner: Nullable(Type.String()),
  owner_id: Nullable(Type.String()),
  created_at: Time,
  updated_at: Time,
})
type RepositoryGroupView = Static<typeof RepositoryGroup>

/** Repositories as the caller may see them. Reads what all of them need at once. */
async function viewRepositories(ctx: Ctx, rows: readonly ResourceRow[]): Promise<RepositoryView[]> {
  const names = await namesOf(ctx, rows)
  return rows.map((row) => viewRepository(ctx, row, names))
}

/** One repository as the caller may see it. */
async function viewOneRepository(ctx: Ctx, row: ResourceRow): Promise<RepositoryView> {
  return viewRepository(ctx, row, await namesOf(ctx, [row]))
}

type Names = { readonly owners: ReadonlyMap<string, string>; readonly parents: ReadonlyMap<string, string> }

/** What views of these repositories take from other rows, as far as the caller may see it. */
async function namesOf(ctx: Ctx, rows: readonly ResourceRow[]): Promise<Names> {
  return { owners: await ownerNames(ctx, rows), parents: await readableForkParents(ctx, rows) }
}

/** One repository with those names. */
function viewRepository(ctx: Ctx, row: ResourceRow, { owners, parents }: Names): RepositoryView {
  const spec = specOf(row)
  const { last_commit } = spec
  return {
    ...common(row, owners),
    group: parentPath(row.name) ?? null,
    kind: spec.kind,
    private: row.private,
    description: spec.description,
    clone_url: `${ctx.services.settings.publicUrl}/${row.name.split('/').map(encodeURIComponent).join('/')}`,
    default_branch: spec.default_branch,
    fork_of: (spec.fork_of && parents.get(spec.fork_of)) ?? null,
    state: row.state,
    size: spec.size,
    last_commit: last_commit ? { ...last_commit, at: time(last_commit.at) } : null,
    landing_revision: spec.landing_revision,
    statistics: spec.statistics,
    downloads: spec.downloads,
    pushed_at: timestamp(spec.pushed_at),
    clone_uri: spec.clone_uri,
    pulled_at: timestamp(spec.pulled_at),
    pull_error: spec.pull_error,
  }
}

/** Groups of repositories as the caller may see them. */
async function viewGroups(ctx: Ctx, rows: readonly ResourceRow[]): Promise<RepositoryGroupView[]> {
  const owners = await ownerNames(ctx, rows)
  return rows.map((row) => viewGroup(row, owners))
}

/** One group of repositories. */
async function viewOneGroup(ctx: Ctx, row: ResourceRow): Promise<RepositoryGroupView> {
  return viewGroup(row, await ownerNames(ctx, [row]))
}

function viewGroup(row: ResourceRow, owners: ReadonlyMap<string, string>): RepositoryGroupView {
  return { ...common(row, owners), parent: parentPath(row.name) ?? null, description: groupSpecOf(row).description }
}

function common(row: ResourceRow, owners: ReadonlyMap<string, string>) {
  return {
    id: row.id,
    serial: row.serial,
    path: row.name,
    name: lastSegment(row.name),
    owner: (row.owner_id && owners.get(row.owner_id)) || null,
    owner_id: row.owner_id,
    created_at: time(row.created_at),
    updated_at: time(row.updated_at),
  }
}

function time(ms: number): string {
  return timestamp(ms)
}

async function ownerNames(ctx: Ctx, rows: readonly ResourceRow[]): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(rows.flatMap((row) => row.owner_id ?? []))]
  const users = ids.length > 0 ? await ctx.db.users.byIds(ids) : []
  return new Map(users.map((user) => [user.id, user.name]))
}

// The path of a parent that the caller may not read would tell of it.
async function readableForkParents(ctx: Ctx, rows: readonly ResourceRow[]): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(rows.flatMap(({ spec }) => (typeof spec.fork_of === 'string' ? spec.fork_of : [])))]
  if (ids.length === 0) return new Map()
  const seen = await heldAmong(ctx.db, { kind: 'repository', ids }, viewerOf(ctx.principal))
  const parents = await ctx.db.resources.byIds([...seen])
  return new Map(parents.map((parent) => [parent.id, parent.name]))
}

export type { Names, RepositoryView, RepositoryGroupView }
export { Repository, RepositoryGroup, namesOf, viewRepository, viewRepositories, viewOneRepository, viewGroups, viewOneGroup }
