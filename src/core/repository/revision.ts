import { fault } from '../kernel/fault.ts'
import { isRefPath } from './branch-name.ts'
import { storageOf } from './code.ts'
import { specOf } from './spec.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/**
 * The commit that a revision means just now: a full ref name, a full commit id, `HEAD` or `tip`, or a branch's or a tag's short name, the branch first.
 * Of a Mercurial repository also what Mercurial itself would read it as: a number, a prefix of an id, a bookmark. Without one: that of the default branch, null while the repository is empty. What there is not: `not_found`.
 */
async function commitOf(ctx: Ctx, row: ResourceRow, revision: string | undefined): Promise<string | null> {
  const storage = storageOf(ctx.services, row)
  if (revision === undefined) return storage.resolve(row.id, await storage.head(row.id))
  if (specOf(row).kind === 'hg' && !/^HEAD$|^refs\/|^[0-9a-f]{40}$/.test(revision)) {
    const meant = await ctx.services.hg.lookup(row.id, revision)
    if (meant !== null) return meant
  }
  for (const candidate of candidates(revision)) {
    const commit = await storage.resolve(row.id, candidate === 'HEAD' ? await storage.head(row.id) : candidate)
    if (commit !== null) return commit
  }
  const context = { absence: 'missing', kind: 'revision', reference: revision, member: 'revision' } as const
  throw fault('not_found', { kind: 'revision', reference: revision }, { private: context })
}

function candidates(revision: string): string[] {
  if (/^[0-9a-f]{40}$/.test(revision)) return [revision]
  const named = isRefPath(revision) ? [`refs/heads/${revision}`, `refs/tags/${revision}`] : []
  if (revision === 'HEAD' || revision === 'tip') return [...named, 'HEAD']
  return revision.startsWith('refs/') ? [revision, ...named] : named
}

export { commitOf }
