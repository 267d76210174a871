import { branchName } from './branch-name.ts'
import { specOf } from './spec.ts'
import type { Services } from '../operation/services.ts'
import type { Git, RefUpdate } from '../../ports/git.ts'
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
  const { git } = services
  try {
    const head = await followFirstBranch(git, row.id, changes)
    const [last_commit, size] = await Promise.all([newestCommit(git, row, changes), git.size(row.id)])
    return { default_branch: branchName(head), last_commit, size }
  } catch (error) {
    services.log.warn('push.not_refreshed', { repository: row.id, error })
    return {}
  }
}

/** The same, read anew and without a push: what cannot be read throws. */
async function factsOf({ git }: Pick<Services, 'git'>, id: string): Promise<{ head: string; last_commit: LastCommit | null; size: number }> {
  const tips = [...(await git.refs(id)).values()]
  const [head, last_commit, size] = await Promise.all([git.head(id), newestOf(git, id, tips), git.size(id)])
  return { head, last_commit, size }
}

// Git's adapter does this before it reports a push; after a crash it may not have come so far. Doing it twice changes nothing.
async function followFirstBranch(git: Git, id: string, changes: readonly RefUpdate[]): Promise<string> {
  const head = await git.head(id)
  const made = changes.filter(({ ref, from, to }) => from === null && to !== null && ref.startsWith('refs/heads/')).map(({ ref }) => ref)
  const first = made[0]
  if (first === undefined || (await git.resolve(id, head)) !== null) return head
  const branches = [...(await git.refs(id)).keys()].filter((ref) => ref.startsWith('refs/heads/'))
  if (!branches.includes(first) || branches.some((ref) => !made.includes(ref))) return head
  await git.setHead(id, first)
  return first
}

// The newest was a tip, so it stays the newest unless what was pushed is newer, or its own ref has moved on.
async function newestCommit(git: Git, row: Stored, changes: readonly RefUpdate[]): Promise<LastCommit | null> {
  const { last_commit } = specOf(row)
  const moved = last_commit !== null && changes.some(({ from }) => from === last_commit.id)
  const known = moved ? null : last_commit
  const pushed = await newestOf(
    git,
    row.id,
    changes.flatMap(({ to }) => to ?? []),
  )
  if (pushed && (!known || pushed.at >= known.at)) return pushed
  if (known) return known
  return newestOf(git, row.id, [...(await git.refs(row.id)).values()])
}

async function newestOf(git: Git, id: string, objects: readonly string[]): Promise<LastCommit | null> {
  let newest: LastCommit | null = null
  for (const object of [...new Set(objects)].slice(0, mostTips)) {
    const [commit] = await git.log(id, object, { limit: 1, skip: 0 })
    if (!commit || (newest && commit.committer.at <= newest.at)) continue
    const { author, message } = commit
    newest = {
      id: commit.id,
      message: message.slice(0, longestMessage),
      author_name: author.name,
      author_email: author.email,
      at: safeTime(commit.committer.at),
    }
  }
  return newest
}

// Dates come from clients; one that is no moment would make every list fail.
function safeTime(at: number): number {
  return Math.abs(at) <= 8.64e15 ? at : 0
}

export { specAfter, factsOf }
