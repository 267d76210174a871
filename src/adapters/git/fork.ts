import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { GitUnavailable } from '../../ports/git.ts'
import type { GitHost } from './environment.ts'
import { runGit, startGit, unavailable } from './process.ts'
import { place, makeUnfinished, repositoryPath, writeDurably } from './storage.ts'

/**
 * Copies a repository by streaming one pack from `pack-objects` into `index-pack`: no transport, no hard links, no alternates, nothing shared. Refs are
 * listed first and the pack is made from that list, so a push to the source in between does no harm. The copy gets its name when it is complete.
 */
async function forkRepository(
  host: GitHost,
  id: string,
  source: { directory: string; head: string },
  options: { timeoutMs: number },
): Promise<'placed' | 'taken'> {
  repositoryPath(host, id)
  const listed = await runGit(host, [`--git-dir=${source.directory}`, 'for-each-ref', '--format=%(objectname) %(refname)'], {
    directory: source.directory,
  })
  if (listed.exit.code !== 0) throw unavailable('for-each-ref', listed.exit)
  const refs = listed.stdout.toString('utf8')
  const copy = await makeUnfinished(host)
  try {
    if (refs !== '') {
      const tips = new Set(
        refs
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.slice(0, 40)),
      )
      await copyObjects(host, source.directory, copy, [...tips], options)
      // All refs in one file and one sync. The list is sorted by git in the order that the file needs.
      await writeDurably(`${copy}/packed-refs`, `# pack-refs with: sorted \n${refs}`)
    }
    await rm(`${copy}/HEAD`)
    await writeDurably(`${copy}/HEAD`, `ref: ${source.head}\n`)
    return await place(host, copy, id)
  } catch (error) {
    await rm(copy, { recursive: true, force: true })
    throw error
  }
}

/** Copies what `tips` lead to (and not what a tip with `^` leads to) as one pack. `borrowed`: variables that let git read further objects meanwhile. */
async function copyObjects(
  host: GitHost,
  from: string,
  to: string,
  tips: readonly string[],
  { timeoutMs, borrowed = {} }: { timeoutMs: number; borrowed?: Readonly<Record<string, string>> },
): Promise<void> {
  const args = [`--git-dir=${from}`, 'pack-objects', '--revs', '--stdout', '--delta-base-offset', '--quiet']
  const packing = startGit(host, args, { directory: from, extra: borrowed })
  const indexing = startGit(host, [`--git-dir=${to}`, 'index-pack', '--stdin'], { directory: to })
  const timer = host.clock.after(timeoutMs, () => void Promise.all([packing.end(), indexing.end()]))
  try {
    indexing.stdout.resume()
    packing.stdin.end(`${tips.join('\n')}\n`)
    await pipeline(packing.stdout, indexing.stdin).catch(() => {}) // the exit codes say what went wrong
    const [packed, indexed] = await Promise.all([packing.exited, indexing.exited])
    if (packed.code !== 0) throw unavailable('pack-objects', packed)
    if (indexed.code !== 0) throw unavailable('index-pack', indexed)
  } catch (error) {
    await Promise.all([packing.end(), indexing.end()])
    throw error instanceof GitUnavailable ? error : new GitUnavailable(`copying failed: ${String(error)}`, { cause: error })
  } finally {
    timer.cancel()
  }
}

export { forkRepository, copyObjects }
