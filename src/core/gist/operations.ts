import { fault } from '../kernel/fault.ts'
import { viewerOf } from '../identity/principal.ts'
import { locateOwner } from './owner.ts'
import { pageRequest, viewPage } from '../kernel/page.ts'
import { Closed, listMembers, Nullable, PageOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { createGist } from './create.ts'
import { expiryOf, LifetimeMember } from './expiry.ts'
import { checkFiles, FilesMember } from './files.ts'
import { filesOf, Gist, GistWithFiles, viewGist, viewGists } from './view.ts'
import type { AnyOperation } from '../operation/operation.ts'

const keptRevisions = 20

const GistMember = Type.String({ maxLength: 300, description: 'Access id, or id; `_<number>` for what the caller may read anyway.' })
const example = { gist: '7' }
const auditSubject = { subject: (input: { gist: string }) => `gist:${input.gist}` }

const getGist = defineOperation({
  name: 'gist.get',
  summary: 'Gives a gist with the files of its newest version, or of another one.',
  description: 'Who has the letters of a private gist may read it. One that has expired is not found.',
  input: Closed({ gist: GistMember, revision: Type.Optional(Type.Integer({ minimum: 1 })) }),
  output: GistWithFiles,
  access: 'anyone',
  subjects: { gist: subject('gist', 'read', 'gist') },
  effect: 'read',
  audit: 'none',
  example,
  async run(ctx, { revision }, { gist }) {
    const view = await viewGist(ctx, gist.row)
    const shown = revision ?? view.revision
    const files = await filesOf(ctx, gist.row.id, shown)
    if (!files) {
      const context = { absence: 'missing', kind: 'revision', reference: String(shown), member: 'revision' } as const
      throw fault('not_found', { kind: 'revision', reference: String(shown) }, { private: context })
    }
    return { ...view, shown, files }
  },
})

const describeGist = defineOperation({
  name: 'gist.describe',
  summary: 'Gives a gist that the caller administers, without its files.',
  description: "Others' gists are refused, public ones as well: for APIs in which only one's own are there.",
  input: Closed({ gist: GistMember }),
  output: Gist,
  access: 'signed-in',
  subjects: { gist: subject('gist', 'admin', 'gist') },
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, _, { gist }) => viewGist(ctx, gist.row),
})

const listGists = defineOperation({
  name: 'gist.list',
  summary: 'Lists gists, newest first: public ones and those of the caller; all for administrators.',
  input: Closed({ owner: Type.Optional(Type.String({ maxLength: 300, description: 'Only those of this user.' })), ...listMembers }),
  output: PageOf(Gist),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { owner: 'ann' },
  async run(ctx, input) {
    const owner = input.owner === undefined ? {} : { ownerId: await locateOwner(ctx, input.owner) }
    const page = ctx.db.gists.page({ ...owner, now: ctx.clock.now() }, viewerOf(ctx.principal), pageRequest(input))
    return viewPage(page, (rows) => viewGists(ctx, rows))
  },
})

const updateGist = defineOperation({
  name: 'gist.update',
  summary: 'Changes a gist and gives it as it is then.',
  description: `New files make a new version; the last ${keptRevisions} versions are kept.`,
  input: Closed({
    gist: GistMember,
    description: Type.Optional(Type.String({ maxLength: 10_000 })),
    files: Type.Optional(FilesMember),
    lifetime_minutes: Type.Optional(Nullable(LifetimeMember)),
  }),
  output: Gist,
  access: 'signed-in',
  subjects: { gist: subject('gist', 'write', 'gist') },
  effect: 'write',
  audit: { ...auditSubject, detail: ({ files }) => (files === undefined ? {} : { files: files.length }) },
  example: { ...example, description: 'How to forecast' },
  async run(ctx, { description, files, lifetime_minutes }, { gist }) {
    const { id, name } = gist.row
    const before = await ctx.db.gists.byId(id)
    if (!before) throw new Error('A gist that was found has a row')
    const now = ctx.clock.now()
    const revision = before.revision + (files ? 1 : 0)
    if (files) {
      checkFiles('gist.update', files)
      await ctx.db.gists.addRevision({ gist_id: id, number: revision, created_at: now, files })
      await ctx.db.gists.removeRevisions(id, revision - keptRevisions)
    }
    const expiry = lifetime_minutes === undefined ? {} : { expires_at: lifetime_minutes === null ? null : expiryOf(now, lifetime_minutes) }
    await ctx.db.gists.update(id, { revision, ...(description === undefined ? {} : { description }), ...expiry })
    await ctx.db.resources.update(id, { updated_at: now })
    ctx.emit({ kind: 'gist', id, name, state: 'updated', resource_id: id })
    return viewGist(ctx, (await ctx.db.resources.byId(id)) ?? gist.row)
  },
})

const deleteGist = defineOperation({
  name: 'gist.delete',
  summary: 'Removes a gist with all its versions.',
  input: Closed({ gist: GistMember }),
  output: Closed({ id: Type.String(), access_id: Type.String() }),
  access: 'signed-in',
  subjects: { gist: subject('gist', 'admin', 'gist') },
  effect: 'write',
  audit: { ...auditSubject, subjectId: (_, output) => output?.id ?? null },
  example,
  async run(ctx, _, { gist }) {
    const { id, name } = gist.row
    await ctx.db.gists.remove(id)
    await ctx.db.resources.remove(id)
    ctx.emit({ kind: 'gist', id, name, state: 'deleted', resource_id: id })
    return { id, access_id: name }
  },
})

/** Everything that can be done with gists. */
const gistOperations: readonly AnyOperation[] = [createGist, getGist, describeGist, listGists, updateGist, deleteGist]

export { gistOperations }
