import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../core/kernel/clock.ts'
import { HgBusy, HgContentRefused, HgUnavailable } from '../../ports/hg.ts'
import type { Hg } from '../../ports/hg.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import { act, commitFiles, mergeInto, tryMerge } from './acts.ts'
import { createEnds } from './ends.ts'
import { findProgram } from './environment.ts'
import type { HgHost, HgLog } from './environment.ts'
import { createGate } from '../code/gate.ts'
import { Lingering } from './lingering.ts'
import { adoptHead } from './head.ts'
import { isMercurials, isNode, isPath, isRefName } from './names.ts'
import { createOwnRefs } from './own-refs.ts'
import { createPool } from './pool.ts'
import { openPushes } from './pushes.ts'
import { copyRemote, probeRemote, pullInto } from './pull.ts'
import { createReader } from './read.ts'
import { serveHg } from './serve.ts'
import { createStreams } from './streams.ts'
import {
  beside,
  listRepositories,
  makeUnfinished,
  place,
  purgeRepository,
  repositoryExists,
  repositoryPath,
  repositorySize,
  setRepositoryAside,
  storageError,
} from './storage.ts'
import { exists, isCutOff } from './sweep.ts'

type HgOptions = {
  /** The folder of all repositories. Made when it is missing. */
  readonly root: string
  readonly log: HgLog
  readonly clock: Clock
  /** The hg program: a name, looked for where systems put it, or a path. */
  readonly program?: string
  /** Requests of clients that may be answered at once, and that may wait for a place. */
  readonly maxServing?: number
  readonly queue?: number
  /** Processes kept open for reading at most, and how long anything that nobody uses is kept. */
  readonly maxReaders?: number
  readonly idleMs?: number
  /** Most memory that one process may take. */
  readonly memoryBytes?: number
  /** Budget of one read, and of one act (a fork, a merge). */
  readonly timeoutMs?: number
  readonly actMs?: number
  /** An exchange in which nothing moves for so long is ended. */
  readonly stallMs?: number
}

const defaultHead = 'refs/heads/default'

