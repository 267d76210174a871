import { GitUnavailable } from '../../ports/git.ts'
import type { RefUpdate } from '../../ports/git.ts'
import type { GitHost } from './environment.ts'
import { isOid, isRefName, noObject } from './names.ts'
import { runGit, unavailable } from './process.ts'
import type { RefReader } from './refs.ts'
import { refValues } from './receive.ts'
import { syncFolder, syncRefs } from './storage.ts'
import type { Writers } from './writers.ts'

type RefWriter = {
  update(directory: string, updates: readonly RefUpdate[]): Promise<'done' | 'conflict'>
  setHead(directory: string, ref: string): Promise<void>
}

/** Changes refs through `git update-ref`, which locks, compares, syncs and renames as every other git does. */
function createRefWriter(host: GitHost, refs: RefReader, writers: Writers): RefWriter {
  async function written(directory: string, args: readonly string[], input: string) {
    const leave = await writers.enter(directory)
    let end: 'in-order' | 'killed' = 'killed'
    try {
      const { exit } = await runGit(host, [`--git-dir=${directory}`, ...args], { directory, input })
      if (exit.code !== null) end = 'in-order'
      return exit
    } finally {
      await leave(end)
    }
  }

  return {
    async update(directory, updates) {
      for (const { ref, from, to } of updates) {
        if (!isRefName(ref) || (from !== null && !isOid(from)) || (to !== null && !isOid(to)))
          throw new GitUnavailable('an update of refs names what is no ref or object')
      }
      if (updates.length === 0) return 'done'
      const lines = updates.map(({ ref, from, to }) =>
        to === null && from !== null ? `delete ${ref}\0${from}\0` : `update ${ref}\0${to ?? noObject}\0${from ?? noObject}\0`,
      )
      const exit = await written(directory, ['update-ref', '--stdin', '-z'], lines.join(''))
      if (exit.code === 0) {
        await syncRefs(
          directory,
          updates.map(({ ref }) => ref),
        )
        return 'done'
      }
      const now = await refValues(refs, directory, updates)
      if (updates.some(({ ref, from }) => now.get(ref) !== from) || /cannot lock ref|multiple updates/.test(exit.stderr)) return 'conflict'
      throw unavailable('update-ref', exit)
    },
    async setHead(directory, ref) {
      if (!isRefName(ref)) throw new GitUnavailable('HEAD can only point at a ref')
      const exit = await written(directory, ['symbolic-ref', 'HEAD', ref], '')
      if (exit.code !== 0) throw unavailable('symbolic-ref', exit)
      await syncFolder(directory)
    },
  }
}

export type { RefWriter }
export { createRefWriter }
