import { grantAtCreation } from '../repository/grants.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { expiryOf, LifetimeMember } from './expiry.ts'
import { checkFiles, FilesMember } from './files.ts'
import { newOwner } from './owner.ts'
import { Gist, viewGist } from './view.ts'
import type { Ids } from '../kernel/id.ts'
import type { WriteCtx } from '../operation/context.ts'

const letters = 20

const createGist = defineOperation({
  name: 'gist.create',
  summary: 'Makes a gist, private unless it says otherwise, and gives it.',
  description: 'A public gist is in lists, and everyone may read it. A private one is read by its owner and by whoever has its address.',
  input: Closed({
    files: FilesMember,
    public: Type.Optional(Type.Boolean()),
    description: Type.Optional(Type.String({ maxLength: 10_000 })),
    lifetime_minutes: Type.Optional(LifetimeMember),
    owner: Type.Optional(Type.String({ minLength: 1, maxLength: 300, description: 'For administrators: who shall own it.' })),
  }),
  output: Gist,
  access: 'signed-in',
  subjects: {},
  effect: 'write',
  audit: {
    subject: (_, output) => (output ? `gist:${output.access_id}` : ''),
    subjectId: (_, output) => output?.id ?? null,
    detail: (input) => ({ public: input.public ?? false, files: input.files.length, ...(input.owner === undefined ? {} : { owner: input.owner }) }),
  },
  example: { files: [{ name: 'notes.md', text: '# Notes\n' }], public: true },
  async run(ctx, input) {
    checkFiles('gist.create', input.files)
    const row = await insertResource(ctx, { owner_id: await newOwner(ctx, input.owner), private: input.public !== true })
    const { id, created_at } = row
    const expires_at = input.lifetime_minutes === undefined ? null : expiryOf(created_at, input.lifetime_minutes)
    await ctx.db.gists.insert({ id, description: input.description ?? '', revision: 1, expires_at })
    await ctx.db.gists.addRevision({ gist_id: id, number: 1, created_at, files: input.files })
    ctx.emit({ kind: 'gist', id, name: row.name, state: 'created', resource_id: id })
    return viewGist(ctx, row)
  },
})

// The number of a public gist is its name, and is known only once the row is there.
async function insertResource(ctx: WriteCtx, { owner_id, private: hidden }: { owner_id: string; private: boolean }) {
  const [id, now, { resources }] = [ctx.ids.record(), ctx.clock.now(), ctx.db]
  const base = {
    id,
    kind: 'gist',
    owner_id,
    parent_id: null,
    private: hidden,
    active: true,
    state: 'ready',
    spec: {},
    created_at: now,
    updated_at: now,
  }
  const row = await resources.insert({ ...base, name: hidden ? accessLetters(ctx.ids) : id })
  if (hidden) return row
  const name = String(row.serial)
  await resources.update(id, { name })
  await grantAtCreation(ctx, row, null, { copy: false })
  return { ...row, name }
}

// Without those that are taken for each other (Kallithea contract §9). Letters are drawn again, so that each of them stays equally likely.
function accessLetters(ids: Ids): string {
  let text = ''
  while (text.length < letters) text += ids.letters(letters).replace(/[01IOio]/g, '')
  return text.slice(0, letters)
}

export { createGist }
