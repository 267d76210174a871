import type { CodeChanges } from '../../ports/code-storage.ts'
import type { GitHost } from './environment.ts'
import { isOid } from './names.ts'
import { runGit, unavailable } from './process.ts'

type Lists = { readonly added: string[]; readonly changed: string[]; readonly removed: string[] }

const budgetMs = 60_000
const mostOutput = 128 * 1024 * 1024

/** What each of these commits does to files, against its first parent. Renames are what they are made of: one file removed and one added. */
async function changedFiles(host: GitHost, directory: string, commits: readonly string[]): Promise<CodeChanges[]> {
  if (commits.length === 0) return []
  const form = ['-r', '-z', '--root', '--no-renames', '--name-status', '--diff-merges=first-parent']
  const args = [`--git-dir=${directory}`, 'diff-tree', '--stdin', ...form]
  const { exit, stdout } = await runGit(host, args, {
    directory,
    input: commits.map((commit) => `${commit}\n`).join(''),
    timeoutMs: budgetMs,
    limit: mostOutput,
  })
  if (exit.code !== 0) throw unavailable('diff-tree', exit)
  const found = parseChanges(stdout.toString('utf8'))
  return commits.map((commit) => found.get(commit) ?? { added: [], changed: [], removed: [] })
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
