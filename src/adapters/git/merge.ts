import { rm } from 'node:fs/promises'
import { GitUnavailable } from '../../ports/git.ts'
import type { GitMerge, GitMerged, GitMergeTry } from '../../ports/git.ts'
import { plain } from './commit.ts'
import type { GitHost } from './environment.ts'
import { copyObjects } from './fork.ts'
import type { Gate } from '../code/gate.ts'
import { isOid, isRefName } from './names.ts'
import { runGit, unavailable } from './process.ts'
import type { RefReader } from './refs.ts'
import { makeUnfinished } from './storage.ts'
import type { RefWriter } from './update-refs.ts'
import type { Writers } from './writers.ts'

/** Two commits; `source` is the folder that `theirs` is in, which may be another repository's. */
type Pair = { readonly ours: string; readonly theirs: string; readonly source: string }

type TryParts = { readonly host: GitHost; readonly gate: Gate }
type MergeParts = TryParts & { readonly refs: RefReader; readonly refWriter: RefWriter; readonly writers: Writers }

const mergeMs = 25_000
const mostConflicts = 1000
const mostOutput = 8 * 1024 * 1024

async function mergeBase(host: GitHost, directory: string, pair: Pair): Promise<string | null> {
  checkPair(pair)
  const extra = lending([pair.source])
  const { exit, stdout } = await runGit(host, [`--git-dir=${directory}`, 'merge-base', pair.ours, pair.theirs], { directory, extra })
  const found = stdout.toString('latin1').trim()
  if (exit.code === 0 && isOid(found)) return found
  // 1 with nothing said: they have no commit in common.
  if (exit.code === 1 && exit.stderr === '') return null
  throw unavailable('merge-base', exit)
}

async function tryMerge({ host, gate }: TryParts, directory: string, pair: Pair, signal: AbortSignal): Promise<GitMergeTry> {
  checkPair(pair)
  return inScratch({ host, gate }, signal, (scratch) => mergedTree(host, scratch, directory, pair))
}

/**
 * Merges in a repository of its own that borrows the objects of both sides, so that a merge that fails leaves nothing; what came of it goes into the
 * target as one synced pack, and the branch moves last and by comparison.
 */
async function mergeInto(
  parts: MergeParts,
  directory: string,
  merge: GitMerge,
  options: { signal: AbortSignal; onMade?: (commit: string) => Promise<void> },
): Promise<GitMerged | 'conflict'> {
  const { host, refs, refWriter, writers } = parts
  const { branch, ours } = merge
  checkPair(merge)
  if (!isRefName(branch) || !branch.startsWith('refs/heads/')) throw new GitUnavailable('a merge goes into a branch')
  if ((await refs.read(directory, branch)) !== ours) return 'conflict'
  const made = await inScratch(parts, options.signal, async (scratch): Promise<GitMerged> => {
    const result = await madeCommit(host, scratch, directory, merge)
    if ('conflicts' in result) return result
    const known = merge.source === directory ? [ours, merge.theirs] : [ours]
    if (known.includes(result.commit)) return result
    const leave = await writers.enter(directory)
    let end: 'in-order' | 'killed' = 'killed'
    try {
      const tips = [result.commit, ...known.map((commit) => `^${commit}`)]
      await copyObjects(host, scratch, directory, tips, { timeoutMs: mergeMs, borrowed: lending([directory, merge.source]) })
      end = 'in-order'
    } finally {
      await leave(end)
    }
    return result
  })
  if ('conflicts' in made) return made
  options.signal.throwIfAborted()
  await options.onMade?.(made.commit)
  const moved = await refWriter.update(directory, [{ ref: branch, from: ours, to: made.commit }])
  return moved === 'done' ? made : 'conflict'
}

async function madeCommit(host: GitHost, scratch: string, directory: string, merge: GitMerge): Promise<GitMerged> {
  if (merge.commit === null) return { commit: merge.theirs }
  const result = await mergedTree(host, scratch, directory, merge)
  if ('conflicts' in result) return result
  const { author, message } = merge.commit
  const at = `${Math.max(Math.trunc(author.at / 1000), 0)} +0000`
  // Git takes no name that is made of such characters only.
  const name = /[^.,:;"'\\ ]/.test(plain(author.name)) ? plain(author.name) : 'unknown'
  const email = plain(author.email)
  const signed = {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_AUTHOR_DATE: at,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
    GIT_COMMITTER_DATE: at,
  }
  const args = [`--git-dir=${scratch}`, 'commit-tree', '-p', merge.ours, '-p', merge.theirs, '-F', '-', result.tree]
  const extra = { ...lending([directory, merge.source]), ...signed }
  const { exit, stdout } = await runGit(host, args, { directory: scratch, extra, input: message.replaceAll('\0', '').toWellFormed() })
  const commit = stdout.toString('latin1').trim()
  if (exit.code !== 0 || !isOid(commit)) throw unavailable('commit-tree', exit)
  return { commit }
}

async function mergedTree(host: GitHost, scratch: string, directory: string, { ours, theirs, source }: Pair): Promise<GitMergeTry> {
  const args = [
    `--git-dir=${scratch}`,
    '-c',
    'merge.renameLimit=1000',
    'merge-tree',
    '--write-tree',
    '-z',
    '--name-only',
    '--no-messages',
    ours,
    theirs,
  ]
  const options = { directory: scratch, extra: lending([directory, source]), timeoutMs: mergeMs, limit: mostOutput }
  const { exit, stdout } = await runGit(host, args, options)
  const [tree = '', ...names] = stdout.toString('utf8').split('\0')
  if (exit.code === 0 && isOid(tree)) return { tree }
  if (exit.code === 1 && isOid(tree)) return { conflicts: [...new Set(names.filter((name) => name !== ''))].slice(0, mostConflicts) }
  throw unavailable('merge-tree', exit)
}

async function inScratch<T>({ host, gate }: TryParts, signal: AbortSignal, work: (scratch: string) => Promise<T>): Promise<T> {
  const leave = await gate.enter(signal)
  try {
    const scratch = await makeUnfinished(host)
    try {
      return await work(scratch)
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  } finally {
    leave()
  }
}

/** Lets one process read objects of other repositories. Quoted, because a path may hold the separator. */
/** Lets a git read the objects of further repositories. */
function lending(directories: readonly string[]): Record<string, string> {
  const folders = directories.map((directory) => `"${`${directory}/objects`.replace(/["\\]/g, '\\$&')}"`)
  return { GIT_ALTERNATE_OBJECT_DIRECTORIES: folders.join(':') }
}

function checkPair({ ours, theirs }: Pick<Pair, 'ours' | 'theirs'>): void {
  if (!isOid(ours) || !isOid(theirs)) throw new GitUnavailable('a merge names what is no commit')
}

export { lending, mergeBase, tryMerge, mergeInto }
