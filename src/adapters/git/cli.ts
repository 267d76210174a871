import { mkdirSync, realpathSync } from 'node:fs'
import type { Clock } from '../../core/kernel/clock.ts'
import type { Git } from '../../ports/git.ts'
import { GitBusy, GitUnavailable } from '../../ports/git.ts'
import type { CatFile } from './cat-file.ts'
import { createCatFilePool } from './cat-file-pool.ts'
import { checkoutTree } from './checkout.ts'
import { commitFiles } from './commit.ts'
import { defaultSearchPath } from './environment.ts'
import type { GitHost, GitLog } from './environment.ts'
import { adoptHead } from './head.ts'
import { forkRepository } from './fork.ts'
import { changedFiles } from './changed.ts'
import { createGate } from '../code/gate.ts'
import { createHistory } from './history.ts'
import { mergeBase, mergeInto, tryMerge } from './merge.ts'
import { isOid, isRefName } from './names.ts'
import { copyRemote, probeRemote, pullInto } from './pull.ts'
import { cachedObjects, createObjectCache } from './object-cache.ts'
import { described, findEntry, readCommit, readTree } from './objects.ts'
import type { ObjectSource } from './objects.ts'
import { runGit, unavailable } from './process.ts'
import { createRefReader } from './refs.ts'
import { createServing } from './serve.ts'
import { createStreams } from './streams.ts'
import {
  createRepository,
  listRepositories,
  purgeRepository,
  repositoryExists,
  repositoryPath,
  repositorySize,
  setRepositoryAside,
} from './storage.ts'
import { createRefWriter } from './update-refs.ts'
import { createWriters } from './writers.ts'

export type GitOptions = {
  /** The folder of all repositories. Made when it is missing. */
  readonly root: string
  readonly log: GitLog
  readonly clock: Clock
  /** Exchanges with clients that may run at once, and that may wait for a place. */
  readonly maxServing?: number
  readonly queue?: number
  /** Budget of one read. */
  readonly timeoutMs?: number
  /** An exchange in which nothing moves for so long is ended. */
  readonly stallMs?: number
  /** Readers (processes) kept open at most, and how long one that nobody uses is kept. */
  readonly maxReaders?: number
  readonly idleMs?: number
  /** `shared` when several servers use one storage: see sweep.ts. */
  readonly storage?: 'alone' | 'shared'
  readonly program?: string
  readonly searchPath?: string
}

/** Bytes of objects that are remembered. */
const rememberedBytes = 16 * 1024 * 1024
const forkMs = 60 * 60 * 1000
// Pulls take long and wait for others: few at once, so that they leave the places of exchanges alone.
const pulling = { places: 4, queue: 64, waitMs: 10 * 60_000, busy: GitBusy }
// Archives and diffs take processors: fewer at once than there may be clones.
const streaming = { places: 6, queue: 64, waitMs: 60_000, busy: GitBusy }
const longestLog = 10_000
const mostRemembered = 100

