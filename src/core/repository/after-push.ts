import { branchName } from './branch-name.ts'
import { storageOf } from './code.ts'
import type { Services } from '../operation/services.ts'
import type { CodeStorage, RefUpdate } from '../../ports/code-storage.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { LastCommit, RepositorySpec } from './spec.ts'

/** A repository as far as it is needed here: one that is being made has no row yet. */
type Stored = Pick<ResourceRow, 'id' | 'spec'>

const longestMessage = 4000

/**
 * What a repository's row should say after a push: where HEAD is (it follows the first branch pushed), the newest commit, the size. Only for show, so
 * what cannot be read now stays as it was, and a push is never refused for it.
 */
async function specAfter(services: Services, row: Stored, changes: readonly RefUpdate[]): Promise<Partial<RepositorySpec>> {
  const storage = storageOf(services, row)
  try {
    const head = await followFirstBranch(storage, row.id, changes)
    const [last_commit, size] = await Promise.all([newestCommit(storage, row.id), storage.size(row.id)])
    return { default_branch: branchName(head), last_commit, size }
  } catch (error) {
    services.log.warn('push.not_refreshed', { repository: row.id, error })
    return {}
  }
}

/** The same, read anew and without a push: what cannot be read throws. */
async function factsOf(services: Services, row: ResourceRow): Promise<{ head: string; last_commit: LastCommit | null; size: number }> {
  const storage = storageOf(services, row)
  const [head, last_commit, size] = await Promise.all([storage.head(row.id), newestCommit(storage, row.id), storage.size(row.id)])
  return { head, last_commit, size }
}

// The adapter does this before it reports a push; after a crash it may not have come so far. Doing it twice changes nothing.
async function followFirstBranch(storage: CodeStorage, id: string, changes: readonly RefUpdate[]): Promise<string> {
  const head = await storage.head(id)
  const made = changes.filter(({ ref, from, to }) => from === null && to !== null && ref.startsWith('refs/heads/')).map(({ ref }) => ref)
  const first = made[0]
  if (first === undefined || (await storage.resolve(id, head)) !== null) return head
  const branches = [...(await storage.refs(id)).keys()].filter((ref) => ref.startsWith('refs/heads/'))
  if (!branches.includes(first) || branches.some((ref) => !made.includes(ref))) return head
  await storage.setHead(id, first)
  return first
}

/**
 * The newest commit: the last one in the order that gives commits their numbers. Dates alone would not do: many commits are of one second, and in Mercurial the
 * newest is what came last, whatever its date says.
 */
async function newestCommit(storage: CodeStorage, id: string): Promise<LastCommit | null> {
  const revision = (await storage.count(id)) - 1
  const newest = revision < 0 ? null : await storage.commitAt(id, revision)
  const [commit] = newest === null ? [] : await storage.log(id, newest, { limit: 1, skip: 0 })
  if (!commit) return null
  const { author, message } = commit
  return {
    id: commit.id,
    message: message.slice(0, longestMessage),
    author_name: author.name,
    author_email: author.email,
    at: safeTime(commit.committer.at),
    revision,
  }
}

// Dates come from clients; one that is no moment would make every list fail.
function safeTime(at: number): number {
  return Math.abs(at) <= 8.64e15 ? at : 0
}

export { specAfter, factsOf }
