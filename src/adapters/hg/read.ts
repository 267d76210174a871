import type { CodeChanges, CodeCommit, CodeEntry, CodeRange, NumberedCommit } from '../../ports/code-storage.ts'
import type { HgChangedFiles } from '../../ports/hg.ts'
import type { HgHost } from './environment.ts'
import type { Pool } from './pool.ts'

/** Reads of one repository, by its folder. What is passed in was checked before. */
type Reader = {
  refs(directory: string): Promise<Map<string, string>>
  resolve(directory: string, revision: string): Promise<string | null>
  lookup(directory: string, word: string): Promise<string | null>
  count(directory: string): Promise<number>
  commitAt(directory: string, number: number): Promise<string | null>
  numberOf(directory: string, commit: string): Promise<number | null>
  range(directory: string, range: CodeRange): Promise<NumberedCommit[] | null>
  changed(directory: string, commits: readonly string[]): Promise<CodeChanges[]>
  changedFiles(directory: string, revision: string): Promise<HgChangedFiles | null>
  entry(directory: string, treeish: string, path: string): Promise<CodeEntry | null>
  tree(directory: string, oid: string): Promise<CodeEntry[]>
  blob(directory: string, oid: string, limit: number): Promise<Buffer | null>
  log(directory: string, range: { revision: string; limit: number; skip: number; without: string | null }): Promise<CodeCommit[]>
  base(directory: string, ends: { ours: string; theirs: string; source: string | null }): Promise<string | null>
  /** Why it was refused; null when it is done. */
  checkout(
    directory: string,
    what: { tree: string; folder: string; limitBytes: number; limitFiles: number; signal: AbortSignal },
  ): Promise<string | null>
}

type CommitAnswer = {
  id: string
  number: number
  parents: string[]
  name: string
  email: string
  at: number
  zone: string
  message: string
  branch: string
}

const longestLog = 10_000

function createReader(host: HgHost, pool: Pool): Reader {
  async function ask(directory: string, question: object, options: Parameters<Pool['run']>[1] = {}): Promise<Buffer> {
    return (await pool.run(['-R', directory, 'capstan', JSON.stringify(question)], options)).output
  }

  // The answers are our own extension's, so their form is known.
  const answer = async <T>(directory: string, question: object): Promise<T> => JSON.parse((await ask(directory, question)).toString('utf8')) as T

  return {
    refs: async (directory) => new Map(Object.entries(await answer<Record<string, string>>(directory, { do: 'refs' }))),
    resolve: (directory, revision) => answer(directory, { do: 'resolve', revision }),
    lookup: (directory, word) => answer(directory, { do: 'lookup', word }),
    count: (directory) => answer(directory, { do: 'count' }),
    changedFiles: (directory, revision) => answer(directory, { do: 'changed', revision }),
    commitAt: (directory, number) => answer(directory, { do: 'commit-at', number }),
    numberOf: (directory, commit) => answer(directory, { do: 'number-of', revision: commit }),
    async range(directory, range) {
      const commits = await answer<CommitAnswer[] | null>(directory, { do: 'history', ...range })
      return commits?.map((commit) => ({ ...commitOf(commit), number: commit.number })) ?? null
    },
    async changed(directory, commits) {
      const found = await answer<(CodeChanges | null)[]>(directory, { do: 'changes', revisions: commits })
      return found.map((files) => files ?? { added: [], changed: [], removed: [] })
    },
    entry: (directory, treeish, path) => answer(directory, { do: 'entry', treeish, path }),
    tree: (directory, oid) => answer(directory, { do: 'tree', oid }),
    async blob(directory, oid, limit) {
      const bytes = await ask(directory, { do: 'blob', oid, limit }, { limit: limit + 1 })
      return bytes[0] === 49 ? bytes.subarray(1) : null
    },
    async log(directory, { revision, limit, skip, without }) {
      const bounds = { limit: Math.max(0, Math.min(Math.trunc(limit), longestLog)), skip: Math.max(0, Math.trunc(skip)) }
      const commits = await answer<CommitAnswer[]>(directory, { do: 'log', revision, ...bounds, without })
      return commits.map(commitOf)
    },
    base: (directory, ends) => answer(directory, { do: 'base', ...ends }),
    async checkout(directory, { tree, folder, limitBytes, limitFiles, signal }) {
      const question = { do: 'checkout', oid: tree, folder, limit_bytes: limitBytes, limit_files: limitFiles }
      const bytes = await ask(directory, question, { signal, timeoutMs: host.actMs })
      return (JSON.parse(bytes.toString('utf8')) as { refused: string | null }).refused
    },
  }
}

function commitOf({ id, number, parents, name, email, at, zone, message, branch }: CommitAnswer): CodeCommit {
  const author = { name, email, at, zone }
  return { id, parents, author, committer: author, message, number, branch }
}

export type { Reader }
export { createReader }
