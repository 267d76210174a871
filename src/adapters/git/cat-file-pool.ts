import { GitTimeout, GitUnavailable } from '../../ports/git.ts'
import type { Timer } from '../../core/kernel/clock.ts'
import { CatFile } from './cat-file.ts'
import type { GitHost } from './environment.ts'

type CatFilePool = {
  /** Lends the reader of a repository for as long as `work` runs. */
  use<T>(directory: string, work: (reader: CatFile) => Promise<T>): Promise<T>
  /** Ends the reader of a repository that is going away. */
  drop(directory: string): Promise<void>
  close(): Promise<void>
}

type Open = { readonly reader: CatFile; users: number; idle: Timer | null }

/**
 * Keeps the readers of the repositories used last, `largest` at most: a reader is a process. One that nobody uses for `idleMs` is ended; when all are in
 * use, the next caller waits its turn.
 */
function createCatFilePool(host: GitHost, options: { largest: number; idleMs: number }): CatFilePool {
  const open = new Map<string, Open>()
  const turns: (() => void)[] = []
  let closed = false

  function discard(directory: string, item: Open): Promise<void> {
    item.idle?.cancel()
    if (open.get(directory) === item) open.delete(directory)
    return item.reader.close()
  }

  async function take(directory: string): Promise<Open> {
    for (;;) {
      if (closed) throw new GitUnavailable('git storage is closed')
      const known = open.get(directory)
      if (known?.reader.alive) {
        open.delete(directory)
        open.set(directory, known)
        return known
      }
      if (known) open.delete(directory)
      if (open.size >= options.largest) {
        const unused = [...open].find(([, item]) => item.users === 0)
        if (unused === undefined) {
          await turn()
          continue
        }
        void discard(...unused)
      }
      const item: Open = { reader: new CatFile(host, directory, { timeoutMs: host.timeoutMs }), users: 0, idle: null }
      open.set(directory, item)
      return item
    }
  }

  function turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        timer.cancel()
        resolve()
      }
      const timer = host.clock.after(host.timeoutMs, () => {
        turns.splice(turns.indexOf(go), 1)
        reject(new GitTimeout('too many repositories are being read at once'))
      })
      turns.push(go)
    })
  }

  async function once<T>(directory: string, work: (reader: CatFile) => Promise<T>): Promise<{ value: T } | { error: unknown; died: boolean }> {
    const item = await take(directory)
    item.users += 1
    item.idle?.cancel()
    try {
      return { value: await work(item.reader) }
    } catch (error) {
      return { error, died: !item.reader.alive && error instanceof GitUnavailable }
    } finally {
      item.users -= 1
      if (!item.reader.alive) void discard(directory, item)
      else if (item.users === 0) item.idle = host.clock.after(options.idleMs, () => void discard(directory, item))
      turns.shift()?.()
    }
  }

  return {
    async use(directory, work) {
      const first = await once(directory, work)
      if ('value' in first) return first.value
      if (!first.died || closed) throw first.error
      // The process may have died of somebody else's object, or long before us: reading is harmless to repeat, once.
      const second = await once(directory, work)
      if ('value' in second) return second.value
      throw second.error
    },
    async drop(directory) {
      const item = open.get(directory)
      if (item) await discard(directory, item)
    },
    async close() {
      closed = true
      for (const go of turns.splice(0)) go()
      await Promise.all([...open].map(([directory, item]) => discard(directory, item)))
    },
  }
}

export type { CatFilePool }
export { createCatFilePool }