/** Mercurial storage below `root`, by the `hg` binary. Where there is none it says so in `missing`, and everything else refuses. */
async function createHg(options: HgOptions): Promise<Hg> {
  mkdirSync(options.root, { recursive: true, mode: 0o700 })
  const program = findProgram(options.program ?? 'hg')
  const host: HgHost = {
    root: realpathSync(options.root),
    scratch: makeScratch(realpathSync(options.root)),
    log: options.log,
    clock: options.clock,
    timeoutMs: options.timeoutMs ?? 15_000,
    actMs: options.actMs ?? 10 * 60 * 1000,
    program,
    memoryBytes: options.memoryBytes ?? 1024 ** 3,
    children: new Set(),
  }
  const idleMs = options.idleMs ?? 30_000
  const pushes = await openPushes(host)
  const reads = createPool(host, { largest: options.maxReaders ?? 4, queue: 256, idleMs, timeoutMs: host.timeoutMs })
  const acts = createPool(host, { largest: 3, queue: 64, idleMs, timeoutMs: host.actMs })
  const merges = createGate(host.clock, { places: 2, queue: 16, waitMs: 60_000, busy: HgBusy })
  const gate = createGate(host.clock, { places: options.maxServing ?? 16, queue: options.queue ?? 128, waitMs: 60_000, busy: HgBusy })
  const ends = createEnds(host, pushes, { idleMs: 2 * idleMs, startMs: 15_000, secondsOfOne: 3600 })
  const lingering = new Lingering()
  const own = createOwnRefs()
  const reader = createReader(host, reads)
  const at = (id: string) => repositoryPath(host, id)
  const stallMs = options.stallMs ?? 10 * 60 * 1000
  // Archives and diffs take processors and memory: fewer at once than there may be clones.
  const streams = createGate(host.clock, { places: 4, queue: 64, waitMs: 60_000, busy: HgBusy })

  // A change that was cut off (its hg was killed) is rolled back before anybody changes the storage again; one that is at work is waited for.
  async function mend(directory: string): Promise<void> {
    if (!(await exists(`${directory}/.hg/store/journal`))) return
    const { output } = await acts.run(['--config', 'capstan.end=scratch', '-R', directory, 'capstan', '{"do":"recover"}'])
    if (output.includes('true')) host.log.warn('hg.recovered', { directory })
  }
  const acting = { host, acts, pushes, merges, mend }
  // Pulls take long and wait for others: few at once.
  const pulling = { host, pushes, mend, gate: createGate(host.clock, { places: 4, queue: 64, waitMs: 10 * 60_000, busy: HgBusy }) }

  async function madeTrue(id: string, changes: readonly RefUpdate[]): Promise<RefUpdate[]> {
    const refs = await hg.refs(id)
    const now = async (ref: string) => (ref.startsWith('refs/changesets/') ? hg.resolve(id, ref) : (refs.get(ref) ?? null))
    const made: RefUpdate[] = []
    for (const change of changes) if ((await now(change.ref)) === change.to) made.push(change)
    return made
  }

  const hg: Hg = {
    ...createStreams({ host, gate: streams, at, stallMs }),
    missing: program === null ? 'hg is not installed' : null,
    async create(id) {
      if (await repositoryExists(host, id)) return
      const unfinished = await makeUnfinished(host)
      try {
        await acts.run(['--config', 'capstan.end=scratch', 'init', unfinished])
      } catch (error) {
        await rm(unfinished, { recursive: true, force: true })
        throw error
      }
      await place(host, unfinished, id)
    },
    async fork(id, source) {
      at(id)
      if (!(await repositoryExists(host, source))) throw new HgUnavailable(`there is no storage of ${source}`)
      if (await repositoryExists(host, id)) throw new HgUnavailable(`there is storage of ${id} already`)
      const unfinished = await makeUnfinished(host)
      try {
        await act(acting, at(source), { do: 'fork', dest: `${unfinished}/.hg` }, refuseChange)
        if ((await place(host, unfinished, id)) === 'taken') throw new HgUnavailable(`there is storage of ${id} already`)
      } catch (error) {
        await rm(unfinished, { recursive: true, force: true })
        throw error
      }
    },
    async adopt(id, folder) {
      at(id)
      if (await repositoryExists(host, id)) throw new HgUnavailable(`there is storage of ${id} already`)
      const unfinished = await makeUnfinished(host)
      try {
        await act(acting, folder, { do: 'fork', dest: `${unfinished}/.hg` }, refuseChange)
        if ((await place(host, unfinished, id)) === 'taken') throw new HgUnavailable(`there is storage of ${id} already`)
      } catch (error) {
        await rm(unfinished, { recursive: true, force: true })
        throw error
      }
    },
    setAside: (id) => setRepositoryAside(host, id),
    purge: (id) => purgeRepository(host, id),
    exists: (id) => repositoryExists(host, id),
    list: () => listRepositories(host),
    size: (id) => repositorySize(host, id),

    async refs(id) {
      if (await isCutOff(at(id))) await mend(at(id))
      return reader.refs(at(id))
    },
    async head(id) {
      if (!(await repositoryExists(host, id))) throw new HgUnavailable(`there is no storage of ${id}`)
      return (await own.read(at(id))).get('HEAD') ?? defaultHead
    },
    async setHead(id, ref) {
      if (!isRefName(ref)) throw new HgUnavailable(`${ref} is no name of a ref`)
      await own.update(at(id), (refs) => refs.set('HEAD', ref))
    },
    adoptHead: (id, changes) => adoptHead(hg, id, changes),
    async updateRefs(id, updates) {
      if (updates.some(({ ref }) => !isRefName(ref))) throw new HgContentRefused('a ref has no name that can be used')
      const bookmarks = updates.filter(({ ref }) => ref.startsWith('refs/bookmarks/'))
      const ours = updates.filter(({ ref }) => !isMercurials(ref))
      if (bookmarks.length + ours.length < updates.length || (bookmarks.length > 0 && ours.length > 0))
        throw new HgContentRefused("Mercurial's branches and tags are made by changesets only")
      if (bookmarks.length === 0) return own.update(at(id), (refs) => updateOwn(refs, ours))
      const { conflict } = await act(acting, at(id), { do: 'bookmarks', updates: bookmarks }, async () => {})
      return conflict ? 'conflict' : 'done'
    },
    commit: (id, change, options) => commitFiles(acting, at(id), change, options),

    async resolve(id, revision) {
      if (revision === 'HEAD') return hg.resolve(id, await hg.head(id))
      if (isNode(revision) || isMercurials(revision)) return reader.resolve(at(id), revision)
      const named = isRefName(revision) ? (await own.read(at(id))).get(revision) : undefined
      return named === undefined ? null : reader.resolve(at(id), named)
    },
    async entry(id, treeish, path) {
      if (path !== '' && !isPath(path)) return null
      const start = treeish.includes(':') && !treeish.startsWith('refs/') ? treeish : await hg.resolve(id, treeish)
      return start === null ? null : reader.entry(at(id), start, path)
    },
    tree: (id, tree) => reader.tree(at(id), tree),
    blob: (id, oid, { limit }) => reader.blob(at(id), oid, limit),
    async checkout(id, tree, folder, limits) {
      const refused = await reader.checkout(at(id), { tree, folder, ...limits })
      if (refused !== null) throw new HgContentRefused(refused)
    },
    async log(id, revision, { limit, skip, without }) {
      const start = await hg.resolve(id, revision)
      return start === null
        ? []
        : reader.log(at(id), { revision: start, limit, skip, without: without !== undefined && isNode(without) ? without : null })
    },
    mergeBase: (id, ours, theirs, { source = id } = {}) => reader.base(at(id), { ours, theirs, source: source === id ? null : at(source) }),
    tryMerge: (id, ours, theirs, { source, signal }) => tryMerge(acting, at(id), { ours, theirs, source: source === id ? null : at(source) }, signal),
    merge: (id, merge, given) => mergeInto(acting, at(id), { ...merge, source: merge.source === id ? null : at(merge.source) }, given),

    probe: (remote, { signal }) => probeRemote(pulling, remote, signal),
    copy: (id, remote, { signal }) => copyRemote(pulling, id, remote, signal),
    pull: (id, source, given) => pullInto(pulling, at(id), source, given),

    lookup: (id, word) => reader.lookup(at(id), word),
    count: (id) => reader.count(at(id)),
    commitAt: async (id, number) => (Number.isSafeInteger(number) && number >= 0 && number < 2 ** 31 ? reader.commitAt(at(id), number) : null),
    numberOf: async (id, commit) => (isNode(commit) ? reader.numberOf(at(id), commit) : null),
    range: (id, range) => reader.range(at(id), range),
    changed: (id, commits) => reader.changed(at(id), commits.filter(isNode)),
    changedFiles: async (id, changeset) => (isNode(changeset) ? reader.changedFiles(at(id), changeset) : null),
    async serve(request) {
      if (!(await repositoryExists(host, request.id))) throw new HgUnavailable(`there is no storage of ${request.id}`)
      return serveHg({ host, gate, ends, lingering, pushes, stallMs, mend: (id) => mend(at(id)), madeTrue }, request)
    },
    async close() {
      lingering.destroy()
      await Promise.all([ends.close(), reads.close(), acts.close()])
      await Promise.all([...host.children].map((child) => child.end()))
      await pushes.close()
      await rm(host.scratch, { recursive: true, force: true }).catch((error: unknown) => {
        throw storageError(error)
      })
    },
  }
  return hg
}

// Beside the repositories, where the next start finds it after a kill, unless that makes the names of sockets too long.
function makeScratch(root: string): string {
  return mkdtempSync(root.length < 70 ? `${root}/${beside.running}` : join(tmpdir(), 'capstan-hg-'))
}

function updateOwn(refs: Map<string, string>, updates: readonly RefUpdate[]): 'done' | 'conflict' {
  if (updates.some(({ ref, from }) => (refs.get(ref) ?? null) !== from)) return 'conflict'
  for (const { ref, to } of updates) {
    if (to === null) refs.delete(ref)
    else refs.set(ref, to)
  }
  return 'done'
}

async function refuseChange(): Promise<void> {
  throw new HgContentRefused('nothing was to be changed')
}

export type { HgOptions }
export { createHg }
