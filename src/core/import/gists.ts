import { grantAtCreation } from '../repository/grants.ts'
import { discardStorage } from '../repository/storage.ts'
import { checkFiles } from '../gist/files.ts'
import { bring, changed, commit, NotBrought, pretendName, serialFor } from './run.ts'
import type { SourceGist } from '../../ports/import-source.ts'
import type { GistFile } from '../../ports/store/gists.ts'
import type { ImportRun } from './run.ts'

// More than a gist may hold: what is beyond is refused with all that is wrong.
const mostFiles = 200
const largestFile = 4 * 1024 * 1024

/** Brings the gists that have not expired, each as the one version that is its newest. */
async function bringGists(run: ImportRun): Promise<void> {
  for await (const gist of run.source.gists()) {
    await bring(run, 'gist', { id: gist.id, name: gist.access_id }, () => bringGist(run, gist))
  }
}

async function bringGist(run: ImportRun, from: SourceGist): Promise<void> {
  const { ctx } = run
  const item = { id: from.id, name: from.access_id }
  if (from.expires_at !== null && from.expires_at <= ctx.clock.now()) throw new NotBrought('it has expired')
  const owner = await run.ledger.find('user', from.owner)
  if (!owner) throw new NotBrought('its owner is not here')
  // It goes into a folder's path, and here into addresses; letters that are few could be guessed.
  if (!/^[A-Za-z0-9_-]{1,250}$/.test(from.access_id)) throw new NotBrought('its name has characters that no gist has')
  if (!from.public && (from.access_id.length < 12 || /^\d+$/.test(from.access_id)))
    throw new NotBrought('it is private, and the letters that it is reached by could be guessed')
  const missing = ctx.services.hg.missing
  if (missing !== null) throw new NotBrought(`gists are Mercurial repositories there, and those cannot be read here: ${missing}`)
  const files = await filesOf(run, from)
  const id = ctx.ids.record()
  const serial = await serialFor(run, 'gist', item, async (wanted) => (await ctx.db.resources.bySerial('gist', wanted)) !== null)
  const name = from.public ? String(serial) : from.access_id
  if (from.public && name !== from.access_id) changed(run, 'gist', item, `its address here ends with ${name}`)
  if (!pretendName(run, `gist:${name}`)) throw new NotBrought('its name is taken here')
  await commit(run, 'gist', from.id, { id, serial, name }, async (inside) => {
    const row = await inside.db.resources.insert({
      ...{ id, kind: 'gist', serial, name, owner_id: owner.id, parent_id: null, private: !from.public },
      ...{ active: true, state: 'ready', spec: {} },
      created_at: from.created_at,
      updated_at: from.created_at,
    })
    await inside.db.gists.insert({ id, description: from.description, revision: 1, expires_at: from.expires_at })
    await inside.db.gists.addRevision({ gist_id: id, number: 1, created_at: from.created_at, files })
    if (from.public) await grantAtCreation(inside, row, null, { copy: false })
  })
}

// Read through storage of our own for as long as it takes: whatever the repository is, it is read as every other one is.
async function filesOf(run: ImportRun, from: SourceGist): Promise<GistFile[]> {
  const { ctx } = run
  const { hg } = ctx.services
  const held = await run.source.gistStorage(from)
  try {
    if (run.options.dryRun) return []
    const id = ctx.ids.record()
    try {
      await hg.adopt(id, held.folder)
      return await readFiles(run, id)
    } finally {
      await discardStorage(ctx, id)
    }
  } finally {
    await held.close()
  }
}

async function readFiles({ ctx }: ImportRun, id: string): Promise<GistFile[]> {
  const { hg } = ctx.services
  const commit = await hg.resolve(id, 'refs/heads/default')
  const root = commit === null ? null : await hg.entry(id, commit, '')
  if (!root) throw new NotBrought('there is nothing in it')
  const files: GistFile[] = []
  for (const entry of (await hg.tree(id, root.oid)).slice(0, mostFiles)) {
    if (entry.type !== 'blob') throw new NotBrought('it has a folder or a link in it')
    const bytes = await hg.blob(id, entry.oid, { limit: largestFile })
    if (bytes === null) throw new NotBrought('a file in it is too large')
    const text = textOf(bytes)
    if (text === null) throw new NotBrought('a file in it is no text')
    files.push({ name: entry.name, text })
  }
  if (files.length === 0) throw new NotBrought('there is nothing in it')
  checkFiles('import', files)
  return files
}

function textOf(bytes: Buffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return text.includes('\0') ? null : text
  } catch {
    return null
  }
}

export { bringGists }
