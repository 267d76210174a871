import { fault } from '../kernel/fault.ts'
import { storageOf } from './code.ts'
import { onStorage } from './on-storage.ts'
import type { Ctx } from '../operation/context.ts'
import type { CodeFile } from '../../ports/code-storage.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** Refuses files that would take away what nobody named: one where a folder is, or one below a path that is a file. `parent`: what they go on top of. */
async function refuseReplaced(ctx: Ctx, row: ResourceRow, { parent, files }: { parent: string | null; files: readonly CodeFile[] }): Promise<void> {
  if (parent === null) return
  const gone = new Set(files.filter(({ content }) => content === null).map(({ path }) => path))
  const known = new Map<string, string | null>()
  const typeAt = async (path: string): Promise<string | null> => {
    const before = known.get(path)
    if (before !== undefined) return before
    const found = (await onStorage(ctx, row, () => storageOf(ctx.services, row).entry(row.id, parent, path)))?.type ?? null
    known.set(path, found)
    return found
  }
  for (const { path, content } of files) {
    if (content === null) continue
    const folder = await foldersAbove(path, typeAt)
    if (folder.file !== null && !gone.has(folder.file)) throw refused(row, folder.file, 'is a file there, and no folder')
    if (folder.there && (await typeAt(path)) === 'tree') throw refused(row, path, 'is a folder there; delete its files in a commit before')
  }
}

/** Whether the folder of a path is there; `file` is what stands in its place. */
async function foldersAbove(path: string, typeAt: (path: string) => Promise<string | null>): Promise<{ there: boolean; file: string | null }> {
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const above = path.slice(0, at)
    const type = await typeAt(above)
    if (type !== 'tree') return { there: false, file: type === null ? null : above }
  }
  return { there: true, file: null }
}

function refused(row: ResourceRow, path: string, why: string) {
  return fault('content_invalid', { what: `"${row.name}"`, count: 1, first: `"${path.slice(0, 200)}" ${why}` })
}

export { refuseReplaced }
