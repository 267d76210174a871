import { branchName } from './branch-name.ts'
import { storageOf } from './code.ts'
import { specOf } from './spec.ts'
import type { Services } from '../operation/services.ts'
import type { CodeStorage, RefUpdate } from '../../ports/code-storage.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { LastCommit, RepositorySpec } from './spec.ts'

/** A repository as far as it is needed here: one that is being made has no row yet. */
type Stored = Pick<ResourceRow, 'id' | 'spec'>

const mostTips = 200
const longestMessage = 4000

/**
 * What a repository's row should say after a push: where HEAD is (it follows the first branch pushed), the newest commit, the size. Only for show, so
 * what cannot be read now stays as it was, and a push is never refused for it.
 */
async function specAfter(services: Services, row: Stored, changes: readonly RefUpdate[]): Promise<Partial<RepositorySpec>> {
  const storage = storageOf(services, row)
  try {
    const head = await followFirstBranch(storage, row.id, changes)
    const [last_commit, size] = await Promise.all([newestCommit(storage, row, changes), storage.size(row.id)])
    return { default_branch: branchName(head), last_commit, size }
  } catch (error) {
    services.log.warn('push.not_refreshed', { repository: row.id, error })
    return {}
  }
}

/** The same, read anew and without a push: what cannot be read throws. */
async function factsOf(services: Services, row: ResourceRow): Promise<{ head: string; last_commit: LastCommit | null; size: number }> {
  const storage = storageOf(services, row)
  const tips = [...(await storage.refs(row.id)).values()]
  const [head, last_commit, size] = await Promise.all([
    storage.head(row.id),
    newestOf(storage, row.id, tips).then((newest) => withNumber(storage, row.id, newest)),
    storage.size(row.id),
  ])
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

// The newest was a tip, so it stays the newest unless what was pushed is newer, or its own ref has moved on.
async function newestCommit(storage: CodeStorage, row: Stored, changes: readonly RefUpdate[]): Promise<LastCommit | null> {
  return withNumber(storage, row.id, await newestAfter(storage, row, changes))
}

// What is pushed may come before it in the order, so its number is read anew each time.
async function withNumber(storage: CodeStorage, id: string, commit: LastCommit | null): Promise<LastCommit | null> {
  const revision = commit && (await storage.numberOf(id, commit.id))
  return commit && { ...commit, ...(revision === null ? {} : { revision }) }
}

async function newestAfter(storage: CodeStorage, row: Stored, changes: readonly RefUpdate[]): Promise<LastCommit | null> {
  const { last_commit } = specOf(row)
  const moved = last_commit !== null && changes.some(({ from }) => from === last_commit.id)
  const known = moved ? null : last_commit
  const pushed = await newestOf(
    storage,
    row.id,
    changes.flatMap(({ to }) => to ?? []),
  )
  if (pushed && (!known || pushed.at >= known.at)) return pushed
  if (known) return known
  return newestOf(storage, row.id, [...(await storage.refs(row.id)).values()])
}

async function newestOf(storage: CodeStorage, id: string, objects: readonly string[]): Promise<LastCommit | null> {
  let newest: LastCommit | null = null
  for (const object of [...new Set(objects)].slice(0, mostTips)) {
    const [commit] = await storage.log(id, object, { limit: 1, skip: 0 })
    if (!commit || (newest && commit.committer.at <= newest.at)) continue
    const { author, message } = commit
    newest = {
      id: commit.id,
      message: message.slice(0, longestMessage),
      author_name: author.name,
      author_email: author.email,
      at: safeTime(commit.committer.at),
      ...(commit.number === undefined ? {} : { revision: commit.number }),
    }
  }
  return newest
}

// Dates come from clients; one that is no moment would make every list fail.
function safeTime(at: number): number {
  return Math.abs(at) <= 8.64e15 ? at : 0
}

export { specAfter, factsOf }
