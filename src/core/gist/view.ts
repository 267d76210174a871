import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, Time, Type } from '../kernel/schema.ts'
import { File } from './files.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { GistFile, GistRow } from '../../ports/store/gists.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const gistMembers = {
  id: Type.String(),
  serial: Type.Integer({ description: 'Its number, the same for ever.' }),
  access_id: Type.String({ description: 'What it is named by: its number when it is public, unguessable letters when it is private.' }),
  public: Type.Boolean(),
  description: Type.String(),
  url: Type.String(),
  owner: Nullable(Type.String()),
  revision: Type.Integer({ description: 'The number of its newest version.' }),
  created_at: Time,
  updated_at: Time,
  expires_at: Nullable(Time),
}

/** A gist as callers see it in lists. */
const Gist = Closed(gistMembers)

/** A gist with the files of one of its versions. */
const GistWithFiles = Closed({ ...gistMembers, shown: Type.Integer({ description: 'The version that the files are of.' }), files: Type.Array(File) })

type GistView = Static<typeof Gist>

/** Gists as callers see them, in the order of the rows. Reads what all of them need at once. */
async function viewGists(ctx: Ctx, rows: readonly ResourceRow[]): Promise<GistView[]> {
  if (rows.length === 0) return []
  const gists = new Map((await ctx.db.gists.byIds(rows.map(({ id }) => id))).map((gist) => [gist.id, gist]))
  const owners = await ctx.db.users.byIds([...new Set(rows.flatMap(({ owner_id }) => owner_id ?? []))])
  const names = new Map(owners.map(({ id, name }) => [id, name]))
  return rows.flatMap((row) => {
    const gist = gists.get(row.id)
    return gist ? view(ctx, row, gist, names.get(row.owner_id ?? '') ?? null) : []
  })
}

/** One gist as callers see it. */
async function viewGist(ctx: Ctx, row: ResourceRow): Promise<GistView> {
  const [seen] = await viewGists(ctx, [row])
  if (!seen) throw new Error('A gist has a row of its own')
  return seen
}

/** The files of a version; null when there is none of that number. */
async function filesOf(ctx: Ctx, gistId: string, number: number): Promise<GistFile[] | null> {
  const revision = await ctx.db.gists.revision(gistId, number)
  return revision?.files.map(({ name, text }) => ({ name, text })) ?? null
}

function view(ctx: Ctx, row: ResourceRow, gist: GistRow, owner: string | null): GistView {
  return {
    id: row.id,
    serial: row.serial,
    access_id: row.name,
    public: !row.private,
    description: gist.description,
    url: `${ctx.services.settings.publicUrl}/_admin/gists/${row.name}`,
    owner,
    revision: gist.revision,
    created_at: timestamp(row.created_at),
    updated_at: timestamp(row.updated_at),
    expires_at: timestamp(gist.expires_at),
  }
}

export type { GistView }
export { Gist, GistWithFiles, viewGists, viewGist, filesOf }
