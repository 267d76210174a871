import { rm } from 'node:fs/promises'
import { GitContentRefused, GitUnavailable } from '../../ports/git.ts'
import type { RefUpdate } from '../../ports/git.ts'
import type { PullOptions, PullSource, Pulled, Remote } from '../../ports/mirror.ts'
import type { GitHost } from './environment.ts'
import { copyObjects } from './fork.ts'
import type { Gate } from '../code/gate.ts'
import { lending } from './merge.ts'
import { runGit, unavailable } from './process.ts'
import { fetchObjects, listRemote } from './remote.ts'
import { defaultHead, makeUnfinished, place, repositoryPath, writeDurably } from './storage.ts'
import type { RefWriter } from './update-refs.ts'
import type { Writers } from './writers.ts'

type PullParts = { readonly host: GitHost; readonly gate: Gate; readonly refWriter: RefWriter; readonly writers: Writers }

const mostChanges = 10_000
const copyMs = 60 * 60 * 1000

/** Asks whether a remote is a git repository that can be read. */
async function probeRemote({ host, gate }: Pick<PullParts, 'host' | 'gate'>, remote: Remote, signal: AbortSignal): Promise<void> {
  const leave = await gate.enter(signal)
  try {
    await listRemote(host, remote, signal)
  } finally {
    leave()
  }
}

/** Makes a repository out of a remote. It gets its name when it is complete. */
async function copyRemote({ host, gate }: Pick<PullParts, 'host' | 'gate'>, id: string, remote: Remote, signal: AbortSignal): Promise<void> {
  repositoryPath(host, id)
  const leave = await gate.enter(signal)
  try {
    const { heads, tags, head } = await listRemote(host, remote, signal)
    const refs = [...heads, ...tags].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    const copy = await makeUnfinished(host)
    try {
      if (refs.length > 0) {
        await fetchObjects(
          host,
          copy,
          remote,
          refs.map(([, oid]) => oid),
          signal,
        )
        // All refs in one file and one sync, in the order that the file needs.
        await writeDurably(`${copy}/packed-refs`, `# pack-refs with: sorted \n${refs.map(([ref, oid]) => `${oid} ${ref}\n`).join('')}`)
      }
      await rm(`${copy}/HEAD`)
      await writeDurably(`${copy}/HEAD`, `ref: ${head ?? [...heads.keys()][0] ?? defaultHead}\n`)
      signal.throwIfAborted()
      if ((await place(host, copy, id)) === 'taken') throw new GitUnavailable(`there is storage of ${id} already`)
    } catch (error) {
      await rm(copy, { recursive: true, force: true })
      throw error
    }
  } finally {
    leave()
  }
}

/** Brings branches here: all objects first, then `onCommands`, then all refs in one transaction. */
async function pullInto(parts: PullParts, directory: string, source: PullSource, options: PullOptions): Promise<Pulled | 'conflict'> {
  const { host, gate, refWriter, writers } = parts
  const { signal } = options
  const leave = await gate.enter(signal)
  try {
    const from = 'storage' in source ? repositoryPath(host, source.storage) : null
    const listing = 'remote' in source ? await listRemote(host, source.remote, signal) : { heads: await branchesOf(host, from ?? ''), skipped: [] }
    const here = await branchesOf(host, directory)
    const { changes, skipped } = changesOf(listing.heads, here)
    if (changes.length > mostChanges) throw new GitContentRefused(`a pull changes more than ${mostChanges} branches`)
    if (changes.length > 0) {
      const objects = changes.flatMap(({ to }) => to ?? [])
      const done = await writers.enter(directory)
      let end: 'in-order' | 'killed' = 'killed'
      try {
        if ('remote' in source) await fetchObjects(host, directory, source.remote, objects, signal)
        else if (from !== null)
          await copyObjects(host, from, directory, [...objects, ...[...here.values()].map((oid) => `^${oid}`)], {
            timeoutMs: copyMs,
            borrowed: lending([directory]),
          })
        end = 'in-order'
      } finally {
        await done(end)
      }
      signal.throwIfAborted()
      await options.onCommands(changes)
      if ((await refWriter.update(directory, changes)) === 'conflict') return 'conflict'
    }
    return { changes, skipped: [...listing.skipped, ...skipped] }
  } finally {
    leave()
  }
}

async function branchesOf(host: GitHost, directory: string): Promise<ReadonlyMap<string, string>> {
  const { exit, stdout } = await runGit(host, [`--git-dir=${directory}`, 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads/'], {
    directory,
  })
  if (exit.code !== 0) throw unavailable('for-each-ref', exit)
  const lines = stdout.toString('utf8').split('\n')
  return new Map(lines.filter((line) => line !== '').map((line) => [line.slice(41), line.slice(0, 40)]))
}

// Deletions are not followed, so a branch `a` of before can stand where there is `a/b` now. It stays, because it is ours.
function changesOf(there: ReadonlyMap<string, string>, here: ReadonlyMap<string, string>): { changes: RefUpdate[]; skipped: string[] } {
  const folders = new Set([...here.keys()].flatMap(foldersOf))
  const changes: RefUpdate[] = []
  const skipped: string[] = []
  for (const [ref, to] of there) {
    const from = here.get(ref) ?? null
    if (from === to) continue
    if (from === null && (folders.has(ref) || foldersOf(ref).some((folder) => here.has(folder)))) skipped.push(ref)
    else changes.push({ ref, from, to })
  }
  return { changes, skipped }
}

function foldersOf(ref: string): string[] {
  const parts = ref.split('/')
  return parts.slice(2, -1).map((_, at) => parts.slice(0, at + 3).join('/'))
}

export { probeRemote, copyRemote, pullInto }
