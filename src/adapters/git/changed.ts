import type { CodeChanges } from '../../ports/code-storage.ts'
import type { GitHost } from './environment.ts'
import { isOid } from './names.ts'
import type { ObjectCache } from './object-cache.ts'
import { runGit, unavailable } from './process.ts'

type Changing = { readonly host: GitHost; readonly cache: ObjectCache }
type Lists = { readonly added: string[]; readonly changed: string[]; readonly removed: string[] }

const nothing: CodeChanges = { added: [], changed: [], removed: [] }
const budgetMs = 60_000
const mostOutput = 128 * 1024 * 1024

/** What each of these commits does to files, against its first parent. Renames are what they are made of: one file removed and one added. */
async function changedFiles({ host, cache }: Changing, directory: string, commits: readonly string[]): Promise<CodeChanges[]> {
  const known = new Map<string, CodeChanges | undefined>(commits.map((commit) => [commit, cache.get<CodeChanges>(directory, keyOf(commit))]))
  const unknown = [...known].filter(([, changes]) => changes === undefined).map(([commit]) => commit)
  if (unknown.length > 0)
    // What git says nothing of is not kept: it changes nothing, or is not there yet.
    for (const [commit, changes] of await readChanges(host, directory, unknown)) {
      known.set(commit, changes)
      cache.put(directory, keyOf(commit), changes, bytesOf(changes))
    }
  return commits.map((commit) => known.get(commit) ?? nothing)
}

const keyOf = (commit: string) => `changed ${commit}`

function bytesOf({ added, changed, removed }: CodeChanges): number {
  let bytes = 300
  // A path takes two bytes a letter at most, and what a string takes besides.
  for (const paths of [added, changed, removed]) for (const path of paths) bytes += 32 + path.length * 2
  return bytes
}

async function readChanges(host: GitHost, directory: string, commits: readonly string[]): Promise<Map<string, CodeChanges>> {
  const form = ['-r', '-z', '--root', '--no-renames', '--name-status', '--diff-merges=first-parent']
  const args = [`--git-dir=${directory}`, 'diff-tree', '--stdin', ...form]
  const { exit, stdout } = await runGit(host, args, {
    directory,
    input: commits.map((commit) => `${commit}\n`).join(''),
    timeoutMs: budgetMs,
    limit: mostOutput,
  })
  if (exit.code !== 0) throw unavailable('diff-tree', exit)
  return parseChanges(stdout.toString('utf8'))
}

// `<commit> NUL (<letter> NUL <path> NUL)*`: a commit that changes nothing is not told.
function parseChanges(text: string): Map<string, Lists> {
  const found = new Map<string, Lists>()
  const words = text.split('\0')
  let lists: Lists | null = null
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (isOid(word)) {
      lists = { added: [], changed: [], removed: [] }
      found.set(word, lists)
      continue
    }
    const path = words[++at]
    if (lists === null || path === undefined) continue
    const list = word === 'A' ? lists.added : word === 'D' ? lists.removed : lists.changed
    list.push(path)
  }
  return found
}

export { changedFiles }