/** Git storage below `root`, by the `git` binary. */
export function createGit(options: GitOptions): Git {
  mkdirSync(`${options.root}/.home`, { recursive: true, mode: 0o700 })
  const host: GitHost = {
    root: realpathSync(options.root),
    log: options.log,
    clock: options.clock,
    timeoutMs: options.timeoutMs ?? 15_000,
    program: options.program ?? 'git',
    searchPath: options.searchPath ?? defaultSearchPath,
    children: new Set(),
  }
  const at = (id: string) => repositoryPath(host, id)
  const refs = createRefReader(host.clock)
  const history = createHistory(host, refs)
  const cache = createObjectCache({ largest: rememberedBytes })
  const writers = createWriters(host, options.storage ?? 'alone')
  const refWriter = createRefWriter(host, refs, writers)
  const pool = createCatFilePool(host, { largest: options.maxReaders ?? 16, idleMs: options.idleMs ?? 30_000 })
  const gate = createGate(host.clock, { places: options.maxServing ?? 32, queue: options.queue ?? 128, waitMs: 60_000, busy: GitBusy })
  const pulls = createGate(host.clock, pulling)
  const streams = createGate(host.clock, streaming)
  const read = <T>(id: string, work: (reader: CatFile) => Promise<T>) => pool.use(at(id), work)
  const objects = (id: string) => {
    if (closed) throw new GitUnavailable('git storage is closed')
    return cachedObjects(cache, at(id), (work) => pool.use(at(id), work))
  }
  let closed = false

  /** The object that a revision names, not yet peeled. */
  async function named(id: string, revision: string): Promise<string | null> {
    if (isOid(revision)) return revision
    const ref = revision === 'HEAD' ? await refs.head(at(id)) : revision
    return isRefName(ref) ? refs.read(at(id), ref) : null
  }

  const stallMs = options.stallMs ?? 10 * 60 * 1000
  const git: Git = {
    ...createStreams({ host, gate: streams, at, stallMs }),
    create: (id) => createRepository(host, id),
    async fork(id, source) {
      at(id)
      if (!(await repositoryExists(host, source))) throw new GitUnavailable(`there is no storage of ${source}`)
      if (await repositoryExists(host, id)) throw new GitUnavailable(`there is storage of ${id} already`)
      const leave = await gate.enter(new AbortController().signal)
      try {
        const placed = await forkRepository(host, id, { directory: at(source), head: await refs.head(at(source)) }, { timeoutMs: forkMs })
        if (placed === 'taken') throw new GitUnavailable(`there is storage of ${id} already`)
      } finally {
        leave()
      }
    },
    async adopt(id, folder) {
      at(id)
      if (await repositoryExists(host, id)) throw new GitUnavailable(`there is storage of ${id} already`)
      const leave = await gate.enter(new AbortController().signal)
      try {
        const placed = await forkRepository(host, id, { directory: folder, head: await refs.head(folder) }, { timeoutMs: forkMs })
        if (placed === 'taken') throw new GitUnavailable(`there is storage of ${id} already`)
      } finally {
        refs.forget(folder)
        leave()
      }
    },
    async setAside(id) {
      await setRepositoryAside(host, id)
      await Promise.all([pool.drop(at(id)), serving.stop(id)])
      refs.forget(at(id))
      cache.forget(at(id))
      history.forget(at(id))
    },
    adoptHead: (id, changes) => adoptHead(git, id, changes),
    purge: (id) => purgeRepository(host, id),
    exists: (id) => repositoryExists(host, id),
    list: () => listRepositories(host),
    size: (id) => repositorySize(host, id),

    async refs(id) {
      const args = [`--git-dir=${at(id)}`, 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads/', 'refs/tags/']
      const { exit, stdout } = await runGit(host, args, { directory: at(id) })
      if (exit.code !== 0) throw unavailable('for-each-ref', exit)
      const lines = stdout
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== '')
      return new Map(lines.map((line) => [line.slice(41), line.slice(0, 40)]))
    },
    head: (id) => refs.head(at(id)),
    setHead: (id, ref) => refWriter.setHead(at(id), ref),
    updateRefs: (id, updates) => refWriter.update(at(id), updates),
    commit: (id, change, options) => commitFiles({ host, refs, refWriter, writers }, at(id), change, options),

    async resolve(id, revision) {
      const oid = await named(id, revision)
      if (oid === null) return null
      const known = objects(id)
      const commit = await known.info(oid, '^{commit}')
      // A ref that points at nothing is damage; an id that nothing has is only a wrong guess.
      if (commit === null && !isOid(revision) && (await known.info(oid)) === null)
        throw new GitUnavailable(`${revision} points at the object ${oid}, which is missing`)
      return commit?.oid ?? null
    },
    async entry(id, treeish, path) {
      const oid = await named(id, treeish)
      return oid === null ? null : findEntry(objects(id), oid, path)
    },
    tree: (id, tree) => read(id, async (reader) => Promise.all((await readTree(reader, tree)).map((entry) => described(reader, entry)))),
    async blob(id, oid, { limit }) {
      const known = objects(id)
      const header = await known.info(oid)
      if (header?.type === 'blob' && header.size > limit) return null
      const bytes = await known.whole(oid, { type: 'blob', limit })
      if (bytes === null) throw new GitUnavailable(`the blob ${oid} is missing`)
      return bytes
    },
    checkout: (id, tree, folder, limits) => checkoutTree(host, at(id), tree, folder, limits),
    async log(id, revision, { limit, skip, without }) {
      const commit = await git.resolve(id, revision)
      if (commit === null) return []
      if (limit === 1 && skip === 0 && without === undefined) return [await readCommit(objects(id), commit)]
      const bounds = [`--max-count=${Math.max(0, Math.min(Math.trunc(limit), longestLog))}`, `--skip=${Math.max(0, Math.trunc(skip))}`]
      const { exit, stdout } = await runGit(
        host,
        [`--git-dir=${at(id)}`, 'rev-list', ...bounds, commit, ...(without !== undefined && isOid(without) ? [`^${without}`] : []), '--'],
        { directory: at(id) },
      )
      if (exit.code !== 0) throw unavailable('rev-list', exit)
      const ids = stdout.toString('latin1').split('\n').filter(isOid)
      return read(id, (reader) => Promise.all(ids.map((oid) => readCommit(reader, oid))))
    },
    count: async (id) => (await history.of(at(id))).count,
    commitAt: async (id, number) => (await history.of(at(id))).commitAt(number),
    numberOf: async (id, commit) => (isOid(commit) ? (await history.of(at(id))).numberOf(commit) : null),
    async range(id, { branch, ...bounds }) {
      const tip = branch === null ? undefined : await git.resolve(id, branch)
      if (tip === null) return null
      const numbered = await history.range(at(id), bounds, tip)
      const commits = (source: ObjectSource) => Promise.all(numbered.map(async ([number, oid]) => ({ ...(await readCommit(source, oid)), number })))
      // Long lists would push out everything else.
      return numbered.length <= mostRemembered ? commits(objects(id)) : read(id, commits)
    },
    changed: (id, commits) => changedFiles({ host, cache }, at(id), commits.filter(isOid)),
    mergeBase: (id, ours, theirs, { source = id } = {}) => mergeBase(host, at(id), { ours, theirs, source: at(source) }),
    tryMerge: (id, ours, theirs, { source, signal }) => tryMerge({ host, gate }, at(id), { ours, theirs, source: at(source) }, signal),
    merge: (id, merge, options) => mergeInto({ host, gate, refs, refWriter, writers }, at(id), { ...merge, source: at(merge.source) }, options),

    probe: (remote, { signal }) => probeRemote({ host, gate: pulls }, remote, signal),
    copy: (id, remote, { signal }) => copyRemote({ host, gate: pulls }, id, remote, signal),
    pull: (id, source, options) => pullInto({ host, gate: pulls, refWriter, writers }, at(id), source, options),

    serve: (request) => serving.serve(request),
    async close() {
      closed = true
      await Promise.all([serving.stop(null), pool.close()])
      await Promise.all([...host.children].map((child) => child.end()))
    },
  }
  const serving = createServing({ host, gate, refs, writers, git, stallMs })
  return git
}
