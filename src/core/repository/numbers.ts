import { fault, isFault } from '../kernel/fault.ts'
import { storageOf } from './code.ts'
import { commitOf } from './revision.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** A commit with its number among all commits of a repository. */
type Numbered = { readonly id: string; readonly number: number }

/**
 * The commit that a revision means where commits have numbers: a number (`-1` and `tip`: the last one), else what it means anywhere (`commitOf`). What no ref
 * leads to is not there: `not_found`.
 */
async function numberedCommit(ctx: Ctx, row: ResourceRow, revision: string, member = 'revision'): Promise<Numbered> {
  const storage = storageOf(ctx.services, row)
  const number = await numberIn(revision, () => storage.count(row.id))
  const at = number === null ? null : await storage.commitAt(row.id, number)
  if (number !== null && at !== null) return { id: at, number }
  const meant = await named(ctx, row, revision)
  // Mercurial reads a number that is too high as the beginning of an id.
  const id = number !== null && meant?.startsWith(revision) ? null : meant
  const place = id === null ? null : await storage.numberOf(row.id, id)
  if (id !== null && place !== null) return { id, number: place }
  throw fault(
    'not_found',
    { kind: 'revision', reference: revision },
    { private: { absence: 'missing', kind: 'revision', reference: revision, member } },
  )
}

// Numbers have at most eleven digits: longer ones can only be the beginning of an id.
async function numberIn(revision: string, count: () => Promise<number>): Promise<number | null> {
  if (revision === 'tip' || revision === '-1') return (await count()) - 1
  return /^\d{1,11}$/.test(revision) ? Number(revision) : null
}

async function named(ctx: Ctx, row: ResourceRow, revision: string): Promise<string | null> {
  try {
    return await commitOf(ctx, row, revision)
  } catch (error) {
    if (isFault(error) && error.code === 'not_found') return null
    throw error
  }
}

export type { Numbered }
export { numberedCommit }
